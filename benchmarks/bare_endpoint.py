"""What intake is held against: FastAPI, the same signature verified, nothing stored.

`python -m benchmarks.bare_endpoint PORT`, with the server settings of `signalbox web`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys

import uvicorn
from fastapi import FastAPI, Request, Response

from benchmarks.deliveries import GENERIC_PATH, SECRET
from bot.web.server import SERVER

app = FastAPI()


@app.post(GENERIC_PATH, status_code=202)
async def receive(request: Request) -> Response:
    body = await request.body()
    expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-signature-256", "")):
        return Response(status_code=401)
    json.loads(body)
    return Response('{"duplicate":false}', 202, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), **SERVER)
