"""The workspace a newcomer finds, and a second one that the app can be installed in."""

from integrations.sandbox.slack.model import HOME_ID, Channel, Team, User, UserGroup

APP_ID = "A0SIGNALB"
HOME = Team(id=HOME_ID, name="Sandbox", domain="sandbox", bot_user="U0SIGNALB", bot_id="B0SIGNALB")
BRANCH = Team(id="T0BRANCH0", name="Branch", domain="branch", bot_user="U0BRSIGNL", bot_id="B0BRSIGNL")
TEAMS = {team.id: team for team in (HOME, BRANCH)}
BOT_NAME = "signalbox"
ALICE = "U0SBALICE"
BOB = "U0SBBOB00"
CAROL = "U0SBCAROL"
DORA = "U0BRDORA0"
EMIL = "U0BREMIL0"
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
        _bot(HOME),
    ]


def _bot(team: Team) -> User:
    return User(
        id=team.bot_user,
        team=team.id,
        name=BOT_NAME,
        real_name="Signalbox",
        email=f"signalbox@{team.domain}.invalid",
        title="Signals in, levers out",
        is_bot=True,
    )


def user_groups() -> list[UserGroup]:
    return [
        UserGroup(id="S0ADMINS0", handle="admins", name="Admins", users=[ALICE]),
        UserGroup(id="S0ONCALL0", handle="oncall", name="On call", users=[BOB]),
        UserGroup(id="S0SUPPORT", handle="support", name="Support", users=[ALICE]),
    ]


def channels() -> list[Channel]:
    everyone = [ALICE, BOB, CAROL, HOME.bot_user]
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
    members = [user.id, TEAMS[user.team].bot_user]
    return Channel(id="D" + user.id[1:], team=user.team, name=user.name, members=members, im_user=user.id)


def branch_users() -> list[User]:
    """Its user group has a handle that the home workspace has too, with somebody else in it."""
    people = [
        _person(DORA, "dora", "Dora Branch", "Runs the branch", is_admin=True),
        _person(EMIL, "emil", "Emil Branch", "On call there"),
    ]
    return [*(one.model_copy(update={"team": BRANCH.id}) for one in people), _bot(BRANCH)]


def branch_groups() -> list[UserGroup]:
    return [UserGroup(id="S0BRONCAL", team=BRANCH.id, handle="oncall", name="On call", users=[EMIL])]


def branch_channels() -> list[Channel]:
    everyone = [DORA, EMIL, BRANCH.bot_user]
    named = {"C0BRGENER": "general", "C0BRSUPPO": "support"}
    return [
        *(Channel(id=key, team=BRANCH.id, name=name, members=everyone) for key, name in named.items()),
        *(direct(user) for user in branch_users() if not user.is_bot),
    ]


def _person(user_id: str, name: str, real_name: str, title: str, *, is_admin: bool = False) -> User:
    email = f"{name}@sandbox.invalid"
    return User(id=user_id, name=name, real_name=real_name, email=email, title=title, is_admin=is_admin)
