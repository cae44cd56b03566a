"""What is known of a customer on a day: nothing of that day or later, whatever the tables hold."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

pl = pytest.importorskip("polars", reason="polars is not installed; `make train-deps` installs it")

from ml.churn import simulate  # noqa: E402
from ml.churn.features import local  # noqa: E402
from ml.churn.features.matrix import columns_of  # noqa: E402
from ml.churn.features.specification import BY_NAME, FEATURES, PROTECTED, Ratio  # noqa: E402

pytestmark = pytest.mark.unit
UNTIL = date(2026, 11, 23)
CUT = UNTIL - timedelta(days=120)


@pytest.fixture(scope="module")
def tables():
    return simulate.tables(200, 60, UNTIL, seed=3)


def _as_of(tables, day: date):
    """The tables as they were exported on that day: no later row, and no later end of an earlier one."""
    times = {
        "customers": "signed_up",
        "subscriptions": "started",
        "usage": "day",
        "invoices": "issued",
        "tickets": "opened",
    }
    ends = {"subscriptions": ["ended"], "invoices": ["paid"], "tickets": ["closed"]}
    found = {}
    for name, frame in tables.items():
        known = frame.filter(pl.col(times[name]) < day)
        for end in ends.get(name, []):
            columns = [end, "satisfaction"] if name == "tickets" else [end]
            late = pl.col(end) >= day
            known = known.with_columns(
                pl.when(late).then(None).otherwise(pl.col(c)).alias(c) for c in columns
            )
        found[name] = known
    return found


def test_features_of_a_past_day_are_those_that_were_known_then(tables) -> None:
    assert local.features(tables, CUT).equals(local.features(_as_of(tables, CUT), CUT))


def test_each_feature_is_described(tables) -> None:
    assert all(feature.unit for feature in FEATURES)
    assert not {*BY_NAME} & {*PROTECTED}
    columns = set(local.features(tables, CUT).columns)
    assert {*BY_NAME} <= columns
    for feature in FEATURES:
        if isinstance(feature, Ratio):
            assert {feature.above, feature.below} <= {*BY_NAME}


def test_sums_and_changes_are_those_of_the_days() -> None:
    day = CUT - timedelta(days=1)
    usage = [(day, 4.0), (CUT, 100.0), (CUT - timedelta(days=28), 7.0), (CUT - timedelta(days=29), 10.0)]
    frame = local.features(_one_customer(usage), CUT)
    [row] = frame.to_dicts()
    assert row["logins_28d"] == 11.0
    assert row["logins_before_56d"] == 10.0
    assert row["login_change"] == pytest.approx(11 / 5 - 1)
    assert row["days_since_login"] == 1
    assert row["active_days_28d"] == 2


def test_who_left_before_the_cut_is_no_customer() -> None:
    gone = _one_customer([], ended=CUT - timedelta(days=1))
    assert len(local.features(gone, CUT)) == 0
    assert len(local.labels(gone, CUT, embargo=7, horizon=90)) == 0


@pytest.mark.parametrize(
    ("ended", "label"),
    [(None, [0]), (3, []), (7, [1]), (96, [1]), (97, [0])],
    ids=["stays", "left in the embargo", "first day", "last day", "after the window"],
)
def test_the_label_is_of_the_window_after_the_embargo(ended: int | None, label: list[int]) -> None:
    tables = _one_customer([], ended=None if ended is None else CUT + timedelta(days=ended))
    assert local.labels(tables, CUT, embargo=7, horizon=90)["churned"].to_list() == label


def test_a_change_of_plan_is_not_leaving() -> None:
    tables = _one_customer([], ended=CUT + timedelta(days=20))
    newer = tables["subscriptions"].with_columns(
        pl.lit(CUT + timedelta(days=20)).alias("started"), pl.lit(None, pl.Date).alias("ended")
    )
    tables["subscriptions"] = pl.concat([tables["subscriptions"], newer])
    assert local.labels(tables, CUT, embargo=7, horizon=90)["churned"].to_list() == [0]


def test_a_matrix_says_which_field_is_wrong(tables) -> None:
    rows = local.features(tables, CUT).to_dict(as_series=False)
    columns = columns_of(rows, least=1)
    assert columns.matrix(rows).shape == (len(rows["customer_id"]), len(columns.names))
    with pytest.raises(ValueError, match="logins_28d"):
        columns.matrix({name: values for name, values in rows.items() if name != "logins_28d"})
    with pytest.raises(ValueError, match="must be a number"):
        columns.matrix(rows | {"logins_28d": ["many"] * len(rows["plan"])})


def test_what_training_has_not_seen_is_none_of_the_values(tables) -> None:
    rows = local.features(tables, CUT).to_dict(as_series=False)
    columns = columns_of(rows, least=1)
    other = columns.matrix(rows | {"plan": ["<script>"] * len(rows["plan"])})
    places = [at for at, name in enumerate(columns.names) if name.startswith("plan=")]
    assert not np.any(other[:, places])


def _one_customer(usage: list[tuple[date, float]], ended: date | None = None):
    started = CUT - timedelta(days=400)
    frames = simulate.tables(1, 60, UNTIL, seed=1)
    empty = {name: frame.clear() for name, frame in frames.items()}
    days, logins = zip(*usage, strict=True) if usage else ((), ())
    zeros = [0.0] * len(days)
    return empty | {
        "customers": pl.DataFrame(
            {"customer_id": ["C1"], "name": ["N"], "segment": ["retail"], "owner": ["o"], "currency": ["EUR"],
             "signed_up": [started]}
        ),
        "subscriptions": pl.DataFrame(
            {"customer_id": ["C1"], "plan": ["team"], "monthly_value": [9.0], "started": [started],
             "renewal": [started], "ended": [ended]},
            schema_overrides={"ended": pl.Date},
        ),
        "usage": pl.DataFrame(
            {"customer_id": ["C1"] * len(days), "day": list(days), "logins": list(logins), "actions": zeros,
             "errors": zeros, "seats": zeros},
            schema_overrides={"customer_id": pl.String, "day": pl.Date, "logins": pl.Float64, "actions": pl.Float64,
                              "errors": pl.Float64, "seats": pl.Float64},
        ),
    }  # fmt: skip
