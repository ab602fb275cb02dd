"""The controller's HTTP, as docs/contracts.md says: a table of routes, each with who may use it.

Answers come from the status of the last turn, or from a command the loop does between two turns; no
request holds the loop up. Who may do what is decided here, what is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ..errors import CloudBurstError, LedgerError, QueueError
from ..secret import Secret
from .activity import Lines
from .controller_client import CANCEL, FETCHED, LEDGER, PAUSE, RESUME, ROWS, STATUS, STUDY
from .http import Refused, Reply, Request
from .ledger import PAGE_LINES, Page
from .metrics import answer_metrics
from .replica import read_page, to_json
from .status_page import answer_page
from .study import Assignment

if TYPE_CHECKING:
    from .ledger import Ledger
    from .loop import Controller

_T = TypeVar("_T")

CLIENT = "api"
"""The role of who may everything; http.VIEWER may look."""

LARGEST_STUDY = 1 << 30
"""Bytes of a study's normal form: ten million drawn rows fit."""
LARGEST_ROWS = 1 << 28
"""Bytes of a page of rows; one holds 8 MB, or a single outcome that is larger."""
SMALL = 1 << 16
MOST_LINES = 5000
"""Lines of a page, whatever is asked for."""


@dataclass(frozen=True)
class Visit:
    """One request, the controller it is about, and what stands after the `?`."""

    controller: Controller
    request: Request
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """What answers at a path. `GET` answers `HEAD` as well. Viewers may only where it says so."""

    method: str
    path: str
    answer: Callable[[Visit], Reply]
    viewers: bool = False

    def fits(self, method: str, path: str) -> bool:
        return path == self.path and ("GET" if method == "HEAD" else method) == self.method


@dataclass(frozen=True)
class Api:
    """What is behind the controller's server. `tokens`: role -> its token."""

    controller: Controller
    tokens: Mapping[str, Secret]

    def answer(self, request: Request) -> Reply:
        address = urlsplit(request.path)
        for route in ROUTES:
            if route.fits(request.method, address.path):
                _admit(request.role, route)
                return route.answer(Visit(self.controller, request, dict(parse_qsl(address.query))))
        raise Refused(HTTPStatus.NOT_FOUND, f"{_listed()} are understood here")


def _admit(role: str, route: Route) -> None:
    if role != CLIENT and not route.viewers:
        raise Refused(HTTPStatus.FORBIDDEN, "this token may look and not touch: the api-token is needed here")


def _listed() -> str:
    *some, last = (f"{route.method} {route.path}" for route in ROUTES)
    return f"{', '.join(some)} and {last}"


# ── the study ────────────────────────────────────────────────────────────────────────────────
def _status(visit: Visit) -> Reply:
    return Reply(json=visit.controller.status)


def _put_study(visit: Visit) -> Reply:
    body = visit.request.body_as_json(LARGEST_STUDY)
    _done(visit, lambda: visit.controller.take_on(Assignment.read(body)))
    return Reply(HTTPStatus.ACCEPTED, json=visit.controller.status)


def _pause(visit: Visit) -> Reply:
    _done(visit, visit.controller.pause)
    return _status(visit)


def _resume(visit: Visit) -> Reply:
    _done(visit, visit.controller.resume)
    return _status(visit)


def _cancel(visit: Visit) -> Reply:
    body = visit.request.body_as_json(SMALL) if visit.request.length else {}
    now = body.get("now", False) if isinstance(body, dict) else None
    if not isinstance(now, bool):
        raise Refused(HTTPStatus.BAD_REQUEST, '`now` is true or false: {"now": false}')
    _done(visit, lambda: visit.controller.cancel(now=now))
    return _status(visit)


# ── the ledger ───────────────────────────────────────────────────────────────────────────────
def _ledger(visit: Visit) -> Reply:
    with _recorded(visit) as ledger:
        if ledger is None:
            return Reply(json={"format": 1, "study": None, "uuid": None, "last": 0, "payloads": {}})
        facts = {"study": ledger.meta.study, "uuid": ledger.uuid, "last": ledger.last_line()}
        return Reply(json={"format": 1, **facts, "payloads": ledger.payloads()})


def _rows(visit: Visit) -> Reply:
    after, limit = _number(visit, "after", 0), _number(visit, "limit", PAGE_LINES)
    with _recorded(visit) as ledger:
        if ledger is None:
            return Reply(json={"uuid": None, **to_json(Page(after, after, more=False))})
        page = ledger.page(after, at_most=max(1, min(limit, MOST_LINES)))
        return Reply(json={"uuid": ledger.uuid, **to_json(page)})


def _put_rows(visit: Visit) -> Reply:
    body = visit.request.body_as_json(LARGEST_ROWS)
    study, payloads = _sender(body)
    page = _said(lambda: read_page(body))
    taken = _done(visit, lambda: visit.controller.take_rows(study, page, payloads))
    return Reply(json={"format": 1, **asdict(taken)})


def _sender(body: Any) -> tuple[str, Mapping[str, float]]:
    """Whose rows they are, and when their payloads were used."""
    match body:
        case {"study": str(study), "payloads": dict(payloads)} if study and all(
            isinstance(moment, int | float) for moment in payloads.values()
        ):
            return study, payloads
    raise Refused(
        HTTPStatus.BAD_REQUEST, "rows come with `study`, its name, and `payloads`, digest to moment"
    )


def _fetched(visit: Visit) -> Reply:
    match visit.request.body_as_json(SMALL):
        case {"uuid": str(uuid), "last": int(last)} if last >= 0:
            _done(visit, lambda: visit.controller.have_fetched(Lines(uuid, last)))
            return Reply(json={"format": 1})
    raise Refused(
        HTTPStatus.BAD_REQUEST, "`uuid` is the ledger's, and `last` the last of its lines that was fetched"
    )


def _number(visit: Visit, name: str, default: int) -> int:
    text = visit.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Refused(HTTPStatus.BAD_REQUEST, f"`{name}` is a whole number, such as {default}")
    return int(text)


@contextmanager
def _recorded(visit: Visit) -> Iterator[Ledger | None]:
    try:
        with visit.controller.reading() as ledger:
            yield ledger
    except LedgerError as error:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, error.message, hint=error.hint) from error


# ── errors as answers ────────────────────────────────────────────────────────────────────────
def _done(visit: Visit, command: Callable[[], _T]) -> _T:
    """What the loop answers. Raises Refused with its sentence."""
    try:
        return _said(lambda: visit.controller.do(command))
    except TimeoutError:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the controller is busy; try again") from None


def _said(command: Callable[[], _T]) -> _T:
    try:
        return command()
    except (QueueError, LedgerError) as error:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, error.message, hint=error.hint) from error
    except CloudBurstError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, error.message, hint=error.hint) from error


# ── the table ────────────────────────────────────────────────────────────────────────────────
ROUTES = (
    Route("PUT", STUDY, _put_study),
    Route("GET", STATUS, _status, viewers=True),
    Route("POST", PAUSE, _pause),
    Route("POST", RESUME, _resume),
    Route("POST", CANCEL, _cancel),
    Route("GET", LEDGER, _ledger),
    Route("GET", ROWS, _rows),
    Route("PUT", ROWS, _put_rows),
    Route("POST", FETCHED, _fetched),
    Route("GET", "/", lambda visit: answer_page(visit.controller), viewers=True),
    Route("GET", "/metrics", lambda visit: answer_metrics(visit.controller), viewers=True),
)
