"""One request and what was answered, as it is kept for tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .faults import Fault

HIDDEN = "Bearer ***"


@dataclass(frozen=True)
class Exchange:
    """`path` begins with a slash and has no trailing one; `query` as pairs, decoded. Names of headers are lower case, the
    token is not kept. `status` None: the connection broke before anything was answered. `fault` is what was put on it;
    `failure` says that the imitation itself failed."""

    method: str
    path: str
    template: str | None
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    sent: bytes
    status: int | None
    answer_headers: dict[str, str]
    answer: bytes
    at: float
    fault: Fault | None = None
    failure: str | None = None

    @property
    def said(self) -> Any:
        """The request's body, read as JSON; None when there is none."""
        return json.loads(self.sent) if self.sent else None

    @property
    def answered(self) -> Any:
        """The answer's body, read as JSON; None when there is none."""
        return json.loads(self.answer) if self.answer else None

    def __str__(self) -> str:
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.method} {self.path}{'?' if query else ''}{query} -> {self.status or 'nothing'}"
