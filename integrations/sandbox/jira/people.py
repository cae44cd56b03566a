"""Who works in the project: a few people, and the bot, whose account id differs from theirs."""

from uuid import NAMESPACE_URL, uuid5

from integrations.sandbox.jira.models import Person

STAFF = {
    "mia": "Mia Okafor",
    "jonas": "Jonas Berg",
    "lena": "Lena Fischer",
    "customer": "Customer portal",
}


def account_id(handle: str) -> str:
    return f"557058:{uuid5(NAMESPACE_URL, f'signalbox:jira:{handle}')}"


def _person(handle: str, name: str) -> Person:
    return Person(account_id=account_id(handle), name=name, email=f"{handle}@example.invalid")


class People:
    def __init__(self, bot_email: str) -> None:
        self.bot = Person(account_id=account_id("bot"), name="Signalbox", email=bot_email, bot=True)
        staff = (_person(handle, name) for handle, name in STAFF.items())
        self._known = {person.account_id: person for person in (self.bot, *staff)}
        self._staff = set(self._known)

    def restore(self, guests: list[Person]) -> None:
        self._known |= {guest.account_id: guest for guest in guests}

    def guests(self) -> list[Person]:
        return [person for person in self._known.values() if person.account_id not in self._staff]

    def get(self, wanted: str) -> Person | None:
        return self._known.get(wanted)

    def named(self, wanted: str) -> Person:
        """The person with this handle, account id, name or address; somebody new joins on first use."""
        text = wanted.strip()
        folded = text.casefold()
        for person in self._known.values():
            if person.account_id == text or folded in (person.name.casefold(), person.email.casefold()):
                return person
        known = self._known.get(account_id(folded))
        return known or self._join(text)

    def search(self, query: str) -> list[Person]:
        folded = query.casefold()
        return [
            p for p in self._known.values() if folded in p.name.casefold() or folded in p.email.casefold()
        ]

    def _join(self, name: str) -> Person:
        handle = name.casefold()
        guest = _person(handle.replace(" ", "."), name).model_copy(update={"account_id": account_id(handle)})
        self._known[guest.account_id] = guest
        return guest
