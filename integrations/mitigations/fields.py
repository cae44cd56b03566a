"""Types of parameters that come from alerts' labels: each lets through what it names, and nothing else."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$")]
"""A name, address or path. It can't begin like an option, and holds no space and no shell's signs."""
DnsName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
"""A Kubernetes object's name."""
