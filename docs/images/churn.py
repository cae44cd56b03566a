"""Takes the picture of the churn digest anew: `python docs/images/churn.py`, with Chromium on the path.

Simulated accounts, two weekly runs; the digest is due every minute here.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "tests" / "browser")]

from conftest import chromium_path  # noqa: E402 - the repository has to be on the path first
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from ml.churn import runs  # noqa: E402
from ml.churn.runs import Reason, Run, Scored  # noqa: E402
from tests.e2e.product import ALICE, BOB, Product  # noqa: E402

WAIT_MS = 120_000
WIDE = {"width": 1760, "height": 1000}
ACCOUNTS = (
    (
        "Brightwater Foods",
        2400,
        0.71,
        "logins fell 62% against their 8-week mean",
        "3 open tickets, usually 0",
    ),
    ("Nordlicht Energie", 1900, 0.64, "9 of 30 seats are used", "the last invoice is 21 days late"),
    ("Harbour & Sons", 1450, 0.58, "reports fell from 41 to 6 a week", "no admin signed in for 23 days"),
    ("Kestrel Analytics", 900, 0.55, "tickets take 4 days, their mean is 1", "6 of 40 seats are used"),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        today = datetime.now(UTC).date()
        for week in range(8, -1, -1):
            leave_run(data, today - timedelta(weeks=week), week)
        product = Product(data, SIGNALBOX_CONFIG=str(settings(Path(folder))))
        try:
            take(product.start())
        finally:
            product.stop()


def settings(folder: Path) -> Path:
    path = folder / "signalbox.toml"
    path.write_text(
        '[plugins.churn-digest]\ncron = "* * * * *"\nticket_project = "SUP"\n'
        f'owners = {{ "alice@example.com" = "{ALICE}", "bob@example.com" = "{BOB}" }}\n'
    )
    return path


def leave_run(data: Path, as_of: date, ago: int) -> None:
    scores = [score(number, as_of, ago) for number in range(len(ACCOUNTS))]
    run = Run(
        run_id=f"{as_of}-{ago:08x}", as_of=as_of, created_at=datetime.now(UTC) - timedelta(weeks=ago),
        engine="local", model_version="3", model_digest="5f" * 32, data_hash="a7" * 32, base_rate=0.14,
        threshold=0.5, currency="EUR", customers=len(scores), quality="passed",
    )  # fmt: skip
    runs.write(data / "churn", run, scores)


def score(number: int, as_of: date, ago: int) -> Scored:
    name, monthly, probability, *reasons = ACCOUNTS[number]
    now = max(0.1, probability - 0.03 * ago * (1 + number % 2))
    return Scored(
        customer_id=f"C-{1001 + number}", name=name, segment="mid-market",
        owner=("alice@example.com", "bob@example.com")[number % 2], probability=now, band="high",
        monthly_value=monthly, remaining_months=11 - number, value_at_risk=now * monthly * (11 - number),
        renewal=as_of + timedelta(days=35 + 60 * number),
        reasons=tuple(
            Reason(feature=f"f{place}", text=text, direction="raises", impact=0.4)
            for place, text in enumerate(reasons)
        ),
    )  # fmt: skip


def take(product: Product) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        page = browser.new_page(viewport=WIDE, color_scheme="light")
        page.goto(product.sandbox)
        show(page, "churn")
        digest = page.locator(".conversation .message", has_text="Brightwater").first
        digest.wait_for(timeout=WAIT_MS)
        digest.locator("button", has_text="3 replies").click(timeout=WAIT_MS)
        trend = page.get_by_role("img", name="Value at risk")
        trend.wait_for(timeout=WAIT_MS)
        trend.evaluate("image => image.decode().then(() => image.scrollIntoView({block: 'end'}))")
        digest.evaluate("message => message.scrollIntoView({block: 'start'})")
        page.mouse.move(0, 0)
        page.screenshot(path=HERE / "churn-digest.png")
        browser.close()


def show(page: Page, channel: str) -> None:
    page.locator(".sidebar").get_by_role("button", name=channel).click()


if __name__ == "__main__":
    main()
