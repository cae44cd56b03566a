"""Taking a rule's expression apart."""

from __future__ import annotations

import pytest

from plugins.alert_relay.graph.expression import Condition, condition, of_address

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("text", "expected"), [
    ("app_error_ratio > 0.05", Condition("app_error_ratio", ">", 0.05)),
    ("up == 0", Condition("up", "==", 0)),
    ("0.9 < x", Condition("x", ">", 0.9)),
    ("5 >= sum(rate(x[5m]))", Condition("sum(rate(x[5m]))", "<=", 5)),
    ("(sum(rate(e[5m])) / sum(rate(r[5m]))) > 1e-2", Condition("sum(rate(e[5m])) / sum(rate(r[5m]))", ">", 0.01)),
    ("((a + b) > (3))", Condition("a + b", ">", 3)),
    ('x{path=~"/a>1", code!="200"} > 2', Condition('x{path=~"/a>1", code!="200"}', ">", 2)),
    ("x < bool 1", Condition("x", "<", 1)),
    ("x > -1.5", Condition("x", ">", -1.5)),
    ("(a > 1) and on(b) (c < 2)", Condition("a", ">", 1)),
    ("a > 5 unless b", Condition("a", ">", 5)),
    ("a > on(x) group_left b", Condition("a")),
    ("a > 2 * b", Condition("a")),
    ("absent(up)", Condition("absent(up)")),
    ("vector(1)", Condition("vector(1)")),
    ("histogram_quantile(0.99, sum by (le) (rate(h[5m]))) > 0.5", Condition("histogram_quantile(0.99, sum by (le) (rate(h[5m])))", ">", 0.5)),
    ("max_over_time((x > 3)[5m:]) > 1", Condition("max_over_time((x > 3)[5m:])", ">", 1)),
    ("x # more > 2\n > 3", Condition("x # more > 2", ">", 3)),
    ("(a) + (b) > 1", Condition("(a) + (b)", ">", 1)),
])  # fmt: skip
def test_what_is_measured_and_compared(text: str, expected: Condition) -> None:
    assert condition(text) == expected


def test_the_expression_of_a_link() -> None:
    assert of_address("http://p:9090/graph?g0.expr=a+%3E+0.05&g0.tab=1") == "a > 0.05"
    assert of_address("http://p:9090/") == ""
    assert of_address("") == ""
