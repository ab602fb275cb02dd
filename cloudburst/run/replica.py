"""Two ledgers of one study brought together: the client's, and the one that a cluster's controller keeps.

What is recorded never changes, and the first record of an attempt wins, so together means the union.
Each side numbers its lines in the order of recording; the client's ledger remembers, by the other's
uuid, which lines are on both sides. So only what is new travels, page by page, and whatever was cut
off goes on where it was: a page and the note that it is known are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Protocol

from ..errors import ControllerError
from .ledger import Ledger, Loss, Page
from .places import Places, prepare
from .stream import is_outcome

FORMAT = 1

LINES = 2000
"""Lines of a page."""


class Home(Protocol):
    """A controller's ledger, from afar (`controller_client.ControllerClient`). May raise ControllerError."""

    def ledger(self) -> Mapping[str, Any]: ...
    def rows(self, after: int, limit: int) -> Mapping[str, Any]: ...
    def put_rows(self, body: Mapping[str, Any]) -> Mapping[str, Any]: ...


class Owner(Protocol):
    """Whose ledger it is on this side (`observe.Study`)."""

    @property
    def places(self) -> Places: ...


# ── a study's ledger ─────────────────────────────────────────────────────────────────────────
def pull(study: Owner, home: Home) -> int:
    """Bring what the home has recorded into the ledger on this machine; how many attempts were new.

    Raises ControllerError or LedgerError; what was brought until then is kept.
    """
    if not home.ledger()["last"]:
        return 0
    with _opened(study.places) as ledger:
        return pull_into(ledger, home)


def push(study: Owner, home: Home) -> int:
    """Send the home what it lacks of the ledger on this machine; how many attempts were new to it.

    Before the study is handed over: what arrives then counts as recorded and is not computed again.
    """
    if not study.places.ledger.exists():
        return 0
    with _opened(study.places) as ledger:
        return push_from(ledger, home)


@contextmanager
def _opened(places: Places) -> Iterator[Ledger]:
    prepare(places)
    with Ledger.open(places.ledger, places.study, create=True, spec=places.spec) as ledger:
        yield ledger


# ── ledger to ledger ─────────────────────────────────────────────────────────────────────────
def pull_into(ledger: Ledger, home: Home) -> int:
    """As `pull`, with the ledger open for writing."""
    facts = _met(ledger, home)
    if not facts["uuid"]:
        return 0
    ledger.note_payloads(facts["payloads"])
    new, more = 0, True
    while more:
        after = ledger.pulled(facts["uuid"])
        body = home.rows(after, LINES)
        if body["uuid"] != facts["uuid"]:
            raise ControllerError("the cluster began another ledger just now", "try again")
        page = read_page(body, after)
        new += ledger.adopt(page, facts["uuid"])
        more = page.more
    return new


def push_from(ledger: Ledger, home: Home) -> int:
    """As `push`, with the ledger open for writing."""
    uuid = _met(ledger, home)["uuid"] or _send(ledger, home, Page(0, 0, more=False))["uuid"]
    return sum(
        _push_run(ledger, home, uuid, after=first - 1, last=last) for first, last in ledger.unshared(uuid)
    )


def _push_run(ledger: Ledger, home: Home, uuid: str, *, after: int, last: int) -> int:
    new, more = 0, True
    while more:
        page = ledger.page(after, at_most=LINES, through=last)
        if page.outcomes or page.losses:
            answer = _send(ledger, home, page)
            if answer["uuid"] != uuid:
                raise ControllerError("the cluster began another ledger just now", "try again")
            ledger.note_handed_over(uuid, page, (int(answer["after"]), int(answer["last"])))
            new += int(answer["new"])
        after, more = page.last, page.more
    return new


def _met(ledger: Ledger, home: Home) -> Mapping[str, Any]:
    """What the home says of its ledger; notes about it that do not hold any more are forgotten."""
    facts = home.ledger()
    if facts["uuid"] and int(facts["last"]) < ledger.pulled(facts["uuid"]):
        ledger.forget_marks(facts["uuid"])  # set back, to a copy of an earlier day
    return facts


def _send(ledger: Ledger, home: Home, page: Page) -> Mapping[str, Any]:
    digests = {outcome["payload"] for outcome in page.outcomes}
    used = {digest: moment for digest, moment in ledger.payloads().items() if digest in digests}
    return home.put_rows({**to_json(page), "study": ledger.meta.study, "payloads": used})


# ── a page as JSON ───────────────────────────────────────────────────────────────────────────
def to_json(page: Page) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "rows": list(page.outcomes),
        "losses": [asdict(loss) for loss in page.losses],
        "last": page.last,
        "more": page.more,
    }


def read_page(body: Any, after: int = 0) -> Page:
    """The inverse of `to_json`. Raises ControllerError when it is not what docs/contracts.md says."""
    match body:
        case {"format": 1, "rows": list(rows), "losses": list(losses)} if all(map(_is_row, rows)) and all(
            map(is_loss, losses)
        ):
            return Page(
                after,
                int(body.get("last", after)),
                bool(body.get("more", False)),
                tuple(rows),
                tuple(Loss(**loss) for loss in losses),
            )
    raise ControllerError(
        "these are not rows as CloudBurst records them", "use the same version at both ends"
    )


def _is_row(value: Any) -> bool:
    return isinstance(value, dict) and is_outcome(value)


_LOSS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "payload": str,
    "attempt": int,
    "worker": str,
    "at": (int, float),
}


def is_loss(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _LOSS.keys()
        and all(isinstance(value[key], kind) for key, kind in _LOSS.items())
    )
