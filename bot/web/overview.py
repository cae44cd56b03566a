"""The overview page: is it well, and what happened lately. Rendered here, no script, no secrets."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates

from bot.core.kernel import Kernel

_TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
STATIC = Path(__file__).parent / "static"


def overview_router(kernel: Kernel) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    # In production this door is open to the senders of webhooks: ticket keys and errors stay behind the API.
    open_to_all = kernel.settings.environment == "embedded"

    @router.get("/")
    def overview(request: Request) -> Response:
        shown = {
            "counts": kernel.inbox.counts(),
            "plugins": kernel.registry.report if open_to_all else (),
            "runs": kernel.inbox.runs(limit=30) if open_to_all else (),
            "open_to_all": open_to_all,
            "sandbox": kernel.settings.web.sandbox_url,
        }
        return _TEMPLATES.TemplateResponse(request, "overview.html", shown)

    return router
