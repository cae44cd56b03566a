"""Whatever somebody does to a sealed chain, the walk finds it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import audit_chain
from bot.core.audit_chain import Head, Link

pytestmark = pytest.mark.unit

words = st.text(max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
contents = st.lists(st.tuples(words, words, words, values, values), min_size=2, max_size=12)


def chain(rows: list[tuple[str, str, str, Any, Any]]) -> list[Link]:
    links: list[Link] = []
    head = Head()
    for number, (actor, action, subject, before, after) in enumerate(rows):
        row = {
            "at": number, "actor": actor, "action": action, "subject": subject, "outcome": "done",
            "before": before, "after": after, "event_id": None,
        }  # fmt: skip
        sealed = audit_chain.seal(head, row, salt=f"{number:032x}")
        head = Head(sealed["position"], sealed["hash"])
        links.append(Link(**row, **sealed))
    return links


def head_of(links: list[Link]) -> Head:
    return Head(links[-1].position, links[-1].hash)


@given(contents)
def test_an_untouched_chain_holds(rows: list[Any]) -> None:
    links = chain(rows)
    report = audit_chain.verify(links, [head_of(links)])
    assert (report.rows, report.faults, report.head) == (len(rows), [], head_of(links))


@given(contents, st.data())
def test_a_changed_record_is_found(rows: list[Any], data: st.DataObject) -> None:
    links = chain(rows)
    at = data.draw(st.integers(0, len(links) - 1))
    field = data.draw(st.sampled_from(["actor", "action", "subject", "outcome", "before", "after", "at"]))
    changed = data.draw(st.integers() if field == "at" else values if field in {"before", "after"} else words)
    if audit_chain.canonical(changed) == audit_chain.canonical(getattr(links[at], field)):
        return
    forged = [*links[:at], replace(links[at], **{field: changed}), *links[at + 1 :]]
    assert not audit_chain.verify(forged, [head_of(links)]).ok


@given(contents, st.data())
def test_a_missing_record_is_found(rows: list[Any], data: st.DataObject) -> None:
    links = chain(rows)
    first = data.draw(st.integers(0, len(links) - 1))
    last = data.draw(st.integers(first + 1, len(links)))
    assert not audit_chain.verify([*links[:first], *links[last:]], [head_of(links)]).ok


@given(contents, st.data())
def test_reordered_records_are_found_even_renumbered(rows: list[Any], data: st.DataObject) -> None:
    links = chain(rows)
    one, two = data.draw(st.lists(st.integers(0, len(links) - 1), min_size=2, max_size=2, unique=True))
    swapped = list(links)
    swapped[one], swapped[two] = (
        replace(links[two], position=links[one].position),
        replace(links[one], position=links[two].position),
    )
    assert not audit_chain.verify(swapped, [head_of(links)]).ok


@given(contents, st.data())
def test_an_inserted_record_is_found(rows: list[Any], data: st.DataObject) -> None:
    links = chain(rows)
    at = data.draw(st.integers(0, len(links)))
    extra = replace(links[0], position=at + 1)
    assert not audit_chain.verify([*links[:at], extra, *links[at:]], [head_of(links)]).ok


def test_only_recorded_erasures_are_believed() -> None:
    links = chain([("U1", "a", "s", None, None), ("U2", "a", "s", None, None)])
    emptied = [replace(links[0], actor="erased", subject="erased", salt=None), links[1]]
    assert "emptied" in audit_chain.verify(emptied).faults[0]
    row = {
        "at": 3, "actor": "cli", "action": audit_chain.ERASE_ACTION, "subject": "r", "outcome": "done",
        "before": None, "after": {"positions": [1]}, "event_id": None,
    }  # fmt: skip
    said = Link(**row, **audit_chain.seal(head_of(links), row, "0" * 32))
    report = audit_chain.verify([*emptied, said])
    assert (report.ok, report.erased) == (True, 1)


@pytest.mark.parametrize("text", ["", "5", "x:" + "0" * 64, "5:abc"])
def test_a_head_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Head.parse(text)
