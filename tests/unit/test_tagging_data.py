"""Examples from files, and what is wrong with them in words."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ml.tagging import DataError
from ml.tagging.training import data

pytestmark = pytest.mark.unit
ROWS = [{"text": f"text {n}", "label": f"l{n % 3}", "category": "ab"[n % 3 > 1]} for n in range(30)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "examples.jsonl"
    made.write_text("\n".join(json.dumps(row) for row in ROWS))
    return made


def test_csv_and_gzip_hold_the_same_examples(file: Path, tmp_path: Path) -> None:
    packed, table = tmp_path / "x.jsonl.gz", tmp_path / "x.csv"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    lines = [f"{row['text']},{row['label']},{row['category']}" for row in ROWS]
    table.write_text("text,label,category\n" + "\n".join(lines))
    wanted = data.sha256(data.read(file))
    assert data.sha256(data.read(packed)) == data.sha256(data.read(table)) == wanted


def test_labels_are_owned_by_categories(file: Path) -> None:
    names = data.names(data.read(file))
    assert (names.labels, names.categories, names.owner) == (("l0", "l1", "l2"), ("a", "b"), (0, 0, 1))


def test_a_split_keeps_every_label_on_both_sides_and_is_repeatable(file: Path) -> None:
    examples = data.read(file)
    train, valid = data.split(examples, 0.2, 0)
    assert len(train) == 24
    assert {e.label for e in train} == {e.label for e in valid} == {"l0", "l1", "l2"}
    assert data.split(examples, 0.2, 0) == (train, valid)
    assert not set(train) & set(valid)


def test_out_of_scope_has_no_number(file: Path) -> None:
    names = data.names(data.read(file))
    assert names.numbers([data.Example("x", "oos", "oos"), data.Example("y", "l2", "b")]).tolist() == [-1, 2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no examples"),
        ("{not json", "can't be read"),
        ('{"text": "", "label": "a"}', "row 1: needs a text and a label"),
        ('{"text": "x"}', "row 1: needs a text and a label"),
        ('["x", "a"]', "row 1: needs a text and a label"),
        ('{"text": 3, "label": "a"}', "row 1: needs a text and a label"),
    ],
)
def test_bad_files_are_refused_with_the_place(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(content)
    with pytest.raises(DataError, match=said):
        data.read(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        data.read(tmp_path / "none.jsonl")


def test_a_label_of_two_categories_is_refused() -> None:
    with pytest.raises(DataError, match="belongs to both"):
        data.names([data.Example("x", "l", "a"), data.Example("y", "l", "b")])


def test_one_category_is_not_enough() -> None:
    with pytest.raises(DataError, match="fewer than two"):
        data.names([data.Example("x", "l", "a")])


def test_texts_are_read_whether_they_have_labels_or_not(file: Path, tmp_path: Path) -> None:
    assert data.texts(file) == [row["text"] for row in ROWS]
    bare = tmp_path / "bare.csv"
    bare.write_text("text\nwhere is my card\n")
    assert data.texts(bare) == ["where is my card"]
    bare.write_text('text\n""\n')
    with pytest.raises(DataError, match="row 1: needs a text"):
        data.texts(bare)


def test_what_is_not_labelled_belongs_to_the_data_too() -> None:
    rows = [data.Example("x", "l", "l")]
    assert data.Parts(rows, []).sha256() == data.sha256(rows, [], [], [])
    assert data.Parts(rows, [], unlabelled=["y"]).sha256() != data.Parts(rows, []).sha256()
