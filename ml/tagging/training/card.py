"""The model card (Mitchell et al., 2019): what a model is, what it was made of and how good it is."""

from __future__ import annotations

from ml.tagging.artifact import Facts
from ml.tagging.head import Head


def write(facts: Facts, head: Head) -> str:
    measured = [f"| {name} | {value:.4f} |" for name, value in facts.metrics.items()]
    bands = [f"| {name} | {b.apply_at:.3f} | {b.suggest_at:.3f} |" for name, b in head.bands.items()]
    more = facts.settings.get("unlabelled")
    examples = f"{facts.examples} examples" + (f" beside {more} unlabelled texts" if more else "")
    if refit := facts.settings.get("refit"):
        examples += f", then anew with the {refit} validation examples, its settings kept"
        examples += " and both fits averaged" if facts.mode == "full" else ""
    scope = "not judged" if head.scope_at is None else f"energy below {head.scope_at:.3f}"
    lines = [
        f"# {facts.name}",
        "",
        f"Tags support texts with one of {len(head.categories)} categories ({len(head.labels)} fine labels).",
        "",
        f"- Training: `{facts.mode}`, {examples}, seed {facts.seed}, made {facts.created}",
        f"- Data (SHA-256): `{facts.data_sha256}`",
        f"- Base encoder: all-MiniLM-L6-v2, weights `{facts.base}`",
        f"- Languages: {', '.join(facts.languages)}; texts in others are left to people",
        f"- Out of scope: {scope}",
        f"- Applied without asking where {facts.precision:.0%} of such tags were right",
        "",
        "## On validation texts",
        "| measure | value |",
        "|---|---|",
        *(measured or ["| none | few-shot models are validated out of fold |"]),
        "",
        "## Bands",
        "| category | apply at | suggest at |",
        "|---|---|---|",
        *bands,
        "",
        "Not for decisions about people.",
    ]
    return "\n".join(lines) + "\n"
