"""Short words to a person whose click or shortcut was not taken.

Slack shows no text in the acknowledgement of these, so they go to their response URL, after the
acknowledgement and without holding it up.
"""

from __future__ import annotations

import asyncio

import aiohttp
import structlog
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.slack.urls import is_slack_url

log = structlog.get_logger()
TIMEOUT_SECONDS = 10


class Notices:
    """Use from one event loop."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        self._under_way: set[asyncio.Task[None]] = set()

    def send(self, response_url: str, text: str) -> None:
        if not is_slack_url(response_url, self._api_url):
            log.warning("notice.not_sent", error="The payload has no response URL of Slack's.")
            return
        task = asyncio.create_task(_send(response_url, text))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._under_way)


async def _send(url: str, text: str) -> None:
    client = AsyncWebhookClient(url, timeout=TIMEOUT_SECONDS, retry_handlers=[])
    try:
        answer = await client.send(text=text, response_type="ephemeral", replace_original=False)
    except (aiohttp.ClientError, SlackClientError, OSError, TimeoutError) as exc:
        log.warning("notice.not_sent", error=type(exc).__name__)
        return
    if answer.status_code != 200:
        log.warning("notice.not_sent", error=f"Slack answered {answer.status_code}.")
