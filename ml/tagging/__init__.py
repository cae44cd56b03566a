"""Tagging of support tickets: a BERT encoder and a trained head, served without torch."""

from ml.tagging.categories import CATEGORIES, Category
from ml.tagging.errors import DataError, ModelTamperedError, ModelUnavailableError, WorseModelError
from ml.tagging.tagger import Tagger, Tagging

__all__ = [
    "CATEGORIES",
    "Category",
    "DataError",
    "ModelTamperedError",
    "ModelUnavailableError",
    "Tagger",
    "Tagging",
    "WorseModelError",
]
