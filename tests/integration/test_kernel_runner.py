"""Runs, steps and clicks through the real kernel with a toy plugin and a chat that records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import StatementError

from bot.core.database import Database
from bot.core.errors import Permanent, Refused, Throttled, Transient
from bot.core.events import Click, Command, Hook, NewEvent, Payload, ReplyTo, User
from bot.core.integration import Integration, Services
from bot.core.kernel import Kernel
from bot.core.messages import Actions, Button, Message, MessageRef, Note
from bot.core.ports import Health, idempotent
from bot.core.registry import Registry
from bot.core.runner import Runner
from bot.core.settings import Role, Settings
from bot.plugin import Context, Plugin, action, command, on

pytestmark = pytest.mark.integration
ANN, BOB = User(id="U1", name="ann"), User(id="U2", name="bob")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class WorkerKilledError(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


class Chat:
    def __init__(self, services: Services) -> None:
        self.services = services
        self.posts: list[tuple[str, Message]] = []
        self.replies: list[Message] = []
        self.shown: list[Message] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def post(self, *, channel: str, message: Message, step_key: str) -> MessageRef:
        self.before()
        self.posts.append((step_key, message))
        self.services.messages.want("m", channel, message)
        self.services.messages.sent("m", channel, "1.0", "h", self.services.clock())
        self.after()
        return MessageRef(channel=channel, ts="1.0")

    def reconcile_post(self, *, channel: str, message: Message, step_key: str) -> MessageRef | None:
        return MessageRef(channel=channel, ts="1.0") if any(k == step_key for k, _ in self.posts) else None

    def unknowable(self, *, text: str) -> str:
        self.before()
        return text

    @idempotent
    def reply(self, *, to: ReplyTo, message: Message, step_key: str, public: bool = False) -> None:
        self.replies.append(message)

    @idempotent
    def refresh(self, *, ref: MessageRef, step_key: str) -> None:
        stored = self.services.messages.by_ref(ref.channel, ref.ts)
        assert stored is not None
        self.shown.append(self.services.present(stored.wanted))

    def groups_of(self, user_id: str) -> frozenset[str]:
        return frozenset({"oncall"}) if user_id == BOB.id else frozenset()

    def health(self) -> Health:
        return Health()


class Source:
    name = "test"
    max_body = 1000

    def parse(self, kind: str, body: bytes) -> Payload:
        models: dict[str, type[Payload]] = {
            "slack.command": Command,
            "slack.action": Click,
            "test.event": Hook,
        }
        return models[kind].model_validate_json(body)


class Toy(Plugin):
    name = "toy"
    fault: Callable[[], None] = staticmethod(lambda: None)
    calls: list[str] = []  # noqa: RUF012  # cleared by the fixture

    @on("test.event")
    def event(self, hook: Hook, ctx: Context) -> None:
        ref = ctx.step("post", ctx.chat.post, channel="C", message=strip())
        assert ref.ts == "1.0"
        type(self).fault()
        self.calls.append(hook.name)

    @on("test.blind")
    def blind(self, hook: Hook, ctx: Context) -> None:
        ctx.step("blind", ctx.chat.unknowable, text="x")  # type: ignore[attr-defined]

    @command("hi", help="Say hi.")
    def hi(self, cmd: Command, ctx: Context) -> None:
        ctx.reply(f"hi {cmd.text}")

    @command("drop", help="Drop it.", permission="toy.drop")
    def drop(self, cmd: Command, ctx: Context) -> None:
        ctx.reply("dropped")

    @action("press", permission="toy.press")
    def press(self, click: Click, ctx: Context) -> str:
        type(self).fault()
        self.calls.append(f"pressed {click.args['what']}")
        return "it worked"


def strip() -> Message:
    press = Button(text="Press", action="press", args={"what": "it"}, group="g")
    return Message(text="hello", blocks=(Actions(elements=(press,)),))


class World:
    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.woken: list[Any] = []
        db = Database(url)
        db.migrate()
        registry = Registry()
        registry.add(Toy(Toy.Config()))
        roles = {"oncall": Role(members=("@oncall",), permissions=("toy.*",))}
        settings = Settings(secret_key="k" * 32, roles=roles)
        self.chat: Chat

        def connect(services: Services) -> Integration:
            self.chat = Chat(services)
            return Integration("test", (Source(),), "chat", lambda: self.chat)  # type: ignore[arg-type]

        self.kernel = Kernel(settings, db, registry, [connect], enqueue=self.woken.extend, clock=self.clock)
        self.runner = Runner(self.kernel, "w1")

    def put(self, kind: str, payload: Payload, handler: str, actor: str = "") -> str:
        new = NewEvent(
            "test", kind, "s", payload.model_dump_json().encode(), runs=((handler, "io"),), actor=actor
        )
        self.kernel.inbox.put(new)
        return new.run_ids()[0][0]

    def event(self) -> str:
        return self.put("test.event", Hook(name="n"), "toy.event")

    def click(self, user: User) -> str:
        [button] = self.chat.posts[-1][1].pressables()
        to = ReplyTo(channel="C", user=user.id)
        click = Click(button_id=button.id, action="press", user=user, reply_to=to, message_ts="1.0")
        return self.put("slack.action", click, "toy.press", user.id)

    def later(self, seconds: float = 700) -> None:
        """The sweeper looks before and after."""
        self.kernel.inbox.due()
        self.clock.now += timedelta(seconds=seconds)
        self.kernel.inbox.due()


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    Toy.fault = staticmethod(lambda: None)
    Toy.calls.clear()
    made = World(database_url)
    yield made
    made.kernel.close()


def failing(*errors: BaseException) -> Callable[[], None]:
    queue = list(errors)

    def fault() -> None:
        if queue:
            raise queue.pop(0)

    return fault


def test_a_retry_replays_recorded_steps_and_repeats_no_effect(world: World) -> None:
    Toy.fault = staticmethod(failing(Transient("Jira is away.")))
    run = world.event()
    assert world.runner.run(run).outcome == "retried"
    world.later()
    assert world.runner.run(run).outcome == "done"
    assert len(world.chat.posts) == 1
    assert Toy.calls == ["n"]


class Overdue(Exception):
    """As a worker interrupts a handler."""


def wrapped() -> Exception:
    """As it arrives when it comes in the middle of a query."""
    return StatementError("Overdue()", "SELECT 1", {}, Overdue())


@pytest.mark.parametrize("made", [Overdue, wrapped])
def test_a_handler_that_takes_too_long_goes_on_later(world: World, made: Callable[[], Exception]) -> None:
    runner = Runner(world.kernel, "w1", overdue=(Overdue,))
    Toy.fault = staticmethod(failing(*[made()] * 4))
    run = world.event()
    for _ in range(4):
        found = runner.run(run)
        assert found.outcome == "retried"
        assert "toy.event was interrupted after 60 s (workers.soft_time_limit)" in found.error
        world.later()
    assert runner.run(run).outcome == "done"
    assert len(world.chat.posts) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_around_a_call_doubles_nothing_and_loses_nothing(world: World, moment: str) -> None:
    setattr(world.chat, moment, failing(WorkerKilledError()))
    run = world.event()
    with pytest.raises(WorkerKilledError):
        world.runner.run(run)
    world.later()
    assert [due.run_id for due in world.kernel.inbox.due()] == [run]
    assert world.runner.run(run).outcome == "done"
    assert len(world.chat.posts) == 1


def test_a_cut_connection_is_reconciled_not_repeated(world: World) -> None:
    world.chat.after = failing(Transient("connection reset after the request"))
    run = world.event()
    assert world.runner.run(run).outcome == "retried"
    world.later()
    assert world.runner.run(run).outcome == "done"
    assert len(world.chat.posts) == 1


def test_a_throttled_call_was_not_made_and_costs_no_attempt(world: World) -> None:
    world.chat.before = failing(*[Throttled("slow down", retry_after=5)] * 20)
    run = world.event()
    for _ in range(20):
        assert world.runner.run(run).outcome == "throttled"
        world.later(6)
    assert world.runner.run(run).outcome == "done"
    assert len(world.chat.posts) == 1


def test_an_effect_nobody_can_ask_about_becomes_a_dead_letter_that_says_so(world: World) -> None:
    world.chat.before = failing(Transient("timeout"))
    run = world.put("test.event", Hook(name="n"), "toy.blind")
    world.runner.run(run)
    world.later()
    assert world.runner.run(run).outcome == "dead"
    [letter] = world.kernel.inbox.runs(status="dead")
    assert "nobody can say whether it took place" in str(letter.error)


def test_attempts_end_in_a_dead_letter_and_a_replay_finishes(world: World) -> None:
    Toy.fault = staticmethod(failing(*[Transient("down")] * 8))
    run = world.event()
    outcomes = []
    for _ in range(8):
        outcomes.append(world.runner.run(run).outcome)
        world.later()
    assert outcomes == ["retried"] * 7 + ["dead"]
    world.kernel.inbox.replay(run)
    assert world.runner.run(run).outcome == "done"
    assert len(world.chat.posts) == 1


def test_a_permanent_fault_and_a_bug_end_soon(world: World) -> None:
    Toy.fault = staticmethod(failing(Permanent("no such ticket")))
    assert world.runner.run(world.event()).outcome == "dead"
    Toy.fault = staticmethod(failing(*[KeyError("x")] * 3))
    run = world.event()
    outcomes = []
    for _ in range(3):
        outcomes.append(world.runner.run(run).outcome)
        world.later()
    assert outcomes == ["retried", "retried", "dead"]


def test_a_bug_is_told_as_such_however_few_attempts_there_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = world.kernel.settings
    workers = settings.workers.model_copy(update={"max_attempts": 1})
    monkeypatch.setattr(world.kernel, "settings", settings.model_copy(update={"workers": workers}))
    Toy.fault = staticmethod(failing(KeyError("x")))
    result = world.runner.run(world.event())
    assert (result.outcome, result.error) == ("dead", "KeyError: 'x'")


def test_an_unknown_handler_is_kept_as_a_dead_letter(world: World) -> None:
    assert world.runner.run(world.put("test.event", Hook(name="n"), "gone.event")).outcome == "dead"


def command_of(user: User, name: str) -> Command:
    return Command(name=name, text="you", user=user, reply_to=ReplyTo(channel="C", user=user.id))


def test_a_command_is_answered_and_one_without_permission_is_refused_and_audited(world: World) -> None:
    world.runner.run(world.put("slack.command", command_of(ANN, "hi"), "toy.hi", ANN.id))
    run = world.put("slack.command", command_of(ANN, "drop"), "toy.drop", ANN.id)
    assert world.runner.run(run).outcome == "refused"
    assert world.runner.run(world.put("slack.command", command_of(BOB, "drop"), "toy.drop")).outcome == "done"
    assert [m.text[:20] for m in world.chat.replies] == ["hi you", ":no_entry: You may n", "dropped"]
    [row] = world.kernel.audit.rows()
    assert (row.actor, row.outcome) == (ANN.id, "refused")


def test_of_two_clicks_one_runs_and_the_other_is_told_who_was_first(world: World) -> None:
    world.runner.run(world.event())
    first, second = world.click(BOB), world.click(BOB)
    assert world.runner.run(first).outcome == "done"
    assert world.runner.run(second).outcome == "done"
    assert Toy.calls == ["n", "pressed it"]
    assert "already taken by <@U2>" in world.chat.replies[-1].text


def test_the_strip_shows_running_then_the_outcome(world: World) -> None:
    world.runner.run(world.event())
    world.runner.run(world.click(BOB))
    notes = [str(b.parts) for m in world.chat.shown for b in m.blocks if isinstance(b, Note)]
    assert "is running, asked by <@U2>" in notes[0]
    assert "by <@U2> · it worked" in notes[1]


def test_a_click_without_permission_is_refused_and_claims_nothing(world: World) -> None:
    world.runner.run(world.event())
    assert world.runner.run(world.click(ANN)).outcome == "refused"
    assert world.runner.run(world.click(BOB)).outcome == "done"


def test_a_click_that_fails_for_good_frees_the_button_again(world: World) -> None:
    world.runner.run(world.event())
    Toy.fault = staticmethod(failing(Permanent("Alertmanager says no")))
    assert world.runner.run(world.click(BOB)).outcome == "dead"
    assert "did not work" in world.chat.replies[-1].text
    assert world.runner.run(world.click(BOB)).outcome == "done"


def test_a_refusal_by_the_handler_frees_the_button(world: World) -> None:
    world.runner.run(world.event())
    Toy.fault = staticmethod(failing(Refused("too broad", check="breadth")))
    assert world.runner.run(world.click(BOB)).outcome == "refused"
    assert world.runner.run(world.click(BOB)).outcome == "done"


def test_an_expired_button_says_so(world: World) -> None:
    world.runner.run(world.event())
    run = world.click(BOB)
    world.later(8 * 86400)
    assert world.runner.run(run).outcome == "refused"
    assert "expired" in world.chat.replies[-1].text


def test_a_click_interrupted_by_a_dead_worker_goes_on_as_the_same_click(world: World) -> None:
    world.runner.run(world.event())
    Toy.fault = staticmethod(failing(WorkerKilledError()))
    run = world.click(BOB)
    with pytest.raises(WorkerKilledError):
        world.runner.run(run)
    world.later()
    assert world.runner.run(run).outcome == "done"
    assert Toy.calls == ["n", "pressed it"]


def test_a_trace_tells_from_delivery_to_effects(world: World) -> None:
    run = world.event()
    world.runner.run(run)
    trace = world.kernel.trace(run.partition("-")[0][:18])
    assert [r.status for r in trace.runs] == ["done"]
    assert [(s.name, s.status) for s in trace.steps] == [("toy.event/post", "done")]


def test_an_event_that_keeps_killing_its_worker_is_set_aside(world: World) -> None:
    Toy.fault = staticmethod(failing(*[WorkerKilledError()] * 20))
    run = world.event()
    for _ in range(8):
        with pytest.raises(WorkerKilledError):
            world.runner.run(run)
        world.later()
    assert world.runner.run(run).outcome == "dead"
