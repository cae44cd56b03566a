"""The overview page: is it well, and what happened lately. Rendered here, no script, no secrets."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from bot.core.inbox import RunView
from bot.core.kernel import Kernel

_CSS = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin-top:2rem}
.figures{display:flex;gap:1rem;flex-wrap:wrap;padding:0;list-style:none}
.figures li{border:1px solid var(--line);border-radius:.6rem;padding:.6rem 1rem;min-width:7rem}
.figures b{display:block;font-size:1.6rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--soft);vertical-align:top}
.dead{color:#c4314b;font-weight:600}.done{color:#1a7f4b}
code{font-size:.85em}.wide{overflow-x:auto}
"""


def overview_router(kernel: Kernel) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def overview() -> HTMLResponse:
        return HTMLResponse(_page(kernel))

    @router.get("/overview.css")
    def css() -> Response:
        return Response(_CSS, media_type="text/css")

    return router


def _page(kernel: Kernel) -> str:
    figures = "".join(
        f"<li><b>{count}</b>{escape(status)}</li>" for status, count in kernel.inbox.counts().items()
    )
    plugins = "".join(
        f"<tr><td>{escape(s.name)}</td><td>{escape(s.status)}</td><td>{escape(s.detail or s.version)}</td></tr>"
        for s in kernel.registry.report
    )
    rows = "".join(_row(view) for view in kernel.inbox.runs(limit=30))
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Signalbox</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="stylesheet" href="/overview.css">
</head><body><h1>Signalbox</h1><p>Signals in, levers out. <a href="/docs">API</a> · <a href="/metrics">metrics</a> ·
<a href="/api/health">health</a></p><ul class="figures">{figures}</ul>
<h2>Plugins</h2><table><thead><tr><th>name</th><th>status</th><th></th></tr></thead><tbody>{plugins}</tbody></table>
<h2>Latest events</h2><div class="wide"><table><thead><tr><th>received (UTC)</th><th>event</th><th>handler</th>
<th>status</th><th>trace</th></tr></thead><tbody>{rows}</tbody></table></div></body></html>"""


def _row(view: RunView) -> str:
    error = f"<br>{escape(view.error[:200])}" if view.error and view.status != "done" else ""
    return (
        f"<tr><td>{view.received_at:%Y-%m-%d %H:%M:%S}</td><td>{escape(view.kind)} {escape(view.subject[:60])}</td>"
        f"<td>{escape(view.handler)}</td><td><span class='{view.status}'>{view.status}</span>{error}</td>"
        f"<td><code>{escape(view.event_id)}</code></td></tr>"
    )
