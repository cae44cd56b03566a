"""Past tickets that say something alike: nearest embeddings among the last decided ones."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from bot.plugin import Context, Ticket
from plugins.autotag.decisions import REVIEW, Decisions

VECTOR = "vector"
LOOKED_AT = 1000
SHOWN = 3
ALIKE = 0.6
"""Cosine from which on two tickets are worth showing side by side."""


@dataclass(frozen=True, slots=True)
class Similar:
    """`category`: what people or the model called it, people first; empty when nobody did."""

    key: str
    url: str
    summary: str
    category: str
    likeness: float


def remember(ticket: Ticket, vector: Sequence[float], encoder: str, ctx: Context) -> None:
    """Keep what a ticket says as numbers; once, however often it is handled."""
    import numpy as np  # noqa: PLC0415  # workers only

    if ctx.records.find(VECTOR, subject=ticket.key, limit=1):
        return
    packed = base64.b64encode(np.asarray(vector, np.float16).tobytes()).decode()
    data = {"vector": packed, "encoder": encoder, "url": ticket.url, "summary": ticket.summary[:120]}
    ctx.records.append(VECTOR, ticket.key, data)


def find(ticket: Ticket, vector: Sequence[float], encoder: str, ctx: Context) -> list[Similar]:
    """The most similar ones of the last tickets that the same encoder has read."""
    import numpy as np  # noqa: PLC0415  # workers only

    from ml.tagging.encoder import meaning  # noqa: PLC0415

    records = [
        record
        for record in ctx.records.find(VECTOR, limit=LOOKED_AT)
        if record.subject != ticket.key and record.data["encoder"] == encoder
    ]
    if not records:
        return []
    packed = b"".join(base64.b64decode(str(record.data["vector"])) for record in records)
    vectors = np.frombuffer(packed, np.float16).reshape(len(records), -1).astype(np.float32)
    likeness = meaning(vectors) @ meaning(np.asarray(vector, np.float32))
    nearest = [at for at in np.argsort(-likeness)[:SHOWN] if likeness[at] >= ALIKE]
    return [
        Similar(
            records[at].subject,
            str(records[at].data["url"]),
            str(records[at].data["summary"]),
            _called(records[at].subject, ctx),
            float(likeness[at]),
        )
        for at in nearest
    ]


def _called(key: str, ctx: Context) -> str:
    reviewed = next(iter(ctx.records.find(REVIEW, subject=key, limit=1)), None)
    if reviewed is not None:
        return str(reviewed.data["category"] or "")
    newest = Decisions(ctx, key).newest()
    return (newest.category or "") if newest and newest.band == "apply" else ""
