"""The page to try the API at. Its scripts come from here: others' could use the console as you may."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from bot.core.errors import ConfigError

PATH = "/docs"
_FILES = "/docs-files"
_PACKAGE = "fastapi_offline"
_PAGE = f"""<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>API · Signalbox</title>
  <meta name="viewport" content="width=device-width,initial-scale=1">
  <link rel="icon" href="/static/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="{_FILES}/swagger-ui.css">
</head>
<body>
  <main id="swagger-ui"></main>
  <script src="{_FILES}/swagger-ui-bundle.js"></script>
  <script src="/static/openapi.js"></script>
</body>
</html>
"""


def add_openapi_page(app: FastAPI) -> None:
    """Swagger UI, as a package of the registry holds it; the package itself is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            "The page /docs needs the package fastapi-offline. Run: pip install fastapi-offline"
        )
    files = Path(spec.submodule_search_locations[0]) / "static"
    app.mount(_FILES, StaticFiles(directory=files))

    @app.get(PATH, include_in_schema=False)
    def page() -> HTMLResponse:
        return HTMLResponse(_PAGE)
