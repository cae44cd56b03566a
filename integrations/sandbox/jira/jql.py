"""A small, honest part of JQL: clauses joined by AND, and ORDER BY.

Anything else is refused, as Jira refuses what it cannot read, so that a query that works here means the
same in Jira.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from integrations.sandbox.jira import adf
from integrations.sandbox.jira.errors import JiraRefusal
from integrations.sandbox.jira.models import PROJECT, STATUSES, Issue, status_named

Predicate = Callable[[Issue], bool]

TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign>!=|>=|<=|!~|=|~|>|<|\(|\)|,)
      | (?P<word>[^\s"'=!<>~(),]+)
    )""",
    re.VERBOSE,
)
AGO = re.compile(r"-(\d+)([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MOMENTS = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
OPERATORS = {
    "project": {"=", "!=", "in", "not in"},
    "status": {"=", "!=", "in", "not in"},
    "key": {"=", "!=", "in", "not in"},
    "labels": {"=", "!=", "in", "not in", "is", "is not"},
    "text": {"~"},
    "summary": {"~"},
    "created": {">", ">=", "<", "<="},
    "updated": {">", ">=", "<", "<="},
}
ALIASES = {"issuekey": "key", "id": "key", "issue": "key", "createddate": "created", "updateddate": "updated"}
SORT_KEYS: dict[str, Callable[[Issue], object]] = {
    "created": lambda issue: (issue.created, int(issue.id)),
    "updated": lambda issue: (issue.updated, int(issue.id)),
    "key": lambda issue: int(issue.key.rpartition("-")[2]),
}


@dataclass(frozen=True)
class Query:
    predicates: tuple[Predicate, ...]
    sort_key: Callable[[Issue], object]
    descending: bool

    @property
    def bounded(self) -> bool:
        return bool(self.predicates)

    def run(self, issues: list[Issue]) -> list[Issue]:
        found = [issue for issue in issues if all(fits(issue) for fits in self.predicates)]
        return sorted(found, key=self.sort_key, reverse=self.descending)  # type: ignore[arg-type]  # each key is comparable with itself


def parse(jql: str, moment: datetime) -> Query:
    return _Parser(_tokens(jql), moment).query()


def _refused(message: str) -> JiraRefusal:
    return JiraRefusal(400, message)


def _tokens(jql: str) -> list[str]:
    """Words and signs as they stand; quoted values keep a leading quote, so that `"and"` is no keyword."""
    tokens, position, text = [], 0, jql.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise _refused(f"Error in the JQL Query: The character '{text[position]}' is unexpected here.")
        quoted = match["quoted"]
        tokens.append(
            '"' + re.sub(r"\\(.)", r"\1", quoted[1:-1]) if quoted else match["sign"] or match["word"]
        )
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str], moment: datetime) -> None:
        self._tokens = tokens
        self._moment = moment

    def query(self) -> Query:
        predicates = []
        if self._tokens and not self._peek_is("order"):
            predicates.append(self._clause())
            while self._accept("and"):
                predicates.append(self._clause())
        sort_key, descending = self._order()
        if self._tokens:
            raise _refused(
                f"Error in the JQL Query: Expecting either 'AND' or 'ORDER BY' but got '{self._next()}'."
            )
        return Query(tuple(predicates), sort_key, descending)

    def _clause(self) -> Predicate:
        given = self._next()
        field = ALIASES.get(given.casefold(), given.casefold())
        if field not in OPERATORS:
            raise _refused(f"Field '{given}' does not exist or you do not have permission to view it.")
        operator = self._operator(field)
        return _predicate(field, operator, self._values(operator), self._moment)

    def _operator(self, field: str) -> str:
        operator = self._next().casefold()
        if operator == "not":
            self._expect("in")
            operator = "not in"
        if operator == "is" and self._accept("not"):
            operator = "is not"
        if operator not in OPERATORS[field]:
            raise _refused(f"The operator '{operator}' is not supported by the '{field}' field.")
        return operator

    def _values(self, operator: str) -> list[str]:
        if operator not in ("in", "not in"):
            return [self._value()]
        self._expect("(")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> str:
        token = self._next()
        if token in ("(", ")", ",", "=", "!=", ">", "<", ">=", "<=", "~", "!~"):
            raise _refused(f"Error in the JQL Query: Expecting a value but got '{token}'.")
        return token.removeprefix('"')

    def _order(self) -> tuple[Callable[[Issue], object], bool]:
        if not self._accept("order"):
            return SORT_KEYS["created"], True
        self._expect("by")
        given = self._next()
        field = ALIASES.get(given.casefold(), given.casefold())
        if field not in SORT_KEYS:
            raise _refused(f"Not able to sort using field '{given}'.")
        descending = self._accept("desc")
        if not descending:
            self._accept("asc")
        return SORT_KEYS[field], descending

    def _peek_is(self, word: str) -> bool:
        return bool(self._tokens) and self._tokens[0].casefold() == word

    def _accept(self, word: str) -> bool:
        if not self._peek_is(word):
            return False
        self._tokens.pop(0)
        return True

    def _expect(self, word: str) -> None:
        got = self._next()
        if got.casefold() != word:
            raise _refused(f"Error in the JQL Query: Expecting '{word}' but got '{got}'.")

    def _next(self) -> str:
        if not self._tokens:
            raise _refused("Error in the JQL Query: The query ends where more is expected.")
        return self._tokens.pop(0)


def _predicate(field: str, operator: str, values: list[str], moment: datetime) -> Predicate:
    if field == "labels":
        return _labels(operator, values)
    if field in ("text", "summary"):
        return _contains(values[0], summary_only=field == "summary")
    if field in ("created", "updated"):
        return _dated(field, operator, _moment(values[0], moment))
    return _one_of(field, operator, values)


def _one_of(field: str, operator: str, values: list[str]) -> Predicate:
    wanted = {_known(field, value) for value in values}
    negated = operator in ("!=", "not in")
    return lambda issue: (_value_of(field, issue) in wanted) is not negated


def _value_of(field: str, issue: Issue) -> str:
    return {"project": PROJECT.key, "status": issue.status, "key": issue.key}[field]


def _known(field: str, value: str) -> str:
    if field == "project" and value.casefold() in (
        PROJECT.key.casefold(),
        PROJECT.name.casefold(),
        PROJECT.id,
    ):
        return PROJECT.key
    if field == "status":
        status = status_named(value) or next((s for s in STATUSES if s.id == value), None)
        if status is not None:
            return status.id
    if field == "key":
        return value.upper()
    raise _refused(f"The value '{value}' does not exist for the field '{field}'.")


def _labels(operator: str, values: list[str]) -> Predicate:
    """As in Jira, `!=` and `not in` leave out issues that have no label at all."""
    if operator in ("is", "is not"):
        if values[0].casefold() not in ("empty", "null"):
            raise _refused(f"The operator '{operator}' takes EMPTY or NULL, not '{values[0]}'.")
        return lambda issue: bool(issue.labels) is (operator == "is not")
    wanted = set(values)
    if operator in ("=", "in"):
        return lambda issue: bool(wanted & set(issue.labels))
    return lambda issue: bool(issue.labels) and not wanted & set(issue.labels)


def _contains(value: str, *, summary_only: bool) -> Predicate:
    """Every word of the value, as a word or, with a trailing `*`, as the start of one."""
    needles = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in value.split()]
    patterns = [re.compile(rf"\b{needle}\b", re.IGNORECASE) for needle in needles]

    def fits(issue: Issue) -> bool:
        texts = [issue.summary]
        if not summary_only:
            texts += [adf.to_text(issue.description), *(adf.to_text(c.body) for c in issue.comments)]
        return all(pattern.search("\n".join(texts)) for pattern in patterns)

    return fits


def _dated(field: str, operator: str, moment: datetime) -> Predicate:
    def fits(issue: Issue) -> bool:
        value: datetime = getattr(issue, field)
        if operator.startswith(">"):
            return value >= moment if operator == ">=" else value > moment
        return value <= moment if operator == "<=" else value < moment

    return fits


def _moment(value: str, moment: datetime) -> datetime:
    for form in (*MOMENTS, None):
        try:
            return _ago(value, moment) if form is None else datetime.strptime(value, form).replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
    raise _refused(
        f"Date value '{value}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', "
        "'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
    )


def _ago(value: str, moment: datetime) -> datetime:
    ago = AGO.fullmatch(value)
    if ago is None:
        raise ValueError(f"'{value}' is no period.")
    return moment - timedelta(**{UNITS[ago[2]]: int(ago[1])})
