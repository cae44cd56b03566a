"""Messages and views with every kind of block and element, as a bot would send them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def option(text: str, **more: Any) -> Json:
    return {"text": plain(text), "value": text.lower().replace(" ", "-"), **more}


OPTIONS = [option("Billing"), option("Refund"), option("Account access")]

MARKUP = """*bold* _italic_ ~strike~ `code` :tada: 2*3*4 snake_case_name
> quoted *line*
> and another
• first point
• second point with <https://example.com/a?b=1&amp;c=2|a link>
```
if a &lt; b: return "*not bold*"
```
<@U0SBBOB00> in <#C0ALERTS0> since <!date^1760000000^{date_short} {time}|some time ago>, <!here>"""

RICH: Json = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "text", "text": "Rich ", "style": {"bold": True}},
                {"type": "emoji", "name": "rocket"},
                {"type": "user", "user_id": "U0SBALICE"},
                {"type": "link", "url": "https://example.com", "text": " a link"},
            ],
        },
        {
            "type": "rich_text_list",
            "style": "ordered",
            "elements": [
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]},
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "two"}]},
            ],
        },
        {"type": "rich_text_quote", "elements": [{"type": "text", "text": "a quote"}]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x = 1"}]},
    ],
}

CONFIRM = {
    "title": plain("Are you sure?"),
    "text": mrkdwn("This *cannot* be undone."),
    "confirm": plain("Delete"),
    "deny": plain("Keep"),
    "style": "danger",
}

MESSAGE: list[Json] = [
    {"type": "header", "text": plain("Release 4.2 :rocket:")},
    {"type": "section", "text": mrkdwn(MARKUP)},
    {"type": "section", "fields": [mrkdwn("*Owner*\nAlice"), mrkdwn("*State*\nready")]},
    {"type": "divider"},
    RICH,
    {
        "type": "section",
        "block_id": "pick",
        "text": mrkdwn("Choose a *category*"),
        "accessory": {
            "type": "static_select",
            "action_id": "category",
            "placeholder": plain("Category"),
            "options": OPTIONS,
        },
    },
    {
        "type": "actions",
        "block_id": "strip",
        "elements": [
            {
                "type": "button",
                "text": plain("Approve"),
                "style": "primary",
                "action_id": "approve",
                "value": "1",
            },
            {
                "type": "button",
                "text": plain("Delete"),
                "style": "danger",
                "action_id": "delete",
                "confirm": CONFIRM,
            },
            {"type": "button", "text": plain("Open form"), "action_id": "form"},
            {"type": "overflow", "action_id": "more", "options": [option("Snooze"), option("Archive")]},
            {"type": "datepicker", "action_id": "day", "initial_date": "2026-11-23"},
            {"type": "external_select", "action_id": "owner", "placeholder": plain("Find an owner")},
        ],
    },
    {
        "type": "actions",
        "block_id": "choices",
        "elements": [
            {
                "type": "checkboxes",
                "action_id": "boxes",
                "options": [option("Notify people", description=plain("In the channel")), option("Page")],
            },
            {
                "type": "radio_buttons",
                "action_id": "radio",
                "options": OPTIONS[:2],
                "initial_option": OPTIONS[0],
            },
        ],
    },
    {"type": "context", "elements": [mrkdwn("by <@U0SBALICE>"), plain("a minute ago")]},
]

ATTACHMENTS: list[Json] = [
    {"color": "#ecb22e", "blocks": [{"type": "section", "text": mrkdwn("A *yellow* bar with blocks")}]},
    {
        "color": "danger",
        "pretext": "Older style",
        "title": "Build 17 failed",
        "title_link": "https://example.com/17",
        "text": "Two tests",
        "fields": [
            {"title": "Branch", "value": "main", "short": True},
            {"title": "Took", "value": "3 min", "short": True},
        ],
        "footer": "builder",
    },
]


def entry(block_id: str, label: str, element: Json, **more: Any) -> Json:
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(label),
        "element": {"action_id": "typed", **element},
        **more,
    }


MODAL: Json = {
    "type": "modal",
    "callback_id": "form",
    "title": plain("Open an incident"),
    "submit": plain("Open"),
    "close": plain("Not now"),
    "blocks": [
        {"type": "section", "text": mrkdwn("Tell people *what happened*.")},
        entry(
            "name",
            "Name",
            {"type": "plain_text_input", "placeholder": plain("A few words")},
            hint=plain("Short"),
        ),
        entry("about", "Description", {"type": "plain_text_input", "multiline": True}, optional=True),
        entry("kind", "Kind", {"type": "static_select", "options": OPTIONS}),
        entry("people", "People", {"type": "multi_users_select"}, optional=True),
        entry("when", "When", {"type": "timepicker", "initial_time": "12:30"}),
        entry("flags", "Flags", {"type": "checkboxes", "options": OPTIONS[:2]}, optional=True),
    ],
}

HOME: Json = {
    "type": "home",
    "blocks": [
        {"type": "header", "text": plain("Good morning")},
        {"type": "section", "text": mrkdwn("You have *2* tickets.")},
        {
            "type": "actions",
            "elements": [{"type": "button", "text": plain("Refresh"), "action_id": "refresh"}],
        },
    ],
}
