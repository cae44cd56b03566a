"""The shop: it counts requests and errors, breaks when told, and heals when it is asked to with a signature.

GET /metrics · POST /fault, DELETE /fault: the switch · POST /restart: heals, signed as the executor `http`
does it · GET /runs/KEY: what became of a restart.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVICE = "checkout"
_REQUESTS_A_SECOND = 20
_ERRORS = {"well": 0.01, "broken": 0.4}
_FRESH_SECONDS = 300


class Shop:
    """`restarts` counts what took effect: a repeated key restarts nothing."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._lock = threading.Lock()
        self._requests = self._errors = 0.0
        self._runs: set[str] = set()
        self.state = "well"
        self.restarts = 0

    def serve_customers(self, seconds: float) -> None:
        with self._lock:
            self._requests += _REQUESTS_A_SECOND * seconds
            self._errors += _REQUESTS_A_SECOND * seconds * _ERRORS[self.state]

    def metrics(self) -> str:
        with self._lock:
            values = {
                "shop_requests_total": ("counter", self._requests),
                "shop_errors_total": ("counter", self._errors),
                "shop_restarts_total": ("counter", float(self.restarts)),
            }
        return "".join(
            f'# TYPE {name} {kind}\n{name}{{service="{SERVICE}"}} {value}\n'
            for name, (kind, value) in values.items()
        )

    def restart(self, key: str) -> None:
        with self._lock:
            if key not in self._runs:
                self._runs.add(key)
                self.restarts += 1
                self.state = "well"

    def knows(self, key: str) -> bool:
        with self._lock:
            return key in self._runs

    def is_signed(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bool:
        stamp = headers.get("X-Signalbox-Timestamp", "")
        if not stamp.isdecimal() or abs(time.time() - int(stamp)) > _FRESH_SECONDS:
            return False
        signed = f"v1:{stamp}:{method}:{target}:".encode() + body
        expected = "v1=" + hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, headers.get("X-Signalbox-Signature", ""))


class _Handler(BaseHTTPRequestHandler):
    shop: Shop

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._answer(HTTPStatus.OK, self.shop.metrics(), "text/plain; version=0.0.4")
        elif self.path.startswith("/runs/"):
            known = self.shop.knows(self.path.removeprefix("/runs/"))
            self._answer(HTTPStatus.OK, json.dumps({"state": "done" if known else "absent"}))
        else:
            self._answer(HTTPStatus.OK, json.dumps({"state": self.shop.state}))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/fault":
            self.shop.state = "broken"
            self._answer(HTTPStatus.OK, "{}")
        elif not self.shop.is_signed("POST", self.path, dict(self.headers.items()), body):
            self._answer(HTTPStatus.UNAUTHORIZED, json.dumps({"error": "the signature is missing or wrong"}))
        else:
            self.shop.restart(self.headers.get("Idempotency-Key", ""))
            self._answer(HTTPStatus.OK, json.dumps({"said": f"{SERVICE} was restarted"}))

    def do_DELETE(self) -> None:
        self.shop.state = "well"
        self._answer(HTTPStatus.OK, "{}")

    def _answer(self, status: HTTPStatus, text: str, kind: str = "application/json") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nobody reads a demonstration's access log."""


def serve(port: int, secret: str) -> None:
    """Until the process is ended."""
    shop = Shop(secret)
    handler = type("Handler", (_Handler,), {"shop": shop})
    threading.Thread(target=_open_for_business, args=(shop,), daemon=True).start()
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.serve_forever()


def _open_for_business(shop: Shop, pause: float = 0.2) -> None:
    before = time.monotonic()
    while True:
        time.sleep(pause)
        now = time.monotonic()
        shop.serve_customers(now - before)
        before = now


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    serve(parser.parse_args().port, sys.stdin.readline().strip())
