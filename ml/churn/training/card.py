"""The model card (Mitchell et al., 2019), for people."""

from __future__ import annotations

from ml.churn.model.artifact import Costs, Facts


def page(facts: Facts, costs: Costs, threshold: float) -> str:
    rows = "\n".join(
        f"| {name} | {value:.4f} | {_interval(facts, name)} |" for name, value in facts.metrics.items()
    )
    return f"""# Churn model {facts.name}

Predicts who leaves within {facts.horizon_days} days; {facts.embargo_days} days after the cut are left out.
Random forest, gradient boosting and a neural network, joined by a logistic stack.

- Trained {facts.created} on {facts.examples} examples at {len(facts.cuts)} cuts, {facts.cuts[0]} to
  {facts.cuts[-1]}; {facts.base_rate:.1%} left.
- Data {facts.data_sha256[:12]}, seed {facts.seed}, code {facts.code_version or "unknown"}.
- Acting pays from a probability of {threshold:.3f} on: contact {costs.contact:g}, offer {costs.offer:g},
  {costs.accept:.0%} accept, {costs.months:g} months of value.

On the newest cut, fitted on cuts whose outcomes were known by then:

| score | value | 95 % interval |
|---|---|---|
{rows}

Reasons tell what is associated with a risk, not what causes it. No protected attribute is a feature.
"""


def _interval(facts: Facts, name: str) -> str:
    found = facts.intervals.get(name)
    return f"{found[0]:.4f} to {found[1]:.4f}" if found else ""
