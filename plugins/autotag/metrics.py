"""What is decided and what people say to it; categories are a closed set."""

from __future__ import annotations

from prometheus_client import Counter

DECISIONS = Counter("signalbox_autotag_decisions_total", "Decisions about tickets.", ["band", "category"])
REVIEWS = Counter("signalbox_autotag_reviews_total", "What people said to decisions.", ["verdict"])
