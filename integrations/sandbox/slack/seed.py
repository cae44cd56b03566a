"""The workspace a newcomer finds."""

from integrations.sandbox.slack.model import Channel, User, UserGroup

TEAM_ID = "T0SANDBOX"
TEAM_NAME = "Sandbox"
TEAM_DOMAIN = "sandbox"
APP_ID = "A0SIGNALB"
BOT_ID = "B0SIGNALB"
BOT_USER = "U0SIGNALB"
BOT_NAME = "signalbox"
ALICE = "U0SBALICE"
BOB = "U0SBBOB00"
CAROL = "U0SBCAROL"
CLIENT_ID = "100.200"
CLIENT_SECRET = "sandbox-client-secret"  # noqa: S105 - as well known as the other tokens here
VERIFICATION_TOKEN = "sandbox-legacy-token"  # noqa: S105 - Slack's deprecated field, never a secret here

SCOPES = (
    "app_mentions:read,channels:history,channels:join,channels:read,chat:write,commands,files:read,"
    "files:write,im:history,im:read,im:write,links:read,links:write,reactions:read,reactions:write,usergroups:read,users:read,users:read.email"
)


def users() -> list[User]:
    return [
        _person(ALICE, "alice", "Alice Admin", "Support lead, administrator", is_admin=True),
        _person(BOB, "bob", "Bob Oncall", "On-call engineer"),
        _person(CAROL, "carol", "Carol Viewer", "Customer success, looks on"),
        User(
            id=BOT_USER,
            name=BOT_NAME,
            real_name="Signalbox",
            email="signalbox@sandbox.invalid",
            title="Signals in, levers out",
            is_bot=True,
        ),
    ]


def user_groups() -> list[UserGroup]:
    return [
        UserGroup(id="S0ADMINS0", handle="admins", name="Admins", users=[ALICE]),
        UserGroup(id="S0ONCALL0", handle="oncall", name="On call", users=[BOB]),
        UserGroup(id="S0SUPPORT", handle="support", name="Support", users=[ALICE]),
    ]


def channels() -> list[Channel]:
    everyone = [ALICE, BOB, CAROL, BOT_USER]
    purposes = {
        ("C0SUPPORT", "support"): "Tickets and their tags",
        ("C0ALERTS0", "alerts"): "One live message per alert group",
        ("C0DIGEST0", "digest"): "The day in numbers",
        ("C0CHURN00", "churn"): "Which customers may leave, and why",
        ("C0GENERAL", "general"): "Everything else",
    }
    public = [
        Channel(id=channel_id, name=name, members=everyone, purpose=purpose)
        for (channel_id, name), purpose in purposes.items()
    ]
    return public + [direct(user) for user in users() if not user.is_bot]


def direct(user: User) -> Channel:
    """A person's direct messages with the bot."""
    return Channel(id="D" + user.id[1:], name=user.name, members=[user.id, BOT_USER], im_user=user.id)


def _person(user_id: str, name: str, real_name: str, title: str, *, is_admin: bool = False) -> User:
    email = f"{name}@sandbox.invalid"
    return User(id=user_id, name=name, real_name=real_name, email=email, title=title, is_admin=is_admin)
