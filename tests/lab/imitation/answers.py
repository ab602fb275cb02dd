"""What an endpoint gets and gives: a call, an answer, a refusal with the words of the real thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .nouns import Json

if TYPE_CHECKING:
    from .state import State

USUAL_PAGE = 20
LARGEST_PAGE = 200


@dataclass(frozen=True)
class Answer:
    """`body` None: nothing is sent but the head."""

    status: int
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The answer is an error of the API."""

    def __init__(self, status: int, name: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {name}: {message}")
        self.answer = Answer(status, {"id": name, "message": message}, headers or {})


NO_CONTENT = Answer(204)


def not_found() -> Refused:
    return Refused(404, "not_found", "The resource you requested could not be found.")


def unprocessable(message: str) -> Refused:
    return Refused(422, "unprocessable_entity", message)


def bad_request(message: str) -> Refused:
    return Refused(400, "bad_request", message)


def conflict(message: str) -> Refused:
    return Refused(409, "conflict", message)


def forbidden(message: str = "You are not authorized to perform this operation") -> Refused:
    return Refused(403, "forbidden", message)


def pending_event() -> Refused:
    return unprocessable("Droplet already has a pending event.")


@dataclass(frozen=True)
class Call:
    """One request, authorised. `path` begins with /v2; `place` holds what the path's braces stand for; `host` is
    how the client names the server, with its port."""

    account: State
    path: str
    place: dict[str, str]
    query: dict[str, str]
    body: Json
    host: str

    def number(self, name: str) -> int:
        """A number in the path; what is none names nothing there is."""
        if not self.place[name].isascii() or not self.place[name].isdigit():
            raise not_found()
        return int(self.place[name])

    def text(self, name: str) -> str:
        """A text of the body that must be there."""
        found = self.body.get(name)
        if not isinstance(found, str) or not found:
            raise unprocessable(f"{name} is required")
        return found

    def texts(self, name: str) -> list[str]:
        """A list of texts in the body; nothing and null are an empty one."""
        found = self.body.get(name) or []
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise unprocessable(f"{name} must be a list of texts")
        return found

    def numbers(self, name: str) -> list[int]:
        """A list of numbers in the body; nothing and null are an empty one."""
        found = self.body.get(name) or []
        if not isinstance(found, list) or not all(type(one) is int for one in found):
            raise unprocessable(f"{name} must be a list of numbers")
        return found

    @property
    def page(self) -> int:
        return self._positive("page", 1)

    @property
    def is_first_page(self) -> bool:
        return self.page == 1

    def link(self, path: str) -> str:
        """The whole address of something of the API, as the client reaches it."""
        return f"http://{self.host}{path}"

    def listed(self, key: str, forms: Sequence[Json]) -> Answer:
        """One page of a list, with the links to its neighbours and the number of all."""
        size = min(self._positive("per_page", USUAL_PAGE), LARGEST_PAGE, self.account.manners.largest_page)
        start = (self.page - 1) * size
        last = max(1, -(-len(forms) // size))
        return Answer(
            200,
            {
                key: list(forms[start : start + size]),
                "links": self._links(last),
                "meta": {"total": len(forms)},
            },
        )

    def _links(self, last: int) -> Json:
        pages: Json = {}
        if self.page > 1:
            pages |= {"first": self._page_link(1), "prev": self._page_link(self.page - 1)}
        if self.page < last:
            pages |= {"next": self._page_link(self.page + 1), "last": self._page_link(last)}
        return {"pages": pages} if pages else {}

    def _page_link(self, page: int) -> str:
        return self.link(f"{self.path}?{urlencode(self.query | {'page': str(page)})}")

    def _positive(self, name: str, usual: int) -> int:
        said = self.query.get(name, str(usual))
        if not said.isascii() or not said.isdigit() or int(said) < 1:
            raise bad_request(f"{name} must be a positive number")
        return int(said)
