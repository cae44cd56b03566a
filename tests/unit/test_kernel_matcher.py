"""Matchers fit labels as Alertmanager's do: anchored, and a missing label is an empty one."""

from __future__ import annotations

import pytest

from bot.plugin import Matcher

pytestmark = pytest.mark.unit
LABELS = {"service": "checkout", "instance": "web-1"}


@pytest.mark.parametrize(
    ("matcher", "fits"),
    [
        (Matcher(name="service", value="checkout"), True),
        (Matcher(name="service", value="check"), False),
        (Matcher(name="service", value="check.*", is_regex=True), True),
        (Matcher(name="service", value="heck", is_regex=True), False),
        (Matcher(name="service", value="checkout", is_equal=False), False),
        (Matcher(name="instance", value="db-.*", is_regex=True, is_equal=False), True),
        (Matcher(name="team", value=""), True),
        (Matcher(name="team", value=".+", is_regex=True), False),
    ],
)
def test_a_matcher_fits_as_in_alertmanager(matcher: Matcher, fits: bool) -> None:
    assert matcher.fits(LABELS) is fits
