"""What goes wrong on the way: faults put on endpoints, used up one by one.

`what` is one of:

- `429` `500` `502` `503` `504`: that error instead of an answer, nothing is done;
- `500-after` `502-after` `503-after` `504-after`: that error, and yet it was done;
- `html`: a page of HTML with the fault's `status` (200 when not said), nothing is done; `html-after`: it was done;
- `drop-before`: the connection breaks, nothing is done; `drop-after`: it was done;
- `truncated`: it is done, half of the answer arrives, the connection breaks;
- `slow`: it is done, the answer takes `seconds`.
"""

from __future__ import annotations

import fnmatch
import threading
from dataclasses import dataclass, field
from typing import Literal

What = Literal[
    "429",
    "500",
    "502",
    "503",
    "504",
    "500-after",
    "502-after",
    "503-after",
    "504-after",
    "html",
    "html-after",
    "drop-before",
    "drop-after",
    "truncated",
    "slow",
]
FOR_EVER = None

ERRORS = {
    429: ("too_many_requests", "API rate limit exceeded."),
    500: ("server_error", "Unexpected server-side error"),
    502: ("bad_gateway", "Bad Gateway"),
    503: ("service_unavailable", "Service Unavailable"),
    504: ("gateway_timeout", "Gateway Timeout"),
}
PAGE = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>\r\n"
)


@dataclass(frozen=True)
class Fault:
    """`method` may be `*`. `path` is a path as the description writes it (`/v2/droplets/{droplet_id}`) or a pattern
    for the path as it is sent (`/v2/droplets/*`; `*` matches slashes too). `times` None: for ever. `page`: only that
    page of a list. `skip`: so many matching requests pass first. `retry_after` in seconds goes with a 429 or 503."""

    method: str
    path: str
    what: What
    times: int | None = 1
    page: int | None = None
    skip: int = 0
    retry_after: int | None = None
    status: int = 200
    seconds: float = 1.0

    @property
    def is_done_first(self) -> bool:
        """Does the request take effect?"""
        return self.what.endswith("-after") or self.what in ("truncated", "slow")

    def matches(self, method: str, path: str, template: str | None, page: int) -> bool:
        if self.method not in ("*", method) or self.page not in (None, page):
            return False
        return self.path == template or fnmatch.fnmatchcase(path, self.path)

    def error(self) -> tuple[int, str, str] | None:
        """Status, id and message of the error that is answered, if it is one."""
        said = self.what.removesuffix("-after")
        return (int(said), *ERRORS[int(said)]) if said.isdigit() else None

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}


@dataclass
class Faults:
    """Those that are still to come, in order: the first that matches a request strikes."""

    _standing: list[_Counted] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._standing += [_Counted(fault) for fault in faults]

    def clear(self) -> None:
        with self._lock:
            self._standing.clear()

    def unused(self) -> list[Fault]:
        """Faults that never struck: a test of one has shown nothing."""
        with self._lock:
            return [one.fault for one in self._standing if one.struck == 0]

    def strike(self, method: str, path: str, template: str | None, page: int) -> Fault | None:
        """The fault that this request meets, used up by one."""
        with self._lock:
            for one in self._standing:
                if one.fault.matches(method, path, template, page) and one.is_due():
                    return one.fault
        return None


@dataclass
class _Counted:
    fault: Fault
    passed: int = 0
    struck: int = 0

    def is_due(self) -> bool:
        """Does it strike now? Counts the request either way."""
        if self.passed < self.fault.skip:
            self.passed += 1
            return False
        if self.fault.times is not None and self.struck >= self.fault.times:
            return False
        self.struck += 1
        return True
