"""The state of the stand-in's one project, and the only place that changes it."""

from collections.abc import Callable, Iterable
from typing import Any

from integrations.sandbox.jira.errors import NO_ISSUE, missing
from integrations.sandbox.jira.history import change_item
from integrations.sandbox.jira.models import (
    PROJECT,
    Comment,
    History,
    Issue,
    Person,
    RemoteLink,
    State,
    now,
)
from integrations.sandbox.jira.people import People

Added = History | Comment | None
Listener = Callable[[str, Issue, Person, Added], None]
"""Called after each change with the webhook event's name, the issue, who did it, and what was added."""


class Board:
    """`stored` is called after what Jira sends no issue webhook for: properties and links."""

    def __init__(self, people: People, listener: Listener, stored: Callable[[], None]) -> None:
        self.people = people
        self._listener = listener
        self._stored = stored
        self._issues: dict[str, Issue] = {}
        self._last_id = 10000
        self._last_number = 0

    def restore(self, state: State) -> None:
        self._last_id, self._last_number = state.last_id, state.last_number
        self.people.restore(state.people)
        self._issues = {issue.key: issue for issue in state.issues}

    def state(self) -> State:
        return State(
            last_id=self._last_id,
            last_number=self._last_number,
            people=self.people.guests(),
            issues=list(self._issues.values()),
        )

    @property
    def issues(self) -> Iterable[Issue]:
        return self._issues.values()

    def issue(self, key_or_id: str) -> Issue:
        found = self._issues.get(key_or_id.upper())
        if found is None and key_or_id.isdigit():
            found = next((issue for issue in self._issues.values() if issue.id == key_or_id), None)
        if found is None:
            raise missing(NO_ISSUE)
        return found

    def labels(self) -> list[str]:
        return sorted({label for issue in self._issues.values() for label in issue.labels})

    def create(self, author: Person, values: dict[str, Any]) -> Issue:
        """`values` are checked fields of `Issue`, without identity and times."""
        self._last_number += 1
        moment = now()
        issue = Issue.model_validate(
            {"reporter": author.account_id, **values}
            | {"id": self._next_id(), "key": f"{PROJECT.key}-{self._last_number}"}
            | {"created": moment, "updated": moment}
        )
        issue.label_authors = dict.fromkeys(issue.labels, author.account_id)
        self._issues[issue.key] = issue
        self._listener("jira:issue_created", issue, author, None)
        return issue

    def edit(self, issue: Issue, author: Person, values: dict[str, Any]) -> None:
        """Set checked values. What stays the same leaves no history and sends no webhook, as in Jira."""
        changed = {name: value for name, value in values.items() if getattr(issue, name) != value}
        if not changed:
            return
        items = [change_item(self.people, issue, name, value) for name, value in changed.items()]
        if "labels" in changed:
            known = issue.label_authors
            issue.label_authors = {name: known.get(name, author.account_id) for name in changed["labels"]}
        for name, value in changed.items():
            setattr(issue, name, value)
        issue.updated = now()
        history = History(id=self._next_id(), author=author.account_id, created=issue.updated, items=items)
        issue.histories.append(history)
        self._listener("jira:issue_updated", issue, author, history)

    def comment(
        self, issue: Issue, author: Person, body: dict[str, Any], properties: dict[str, Any] | None = None
    ) -> Comment:
        moment = issue.updated = now()
        comment = Comment(
            id=self._next_id(), author=author.account_id, body=body, created=moment, updated=moment,
            properties=properties or {},
        )  # fmt: skip
        issue.comments.append(comment)
        self._listener("comment_created", issue, author, comment)
        return comment

    def delete(self, issue: Issue, author: Person) -> None:
        del self._issues[issue.key]
        self._listener("jira:issue_deleted", issue, author, None)

    def set_property(self, issue: Issue, name: str, value: Any) -> None:
        issue.properties[name] = value
        self._stored()

    def drop_property(self, issue: Issue, name: str) -> None:
        del issue.properties[name]
        self._stored()

    def link(self, issue: Issue, link: RemoteLink) -> tuple[RemoteLink, bool]:
        """The stored link and whether it is new; one with the same global id is replaced."""
        self._stored()
        for position, old in enumerate(issue.remote_links):
            if link.global_id is not None and old.global_id == link.global_id:
                issue.remote_links[position] = link.model_copy(update={"id": old.id})
                return issue.remote_links[position], False
        issue.remote_links.append(link.model_copy(update={"id": int(self._next_id())}))
        return issue.remote_links[-1], True

    def _next_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)
