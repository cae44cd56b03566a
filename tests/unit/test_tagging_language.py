"""The narrowed language detector beside py3langid's own, whose model it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from ml.tagging.language import LANGUAGES, Languages
from ml.tagging.tagger import examples

pytestmark = pytest.mark.unit
FOREIGN = {
    "de": "Ich möchte mein Geld zurück, die Ware kam kaputt an",
    "fr": "Bonjour, je n'arrive pas à me connecter à mon compte",
    "es": "No puedo iniciar sesión y necesito una factura",
    "zh": "我想取消订阅",
    "ru": "где моя посылка",
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def languages(cache: Path) -> Languages:
    return Languages.load(cache)


def test_it_says_what_py3langid_says(languages: Languages) -> None:
    whole = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    whole.set_languages(list(LANGUAGES))
    texts = [text for text, _ in examples("heldout")]
    texts += [*FOREIGN.values(), "WO IST MEIN PAKET", "", "2.50", "😀😀", "\ud800 broken", "e\u0301te\u0301"]
    for text, (language, share) in zip(texts, languages.classify(texts), strict=True):
        expected, confidence = whole.classify(text)
        assert share == pytest.approx(confidence, abs=1e-4), text
        assert language == expected or share < 0.1, text


def test_each_text_is_judged_by_itself(languages: Languages) -> None:
    texts = ["I cannot log in to my account", *FOREIGN.values(), "", "ok", "!?", "12345 67890 12345"]
    assert languages.spoken(texts) == ["en", *FOREIGN, "", "", "", ""]
    assert languages.spoken([]) == []


def test_the_beginning_of_a_long_text_tells_its_language(languages: Languages) -> None:
    assert languages.spoken([f"{FOREIGN['de']} " * 1000]) == ["de"]


def test_tables_that_were_changed_are_built_anew(cache: Path, languages: Languages) -> None:
    [tables] = cache.glob("languages-*/*")
    before = tables.read_bytes()
    tables.write_bytes(before[:-100] + bytes(100))
    assert Languages.load(cache).classify([FOREIGN["fr"]]) == languages.classify([FOREIGN["fr"]])
    assert tables.read_bytes() == before
