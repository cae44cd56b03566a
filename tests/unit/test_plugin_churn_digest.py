"""The churn digest: posted once a week and account, acted on with buttons."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import churn_models
import pytest
from churn_samples import AS_OF, OWNERS, reason, scored, write

from bot.core.memory import Documents
from bot.plugin import ChatMessage, User
from bot.testing import Conformance, Kit, Samples
from integrations.slack.renderer import render
from plugins.churn_digest import ChurnDigest, trend
from plugins.churn_digest.state import Case
from plugins.core import Core

pytestmark = pytest.mark.unit
MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
Make = Callable[..., Kit]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def make(data: Path) -> Iterator[Make]:
    made: list[Kit] = []

    def build(**config: object) -> Kit:
        settings = {"owners": {OWNERS[0]: "UANN"}, "ticket_project": "CS", **config}
        kit = Kit(ChurnDigest, config=settings, settings={"data_dir": data})
        kit.grant("U1", "churn.*")
        kit.grant("U2", "churn.*")
        kit.clock.set(MONDAY)
        made.append(kit)
        return kit

    yield build
    for kit in made:
        kit.close()


def test_the_digest_says_who_what_it_is_worth_and_why(make: Make, data: Path) -> None:
    write(data, [scored(0, 0.71), scored(1, 0.66), scored(2, 0.2)])
    kit = make()
    assert kit.tick("post").status == "done"
    [digest] = [shown for shown in kit.chat.messages if not shown.thread]
    assert digest.channel == "#churn"
    assert "2 accounts (2 new)" in digest.text
    assert "*Customer 0* · *€8,520* at risk · 71%" in digest.text
    assert "renews 1 Sep 2026, in 239 days · at risk since 5 Jan 2026 · owner <@UANN>" in digest.text
    assert "• logins fell 62% against their 8-week mean" in digest.text
    assert "Customer 2" not in digest.text
    assert digest.buttons[:5] == ["Assign", "Snooze", "Create Jira task", "Record outcome", "Show more"]
    [picture] = kit.chat.files
    assert picture.content.startswith(b"\x89PNG")


def test_since_when_is_what_earlier_scores_say(make: Make, data: Path) -> None:
    """A break counts: customer 1 was not at risk two weeks ago."""
    for ago, other in ((3, 0.8), (2, 0.2), (1, 0.8), (0, 0.8)):
        write(data, [scored(0, 0.7), scored(1, other)], AS_OF - timedelta(weeks=ago))
    write(data, [scored(0, 0.3), scored(1, 0.8)], AS_OF - timedelta(weeks=4))
    kit = make()
    kit.tick("post")
    [digest] = [shown for shown in kit.chat.messages if not shown.thread]
    assert "at risk since 15 Dec 2025" in digest.text
    assert "at risk since 29 Dec 2025" in digest.text
    assert digest.text.count(":new: first shown") == 2
    later = weeks_later(kit, data, 1, scored(0, 0.85), scored(1, 0.8))
    assert "worse" in later
    assert "at risk since 15 Dec 2025" in later


def test_a_digest_of_one_week_is_one_however_often_the_job_runs(make: Make, data: Path) -> None:
    write(data, [scored(n) for n in range(20)])
    kit = make()
    for hours in range(5):
        kit.tick("post", due_at=MONDAY + timedelta(hours=hours))
    assert len([shown for shown in kit.chat.messages if not shown.thread]) == 1
    assert len(kit.chat.files) == 1
    assert len(kit.records("shown")) == 15


def test_a_second_run_in_the_week_adds_only_accounts_that_were_not_shown(make: Make, data: Path) -> None:
    write(data, [scored(0), scored(1)])
    kit = make()
    kit.tick("post")
    write(data, [scored(0, 0.95), scored(1), scored(2)], AS_OF + timedelta(days=1))
    kit.tick("post", due_at=MONDAY + timedelta(days=1))
    first, second = (shown for shown in kit.chat.messages if not shown.thread)
    assert "part 2" in second.text
    assert "Customer 2" in second.text
    assert "Customer 0" not in second.text
    assert "Customer 0" in first.text


def weeks_later(kit: Kit, data: Path, weeks: int, *scores: object) -> str:
    """The digest that stands after another run, some weeks on; empty when nothing was to be said."""
    before = {shown.key for shown in kit.chat.messages}
    write(data, scores, AS_OF + timedelta(weeks=weeks))
    kit.clock.set(MONDAY + timedelta(weeks=weeks))
    kit.tick("post")
    new = [shown for shown in kit.chat.messages if shown.key not in before and not shown.thread]
    return new[0].text if new else ""


@pytest.mark.parametrize(
    ("probability", "fields", "words"),
    [
        (0.75, {}, ""),
        (0.81, {}, "81% (was 70%) · :small_red_triangle: worse"),
        (0.58, {}, "better"),
        (0.40, {}, "better"),
        (0.70, {"renewal": AS_OF + timedelta(days=30)}, "renews soon"),
    ],
)
def test_a_customer_reappears_only_on_a_change(
    make: Make, data: Path, probability: float, fields: dict[str, object], words: str
) -> None:
    write(data, [scored(0, 0.7)])
    kit = make()
    kit.tick("post")
    text = weeks_later(kit, data, 1, scored(0, probability, **fields))
    assert ("Customer 0" in text) == bool(words)
    assert words in text


def test_a_renewal_that_was_mentioned_is_not_mentioned_again(make: Make, data: Path) -> None:
    near = AS_OF + timedelta(days=25)
    write(data, [scored(0, renewal=near)])
    kit = make()
    kit.tick("post")
    assert "Customer 0" not in weeks_later(kit, data, 1, scored(0, renewal=near))


def test_good_news_take_three_places_at_most(make: Make, data: Path) -> None:
    write(data, [scored(n, 0.9) for n in range(15)])
    kit = make()
    kit.tick("post")
    text = weeks_later(
        kit, data, 1, *(scored(n, 0.3) for n in range(15)), *(scored(n) for n in range(20, 40))
    )
    assert text.count(": better") == 3
    assert text.count(":new:") == 12


def test_a_snooze_holds_and_ends(make: Make, data: Path) -> None:
    write(data, [scored(0)])
    kit = make()
    kit.tick("post")
    kit.choose("Snooze", "2")
    [digest] = [shown for shown in kit.chat.messages if not shown.thread]
    assert ":zzz: Snoozed until 19 Jan 2026 by <@U1>" in digest.text
    assert "Customer 0" not in weeks_later(kit, data, 1, scored(0, 0.99))
    assert "snooze is over" in weeks_later(kit, data, 2, scored(0, 0.71))
    assert "Customer 0" not in weeks_later(kit, data, 3, scored(0, 0.71))


def test_assigning_to_me_the_owner_and_somebody(make: Make, data: Path) -> None:
    write(data, [scored(0)])
    kit = make()
    kit.tick("post")
    kit.choose("Assign", "me")
    assert "<@U1> is on it" in kit.chat.messages[0].text
    kit.choose("Assign", "owner")
    assert "<@UANN> is on it" in kit.chat.messages[0].text
    assert "<@UANN> <@U1> asks you to look after *Customer 0*." in kit.chat.messages[-1].text
    kit.choose("Assign", "somebody")
    kit.submit({"user": "U9"})
    assert "<@U9> is on it" in kit.chat.messages[0].text
    assert [row.after["to"] for row in kit.audit if row.action == "churn.assign"] == ["U1", "UANN", "U9"]


def test_a_task_is_filed_once_and_linked(make: Make, data: Path) -> None:
    write(data, [scored(0)])
    kit = make()
    kit.tick("post")
    stale = kit.chat.late_screens[0].message
    kit.click("Create Jira task")
    kit.click("Create Jira task", user="U2", message=stale)
    created = [effect for effect in kit.tickets.effects if effect.method == "create"]
    assert len(created) == 1
    assert "already taken by <@U1>" in kit.reply.text
    digest = kit.chat.messages[0]
    assert "<https://tickets.example/browse/CS-1|CS-1>" in digest.text
    assert "Create Jira task" not in digest.buttons
    assert kit.tickets.links("CS-1")


def test_outcomes_are_labels_and_can_be_corrected(make: Make, data: Path) -> None:
    write(data, [scored(0), scored(1)])
    kit = make()
    kit.tick("post")
    kit.choose("Record outcome", "churned")
    kit.choose("Correct outcome", "saved", user="U2")
    text = kit.chat.messages[0].text
    assert "Saved, recorded by <@U2>" in text
    [label] = map(json.loads, (data / "churn" / "outcomes.jsonl").read_text().splitlines())
    assert label["outcome"] == "saved"
    assert label["customer_id"] == "C-0000"
    assert label["by"] == "U2"
    assert label["treated"] is True
    assert label["run_id"].startswith("2026-01-05-")


def test_the_digest_prints_how_earlier_warnings_turned_out(make: Make, data: Path) -> None:
    write(data, [scored(n) for n in range(10)])
    kit = make()
    kit.tick("post")
    message = kit.chat.late_screens[0].message
    menus = [p for p in message.pressables() if getattr(p, "placeholder", "") == "Record outcome"]
    assert len(menus) == 10
    for number, kind in enumerate(["churned", "churned", "saved", "false_alarm"]):
        record(kit, f"C-{number:04}", kind)
    text = weeks_later(kit, data, 1, *(scored(n) for n in range(20, 22)))
    assert "2 of the last 4 flagged left" in text
    assert "4 told by people, 0 by the data; 6 still open" in text


def test_the_data_tells_what_nobody_recorded(make: Make, data: Path) -> None:
    write(data, [scored(n) for n in range(4)])
    kit = make(outcome_days=28)
    kit.tick("post")
    assert "not known yet: 4 wait" in weeks_later(kit, data, 3, scored(0), scored(9))
    text = weeks_later(kit, data, 4, scored(0), scored(1), scored(10))
    assert "2 of the last 4 flagged left" in text


def test_a_churned_customer_stays_away_and_a_false_alarm_comes_back_when_worse(
    make: Make, data: Path
) -> None:
    write(data, [scored(0), scored(1)])
    kit = make()
    kit.tick("post")
    record(kit, "C-0000", "churned")
    record(kit, "C-0001", "false_alarm")
    assert "Nothing new this week" in weeks_later(kit, data, 1, scored(0, 0.75), scored(1, 0.75))
    text = weeks_later(kit, data, 2, scored(0, 0.99), scored(1, 0.99))
    assert "Customer 0" not in text
    assert "Customer 1" in text


def record(kit: Kit, customer: str, kind: str) -> None:
    """Record an outcome with the menu of this customer."""
    for shown in kit.chat.late_screens:
        for block in shown.message.blocks:
            found = [e for e in getattr(block, "elements", ()) if e.args.get("customer") == customer]
            menus = [e for e in found if getattr(e, "placeholder", "") == "Record outcome"]
            if menus:
                only = shown.message.model_copy(update={"blocks": (block,)})
                kit._press("Record outcome", "U1", (kind,), only)
                return
    raise AssertionError(f"No menu for {customer}.")


def test_control_customers_are_never_shown_and_tell_whether_acting_helps(make: Make, data: Path) -> None:
    scores = [scored(n, monthly_value=1000) for n in range(150)]
    write(data, scores)
    kit = make(control_share=0.5, most=45, outcome_days=7)
    kit.tick("post")
    held_out = {case.customer_id for case in cases(kit) if case.control}
    assert 30 <= len(held_out) <= 50
    shown = {case.customer_id for case in cases(kit) if not case.control}
    assert len(shown) == 45
    assert not held_out & shown
    kit.command(f"/signalbox churn {min(held_out)}")
    assert "is held out" in kit.reply.text
    stayed = [s for s in scores if s.customer_id in shown or s.customer_id not in held_out]
    text = weeks_later(kit, data, 2, *stayed)
    assert "0 of 45 shown customers left" in text
    assert "acting helps" in text


def cases(kit: Kit) -> list[Case]:
    found = Documents(kit.kernel.db, "churn-digest", kit.clock).having("case:")
    return [Case.model_validate(document.data) for document in found]


def test_a_small_control_group_says_nothing(make: Make, data: Path) -> None:
    write(data, [scored(n) for n in range(30)])
    kit = make(control_share=0.3)
    kit.tick("post")
    assert "Whether acting helps can't be said yet" in weeks_later(kit, data, 1, scored(90))


def test_hostile_names_mention_nobody(make: Make, data: Path) -> None:
    evil = "<!channel> *bold* <@U666> <https://evil.example|click> " * 20
    write(
        data, [scored(0, name=evil, owner="<@UBOSS>", segment="<!here>", reasons=(reason("<!everyone> x"),))]
    )
    kit = make()
    kit.tick("post")
    kit.choose("Assign", "me")
    kit.click("Show more")
    kit.click("Create Jira task")
    kit.command("/signalbox churn <!channel>")
    said = [shown.text for shown in kit.chat.messages] + [reply.text for reply in kit.replies]
    for text in said:
        assert set(re.findall(r"<[@!][^>]*>", text)) <= {"<@U1>"}
        assert "<https://evil" not in text


def test_a_thousand_accounts_stay_within_slacks_limits(make: Make, data: Path) -> None:
    write(data, [scored(n, name=f"Ünternehmen & Söhne <{n}> " * 9) for n in range(1000)])
    kit = make(most=45, owner_digests="channel", owner_channels=dict.fromkeys(OWNERS, "UANN"))
    kit.tick("post")
    first, *others = kit.chat.messages
    assert not first.thread
    assert sum(shown.thread == first.ts for shown in others) == 2
    assert sum(shown.channel == "UANN" for shown in others) == 3
    for shown in kit.chat.messages:
        rendered = render(shown.message, "r1")
        assert len(rendered.blocks) <= 48
        assert "more parts" not in json.dumps(rendered.blocks)
    assert "955 more accounts are due and come next" in first.text


def test_both_messages_of_an_account_are_kept_up_to_date(make: Make, data: Path) -> None:
    write(data, [scored(0)])
    kit = make(owner_digests="channel", owner_channels={OWNERS[0]: "UANN"})
    kit.tick("post")
    kit.choose("Assign", "me")
    assert [":bust_in_silhouette: <@U1> is on it" in shown.text for shown in kit.chat.messages] == [
        True,
        True,
    ]


def test_owners_choose_where_their_accounts_come(data: Path) -> None:
    write(data, [scored(0), scored(1)])
    owners = {OWNERS[0]: "UANN", OWNERS[1]: "UBOB"}
    with Kit(ChurnDigest, beside=[Core], config={"owners": owners}, settings={"data_dir": data}) as kit:
        kit.clock.set(MONDAY)
        assert "your own accounts come in the digest's thread" in opened(kit, "UANN")
        assert "your own accounts" not in opened(kit, "UCAROL")
        kit.choose("Where your accounts come", "direct", user="UANN")
        assert "your own accounts come as a direct message" in str(kit.chat.homes["UANN"])
        kit.choose("Where your accounts come", "off", user="UBOB")
        kit.tick("post")
        assert [shown.channel for shown in kit.chat.messages] == ["#churn", "UANN"]
        assert "Customer 0" in kit.chat.messages[1].text
        kit.choose("Where your accounts come", "thread", user="UBOB")
        write(data, [scored(2), scored(3)], AS_OF + timedelta(days=1))
        kit.tick("post", due_at=MONDAY + timedelta(days=1))
        assert [(shown.channel, bool(shown.thread)) for shown in kit.chat.messages[2:]] == [
            ("#churn", False),
            ("UANN", False),
            ("#churn", True),
        ]


def opened(kit: Kit, user: str) -> str:
    said = ChatMessage(text="", user=User(id=user), channel="D1", ts="1")
    kit.event("slack.home", said, subject="D1")
    return str(kit.chat.homes[user])


def test_what_nobody_takes_is_escalated_once(make: Make, data: Path) -> None:
    write(data, [scored(0), scored(1), scored(2)])
    kit = make(escalate_to="SCSM", escalate_hours=24)
    kit.tick("post")
    record(kit, "C-0000", "saved")
    kit.advance(hours=23)
    kit.tick("watch")
    assert not kit.records("escalated")
    kit.advance(hours=2)
    for _ in range(3):
        kit.tick("watch")
        kit.advance(minutes=10)
    [call] = [shown for shown in kit.chat.messages if "nobody has taken" in shown.text]
    assert call.thread == kit.chat.messages[0].ts
    assert "<!subteam^SCSM> nobody has taken 2 accounts for 24 hours" in call.text
    assert "Customer 0" not in call.text


def test_without_runs_the_command_says_the_next_step(make: Make) -> None:
    kit = make()
    kit.command("/signalbox churn")
    assert "make train-deps" in kit.reply.text
    assert "signalbox churn demo" in kit.reply.text
    assert kit.tick("post").status == "done"
    assert not kit.chat.messages


def test_the_command_lists_looks_up_and_filters(make: Make, data: Path) -> None:
    write(data, [scored(n) for n in range(20)])
    kit = make()
    kit.tick("post")
    kit.command("/signalbox churn")
    assert "20 customers at risk" in kit.reply.text
    kit.command("/signalbox churn C-0003")
    assert "*Customer 3*" in kit.reply.text
    kit.command("/signalbox churn ann@example.com")
    assert "7 customers of ann@example.com at risk" in kit.reply.text
    kit.command("/signalbox churn mine", user="UANN")
    assert "7 customers of you at risk" in kit.reply.text
    kit.command("/signalbox churn nobody")
    assert "Neither a customer nor an owner" in kit.reply.text
    kit.command("/signalbox churn status")
    assert "Digest 2026-W02: 15 accounts" in kit.reply.text


def test_show_more_says_where_a_score_comes_from(make: Make, data: Path) -> None:
    run = write(data, [scored(0)])
    kit = make()
    kit.tick("post")
    kit.click("Show more")
    for part in (run.run_id, "model 3", run.data_hash[:12], "invoices paid 12 days later"):
        assert part in kit.reply.text


class TestChurnDigest(Conformance):
    plugin = ChurnDigest
    config = {"ticket_project": "CS", "owners": {OWNERS[0]: "UANN"}}  # noqa: RUF012  # as the base class says

    @pytest.fixture(autouse=True)
    def _data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trend, "picture", lambda totals: b"png")
        self._folders = (tmp_path / f"{number}" for number in count())

    def kit(self) -> Kit:
        """Each has a data directory of its own: a promotion changes files."""
        folder = next(self._folders)
        write(folder, [scored(0), scored(1), scored(2)])
        churn_models.ready(folder / "churn")
        kit = Kit(self.plugin, beside=[Core], config=self.config, settings={"data_dir": folder})
        kit.clock.set(MONDAY)
        return kit

    def prepare(self, kit: Kit) -> None:
        opened(kit, "UANN")
        kit.tick("post")
        kit.choose("Assign", "somebody", user="UADMIN")
        kit.tick("watch")
        kit.click("Promote", user="UADMIN")
        kit.command("/signalbox churn rollback", user="UADMIN")
        churn_models.another(kit.kernel.settings.data_dir / "churn")
        kit.advance(minutes=10)
        kit.tick("watch")

    def samples(self) -> Samples:
        return {
            "assign": lambda kit: kit.choose("Assign", "owner", user="UADMIN"),
            "assign form": lambda kit: kit.submit({"user": "U2"}, user="UADMIN"),
            "delivery": lambda kit: kit.choose("Where your accounts come", "off", user="UANN"),
            "snooze": lambda kit: kit.choose("Snooze", "1", user="UADMIN"),
            "ticket": lambda kit: kit.click("Create Jira task", user="UADMIN"),
            "outcome": lambda kit: kit.choose("Record outcome", "saved", user="UADMIN"),
            "more": lambda kit: kit.click("Show more", user="UADMIN"),
            "promote": lambda kit: kit.click("Promote", user="UADMIN"),
            "keep": lambda kit: kit.click("Keep", user="UADMIN"),
            "rollback": lambda kit: kit.click("Roll back", user="UADMIN"),
            "went-well": lambda kit: kit.click("It went well", user="UADMIN"),
            "went-badly": lambda kit: kit.click("It did not", user="UADMIN"),
        }
