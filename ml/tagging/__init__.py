"""Tagging of support tickets: a BERT encoder and a trained head, served without torch."""

from ml.tagging.categories import CATEGORIES, Category
from ml.tagging.errors import ModelTamperedError, ModelUnavailableError
from ml.tagging.tagger import Tagger, Tagging

__all__ = ["CATEGORIES", "Category", "ModelTamperedError", "ModelUnavailableError", "Tagger", "Tagging"]
