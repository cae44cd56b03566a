"""The whole chain on real programs: a fault, Prometheus, Alertmanager, two people, an executor, a verdict."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.conftest import free_port, wait_until
from tests.e2e.product import ALICE, BOB, CAROL, Product, as_text

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
ALERTS = "C0ALERTS0"
TOKEN = "a token that only Alertmanager knows"
PROGRAMS = ("prometheus", "prometheus-alertmanager")


class Shop:
    """Two small services that can fail, and what one may ask of them: only some of it heals."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        """Paths, each with its key."""
        self.answers_after = 0.0
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, "".join(map(shop.ratio, ("checkout", "search"))))
                else:
                    known = any(key == self.path.removeprefix("/runs/") for _, key in shop.asked)
                    self._answer(200, '{"state": "done"}' if known else '{"state": "absent"}')

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                signed = self.headers["X-Signalbox-Signature"].startswith("v1=")
                shop.asked.append((self.path, self.headers["Idempotency-Key"]))
                verb, service = self.path[1:].split("/")
                if verb == "heal":
                    shop.failing.discard(service)
                    time.sleep(shop.answers_after)
                self._answer(200 if signed else 401, "done")

            def _answer(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def heals(self) -> int:
        """Of checkout."""
        return sum(path == "/heal/checkout" for path, _ in self.asked)

    def ratio(self, service: str) -> str:
        return f'shop_errors_ratio{{service="{service}"}} {0.4 if service in self.failing else 0.0}\n'

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"


PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{folder}/rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ['{shop}']}}]}}]
"""
RULES = """
groups:
- name: shop
  rules:
  - alert: HighErrorRate
    expr: shop_errors_ratio{service="checkout"} > 0.1
    for: 1s
    labels: {severity: critical}
    annotations: {summary: "Orders of {{ $labels.service }} fail"}
  - alert: SearchFails
    expr: shop_errors_ratio{service="search"} > 0.1
    for: 1s
    labels: {severity: critical}
"""
ALERTMANAGER = """
route: {{receiver: chat, group_by: [alertname, service], group_wait: 1s, group_interval: 2s}}
receivers:
- name: chat
  webhook_configs:
  - url: {url}/webhooks/alertmanager
    http_config: {{authorization: {{credentials: "{token}"}}}}
"""
SETTINGS = """
[executors.http]
hosts = ["{shop}"]
secret = "the key that requests are signed with"

[[mitigations]]
name = "heal"
title = "Heal checkout"
limits = {{ cooldown = 0 }}
match = {{ alertname = "HighErrorRate" }}
executor = "http"
approvals = 1
[mitigations.parameters]
url = "http://{shop}/heal/{{{{ labels.service }}}}"
status_url = "http://{shop}/runs/{{key}}"
target = "service/{{{{ labels.service }}}}"
[mitigations.verify]
query = 'shop_errors_ratio{{service="{{{{ labels.service }}}}"}}'
threshold = 0.05
settle = 1
window = 60
hold = 3
step = 1

{roll_back}
{restart}
[roles.oncall]
members = ["{alice}", "{bob}"]
permissions = ["alerts.*", "mitigation.*"]
"""

BY_ITSELF = """
[[mitigations]]
name = "{name}"
title = "{title}"
match = {{ alertname = "SearchFails" }}
{follows}
executor = "http"
[mitigations.parameters]
url = "http://{shop}/{path}/search"
{undo}
status_url = "http://{shop}/runs/{{key}}"
target = "service/search"
[mitigations.verify]
query = 'shop_errors_ratio{{service="search"}}'
threshold = 0.05
settle = 1
window = {window}
hold = 3
step = 1
[mitigations.auto]
after = 0
hours = {always}
"""

ALWAYS = '{ days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], start = "00:00:00", end = "23:59:59.999999" }'


def by_itself(
    name: str, title: str, path: str, shop: Shop, *, window: int, follows: str = "", undo: str = ""
) -> str:
    """A mitigation of search that nobody has to press."""
    return BY_ITSELF.format(
        name=name, title=title, path=path, shop=shop.address, window=window, follows=follows, undo=undo,
        always=ALWAYS,
    )  # fmt: skip


def start(folder: Path, *argv: str) -> subprocess.Popen[bytes]:
    log = (folder / f"{Path(argv[0]).name}.log").open("wb")
    return subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, cwd=folder)


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/-/ready", timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Product, Shop]]:
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"{missing[0]} is not installed; `apt-get install {' '.join(PROGRAMS)}` to run this.")
    folder, shop = tmp_path_factory.mktemp("chain"), Shop()
    ports = {"prometheus": free_port(), "alertmanager": free_port()}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    (folder / "signalbox.toml").write_text(
        SETTINGS.format(
            shop=shop.address,
            alice=ALICE,
            bob=BOB,
            roll_back=by_itself(
                "roll-back",
                "Roll back search",
                "roll-back",
                shop,
                window=5,
                undo=f'undo = {{ url = "http://{shop.address}/roll-forward/search" }}',
            ),
            restart=by_itself(
                "restart", "Restart search", "heal", shop, window=60, follows='follows = "roll-back"'
            ),
        )
    )
    product = Product(
        folder / "data",
        SIGNALBOX_CONFIG=str(folder / "signalbox.toml"),
        ALERTMANAGER_URL=urls["alertmanager"],
        PROMETHEUS_URL=urls["prometheus"],
        SIGNALBOX_ALERTMANAGER__TOKEN=TOKEN,
        SIGNALBOX_WORKERS__SOFT_TIME_LIMIT="10",
        SIGNALBOX_WORKERS__HARD_TIME_LIMIT="12",
        SIGNALBOX_WORKERS__LEASE_SECONDS="15",  # how long a dead worker's work waits for another one
    )
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text(
        PROMETHEUS.format(folder=folder, shop=shop.address, alertmanager=ports["alertmanager"])
    )
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(url=product.url, token=TOKEN))
    started = [
        start(
            folder, "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alertmanager",
            f"--web.listen-address=127.0.0.1:{ports['alertmanager']}", "--cluster.listen-address=",
        ),
        start(
            folder, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=prometheus",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        ),
    ]  # fmt: skip
    try:
        product.start()
        for name, url in urls.items():
            wait_until(lambda url=url: is_ready(url), 30, name)
        yield product, shop
        product.stop()
    finally:
        for process in started:
            process.terminate()
            process.wait(20)
        shop.server.shutdown()


def message(product: Product, name: str = "HighErrorRate") -> dict[str, Any] | None:
    found = [m for m in product.top_level(ALERTS) if name in as_text(m)]
    return found[-1] if found else None


def says(product: Product, words: str, name: str = "HighErrorRate") -> bool:
    found = message(product, name)
    return found is not None and words in as_text(found)


def opened(product: Product, user: str) -> dict[str, Any] | None:
    views = product.page("GET", f"slack/state?user={user}&limit=10")["views"]
    return views[-1] if views else None


def press(product: Product, user: str, label: str) -> None:
    found = message(product)
    assert found is not None
    product.click(user, ALERTS, found, label)


def burn(product: Product, shop: Shop) -> None:
    """Switch the fault on, and wait until the message offers its mitigation."""
    shop.failing.add("checkout")
    wait_until(lambda: says(product, "1 firing") and says(product, "Heal checkout"), 60, "the alert")
    wait_until(product.idle, 60, "an empty inbox")


def statuses(product: Product, name: str = "heal") -> list[str]:
    """Of `signalbox mitigations runs`: what runs became, the newest first."""
    told = product.cli("mitigations", "runs", "--limit", "100")
    assert told.returncode == 0, told.stderr
    return [
        line.split(": ", 1)[1].split(" ")[0] for line in told.stdout.splitlines() if f" {name} on " in line
    ]


def test_from_a_fault_to_a_verified_recovery(chain: tuple[Product, Shop]) -> None:
    """One service is healed by two people, the other one meanwhile by what is tried in turn."""
    product, shop = chain
    for name in ("roll-back", "restart"):
        product.say(ALICE, f"/signalbox mitigations auto {name} on", ALERTS)
    shop.failing.add("search")
    burn(product, shop)
    healed = shop.heals

    press(product, CAROL, "Heal checkout")
    wait_until(lambda: any("it needs the permission" in a for a in product.answers(CAROL, ALERTS)), 20, "no")

    press(product, ALICE, "Heal checkout")
    view = wait_until(lambda: opened(product, ALICE), 20, "the dialog")
    assert "service/checkout" in str(view)
    assert "now 0.4" in str(view)
    product.page("POST", "slack/submit", user=ALICE, view_id=view["id"], values={})
    wait_until(lambda: says(product, "another person"), 20, "the question to a second person")
    assert shop.heals == healed

    press(product, ALICE, "Approve")
    wait_until(
        lambda: any("somebody else has to agree" in a for a in product.answers(ALICE, ALERTS)), 20, "no"
    )
    assert shop.heals == healed
    wait_until(product.idle, 20, "an empty inbox")

    press(product, BOB, "Approve")
    wait_until(lambda: shop.heals > healed, 20, "the executor")
    wait_until(lambda: statuses(product)[0] == "succeeded", 90, "the verdict")
    wait_until(lambda: says(product, "heal on service/checkout worked"), 20, "the verdict in the chat")
    assert says(product, "0.4 before, 0 now")
    wait_until(lambda: says(product, "resolved after"), 60, "the end of the alert")
    wait_until(product.idle, 30, "an empty inbox")

    assert shop.heals == healed + 1
    assert statuses(product)[:5] == ["succeeded", "verifying", "running", "approved", "requested"]
    assert product.cli("audit", "verify").returncode == 0

    what_did_not_help_was_undone_and_the_next_one_healed(product, shop)


def what_did_not_help_was_undone_and_the_next_one_healed(product: Product, shop: Shop) -> None:
    wait_until(lambda: "search" not in shop.failing, 60, "the second one in turn")
    assert [path for path, _ in shop.asked if path.endswith("search")] == [
        "/roll-back/search",
        "/roll-forward/search",
        "/heal/search",
    ]
    wait_until(lambda: statuses(product, "restart")[0] == "succeeded", 60, "its verdict")
    wait_until(lambda: says(product, "resolved after", "SearchFails"), 60, "the end of the alert")
    assert statuses(product, "roll-back") == [
        "rolled_back", "failed", "verifying", "running", "approved", "requested",
    ]  # fmt: skip
    shown = message(product, "SearchFails")
    assert shown is not None
    said = [as_text(m) for m in product.messages(ALERTS) if m.get("thread_ts") == shown["ts"]]
    assert any("at the end of the window" in line for line in said), said
    assert any("Next in turn: 'Restart search'" in line for line in said), said
    assert any("'Roll back search' did not help" in line for line in said), said


def test_the_kill_switch_of_the_command_line_is_seen_in_the_chat(chain: tuple[Product, Shop]) -> None:
    product, shop = chain
    burn(product, shop)
    healed = shop.heals
    assert "switch: stop" in product.cli("mitigations", "stop", "we look").stdout
    press(product, ALICE, "Heal checkout")
    wait_until(
        lambda: any("Mitigations are stopped" in a for a in product.answers(ALICE, ALERTS)), 20, "the refusal"
    )
    assert shop.heals == healed
    assert "switch: run" in product.cli("mitigations", "resume").stdout


def test_a_worker_killed_while_it_acts_leaves_one_action_and_a_verdict(chain: tuple[Product, Shop]) -> None:
    product, shop = chain
    burn(product, shop)
    healed, shop.answers_after = shop.heals, 3.0
    press(product, BOB, "Heal checkout")
    view = wait_until(lambda: opened(product, BOB), 20, "the dialog")
    product.page("POST", "slack/submit", user=BOB, view_id=view["id"], values={})
    wait_until(lambda: says(product, "Approve"), 20, "the question to a second person")
    press(product, ALICE, "Approve")
    wait_until(lambda: shop.heals > healed, 20, "the executor")
    killed = product.find("celery", "worker", "io")
    assert killed
    for worker in killed:
        worker.kill()
    shop.answers_after = 0.0
    wait_until(lambda: statuses(product)[0] == "succeeded", 120, "the verdict")
    assert shop.heals == healed + 1
