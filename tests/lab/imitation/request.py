"""A request to the API, taken apart."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, unquote, urlsplit

from . import description
from .answers import bad_request
from .nouns import Json
from .wire import Sent

TAG_SCOPE = "tag:read"


class Request:
    """`template` and `place` are None and empty for a path the description does not know. A trailing slash is as good
    as none. `failure` is set when the imitation cannot answer."""

    def __init__(self, sent: Sent) -> None:
        parts = urlsplit(sent.target)
        self.method, self.headers, self.sent = sent.method, sent.headers, sent.body
        self.path = parts.path.rstrip("/") or "/"
        self.query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        place = description.find(self.path)
        self.template = place.template if place else None
        self.place = {name: unquote(value) for name, value in place.parameters.items()} if place else {}
        self.host = sent.headers.get("host", "localhost")
        self.failure: str | None = None

    @property
    def token(self) -> str:
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    @property
    def page(self) -> int:
        said = dict(self.query).get("page", "1")
        return int(said) if said.isascii() and said.isdigit() else 1

    def needs(self) -> frozenset[str]:
        """The scopes the description asks for; filtering by tag needs one more, its prose says."""
        needed = description.scopes().get((self.method, self.template or ""), frozenset())
        return needed | {TAG_SCOPE} if "tag_name" in dict(self.query) else needed

    def body(self) -> Json:
        """Raises Refused (400) for what is no JSON object; nothing is an empty one."""
        if not self.sent:
            return {}
        try:
            found = json.loads(self.sent)
        except ValueError as error:
            raise bad_request("Unable to parse the body as JSON") from error
        if not isinstance(found, dict):
            raise bad_request("The body must be an object")
        return found
