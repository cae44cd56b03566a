"""The pages Churn and Models in a browser: nothing serious for axe in light and dark, and usable on a phone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from bot.console.sign_in import Links
from bot.core.kernel import Kernel
from bot.core.memory import Documents
from plugins.churn_digest import ChurnDigest
from plugins.churn_digest.state import Case, Digest, Outcome, Part, Row
from plugins.churn_digest.trend import Total
from plugins.models import Models
from tests.conftest import free_port, wait_until
from tests.integration.web_kit import web

sys.path.insert(0, str(Path(__file__).parent.parent / "unit"))  # where made-up runs and models are

import churn_models
from churn_samples import scored, write

pytestmark = pytest.mark.browser
PAGES = ["/pages/churn-digest", "/pages/models"]
CUT_OFF = """[...document.querySelectorAll('.wide')].filter(w => w.scrollWidth > w.clientWidth)
    .map(w => w.getAttribute('aria-label'))"""
"""Tables that a reader has to push sideways."""
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


def row(number: int) -> Row:
    return Row(
        customer_id=f"C-{number}", name=f"Nordlicht Energie & Söhne GmbH {number}", owner="ann@example.com",
        change="new", probability=0.7, value_at_risk=8400.0, renewal=date(2026, 9, 1), since=NOW.date(),
        reasons=("logins fell 62% against their 8-week mean", "invoices paid 12 days later than usual"),
    )  # fmt: skip


def fill(kernel: Kernel) -> None:
    """What digests leave behind."""
    kept = Documents(kernel.db, "churn-digest", kernel.clock)
    part = Part(
        number=1, event_id="e", run_id="r", as_of=NOW.date(), threshold=0.5, model_version="3", currency="EUR",
        channel="#churn", posted_at=NOW, rows=tuple(row(n) for n in range(6)), at_risk=6, value_at_risk=50_400,
    )  # fmt: skip
    kept.put("digest:2026-W02", Digest(week="2026-W02", parts=(part,)).model_dump(mode="json"))
    for number, kind in enumerate(("saved", "churned", "false_alarm")):
        case = Case(
            customer_id=f"C-{number}", name=f"Customer {number}", since=NOW.date(), flagged_at=NOW, run_id="r",
            shown_at=NOW, probability=0.7, outcome=Outcome.model_validate({"kind": kind, "by": "U1", "at": NOW}),
        )  # fmt: skip
        kept.put(f"case:C-{number}", case.model_dump(mode="json"))
    for week in range(8):
        day = NOW.date() - timedelta(weeks=week)
        total = Total(
            run_id=f"r{week}", as_of=day, at_risk=6 + week, value_at_risk=9000.0 * week, currency="EUR"
        )
        kept.put(f"run:{week}", total.model_dump(mode="json"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Kernel]]:
    home: Path = tmp_path_factory.mktemp("churn-console")
    write(home, [scored(number) for number in range(6)])
    churn_models.ready(home / "churn")
    plugins = ChurnDigest(ChurnDigest.Config()), Models(Models.Config())
    with web(f"sqlite:///{home / 'c.db'}", *plugins, data_dir=home) as running:
        fill(running.kernel)
        port = free_port()
        server = uvicorn.Server(uvicorn.Config(running.app, port=port, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_until(lambda: server.started, what="the web process")
        yield f"http://127.0.0.1:{port}", running.kernel
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_the_pages_are_fit_for_everybody(
    browser: Browser, site: tuple[str, Kernel], scheme: str, width: int
) -> None:
    url, kernel = site
    page = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(15_000)
    page.goto(f"{url}/sign-in?code={Links(kernel.db).make()}")
    for path in PAGES:
        page.goto(url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert page.evaluate(CUT_OFF) == [], path
        found = Axe().run(page).response["violations"]
        assert [v["id"] for v in found if v["impact"] in {"serious", "critical"}] == [], path
        for chart in page.locator("img.chart").all():
            chart.scroll_into_view_if_needed()
            wait_until(
                lambda drawn=chart: drawn.evaluate("image => image.naturalWidth > 0"), what="the chart"
            )
    page.context.close()
