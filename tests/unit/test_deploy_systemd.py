"""The units for a plain machine: as systemd itself reads them, and for every process that there is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed (Debian: systemd).")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_finds_no_fault(unit: Path, tmp_path: Path) -> None:
    # The program stands in /opt on the machine that runs it; here any other does.
    text = re.sub(r"/opt/signalbox/bin/\w+", sys.executable, unit.read_text())
    named = tmp_path / unit.name.replace("@", "@io")
    named.write_text(text)
    done = subprocess.run([str(ANALYZE), "verify", str(named)], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if unit.stem.partition("@")[0] in line]
    assert (done.returncode, ours) == (0, [])


def test_every_process_of_compose_has_a_unit() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    commands = {" ".join(service.get("command", ())) for service in services.values()}
    ours = {re.sub(r"^(signalbox \w+|python -m [\w.]+).*", r"\1", c) for c in commands}
    told = "\n".join(unit.read_text() for unit in UNITS)
    wanted = {command for command in ours if re.fullmatch(r"signalbox \w+|python -m [\w.]+", command)}
    assert len(wanted) >= 5
    assert [command for command in sorted(wanted) if f"/opt/signalbox/bin/{command}" not in told] == []
