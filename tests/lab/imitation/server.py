"""The server: who may ask, which fault strikes, which endpoint answers; every exchange is kept."""

from __future__ import annotations

import json
import secrets
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

from . import description, endpoints
from .answers import Answer, Call, Refused, forbidden, not_found
from .backend import Backend, Paper
from .exchange import HIDDEN, Exchange
from .faults import PAGE, Fault, Faults
from .limits import Meter
from .manners import MILD, Limits, Manners
from .request import Request
from .routes import ROUTES
from .state import State
from .wire import Reply, Sent, Wire

__all__ = ["Imitation"]

assert endpoints.__all__, "importing them fills the table"

CALLER = "/address"
USUAL_LIMITS = Limits()
READ_ONLY = frozenset(
    scope for needed in description.scopes().values() for scope in needed if scope.endswith(":read")
)


class Imitation:
    """DigitalOcean's API for one account, on an address of this machine, while a `with` lasts.

    `account` is what is in it, `faults` what goes wrong on the way, `exchanges` everything that was said,
    `violations()` what of it the official description does not allow. `watchers` are told every exchange once it is done
    and before its answer leaves. `address` and `port` are where it listens
    (0: any port); `default_vpcs=False` is an account in which nothing was ever made. `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        token: str | None = None,
        manners: Manners = MILD,
        limits: Limits = USUAL_LIMITS,
        clock: Callable[[], float] = time.time,
        address: str = "127.0.0.1",
        port: int = 0,
        default_vpcs: bool = True,
    ) -> None:
        self.backend: Backend = backend or Paper()
        self.account = State(self.backend, manners, clock, default_vpcs=default_vpcs)
        self.token = token or _new_token()
        self.account.tokens[self.token] = None
        self.faults = Faults()
        self.exchanges: list[Exchange] = []
        self.watchers: list[Callable[[Exchange], None]] = []
        self._clock, self._meter = clock, Meter(limits, clock)
        self._wire = Wire(address, port, self._serve)

    def __enter__(self) -> Self:
        self._wire.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends every connection, then the backend."""
        self._wire.close()
        self.backend.close()

    @property
    def url(self) -> str:
        """Without a trailing slash."""
        return self._wire.url

    @property
    def end_point(self) -> str:
        """As python-digitalocean wants it: with the trailing slash."""
        return f"{self.url}/v2/"

    @property
    def environment(self) -> dict[str, str]:
        """What a client has to find in its environment."""
        return {
            "DIGITALOCEAN_END_POINT": self.end_point,
            "DIGITALOCEAN_TOKEN": self.token,
            "CLOUDBURST_CALLER_FROM": f"{self.url}{CALLER}",
        }

    def grant(self, *scopes: str) -> str:
        """A further token that may do only so much (`droplet:read`, `droplet:delete`, …)."""
        token = _new_token()
        self.account.tokens[token] = frozenset(scopes)
        return token

    def grant_read_only(self) -> str:
        """A further token that may read everything."""
        return self.grant(*READ_ONLY)

    def requests(self, method: str, template: str) -> list[Exchange]:
        """Exchanges with one endpoint, its path as the description writes it."""
        return [one for one in self.exchanges if (one.method, one.template) == (method, template)]

    def violations(self) -> list[str]:
        """What the official description does not allow in anything that was said so far, a sentence each:
        requests, answers (but those that a fault spoilt), and failures of the imitation itself."""
        from .official import violations

        return violations(list(self.exchanges))

    # One request

    def _serve(self, sent: Sent) -> Reply:
        request = Request(sent)
        if (request.method, request.path) == ("GET", CALLER):
            return Reply(200, {"content-type": "text/plain"}, sent.caller.encode())
        fault = self.faults.strike(request.method, request.path, request.template, request.page)
        with self.account.lock:
            answer = self._answer(request) if fault is None or fault.is_done_first else None
            reply = _reply(fault, answer, self._meter.headers(request.token))
            exchange = _exchange(request, reply, fault, self._clock())
            self.exchanges.append(exchange)
            for tell in tuple(self.watchers):
                tell(exchange)
        return reply

    def _answer(self, request: Request) -> Answer:
        """The answer to one request. Never raises: what goes wrong in the imitation is a violation."""
        try:
            self._admit(request)
            return self._call(request)
        except Refused as refused:
            return refused.answer
        except Exception:
            request.failure = traceback.format_exc()
            return Answer(500, {"id": "server_error", "message": "the imitation failed"})

    def _admit(self, request: Request) -> None:
        """Raises Refused for a token that is not known, has asked too often, or may not do this."""
        if request.token not in self.account.tokens:
            raise Refused(401, "unauthorized", "Unable to authenticate you.")
        self._meter.count(request.token, request.method, request.template)
        allowed = self.account.tokens[request.token]
        if allowed is not None and not request.needs() <= allowed:
            raise forbidden()

    def _call(self, request: Request) -> Answer:
        if (request.method, request.template) not in description.scopes():
            raise not_found()
        endpoint = ROUTES.get((request.method, request.template or ""))
        if endpoint is None:
            request.failure = f"{request.method} {request.template} is not imitated"
            raise Refused(501, "not_imitated", request.failure)
        if self.account.status == "locked" and request.method != "GET":
            raise forbidden("Your account is locked. Please contact support.")
        query, body = dict(request.query), request.body()
        return endpoint(Call(self.account, request.path, request.place, query, body, request.host))


def _new_token() -> str:
    return f"dop_v1_{secrets.token_hex(32)}"


def _reply(fault: Fault | None, answer: Answer | None, limits: dict[str, str]) -> Reply:
    """The answer as it leaves, spoilt by the fault."""
    if fault is not None and fault.what.startswith("drop"):
        return Reply(None, {}, b"")
    if fault is not None and fault.what.startswith("html"):
        page = PAGE.format({200: "Just a moment...", 502: "502 Bad Gateway"}.get(fault.status, fault.status))
        return Reply(fault.status, {"content-type": "text/html"}, page.encode())
    if fault is not None and (error := fault.error()) is not None:
        answer = Answer(error[0], {"id": error[1], "message": error[2]}, fault.headers())
    assert answer is not None, "a fault that keeps the request from being done has an answer of its own"
    headers = {"content-type": "application/json; charset=utf-8"} | limits | answer.headers
    body = b"" if answer.body is None else json.dumps(answer.body).encode()
    what = "" if fault is None else fault.what
    delay = fault.seconds if fault is not None and what == "slow" else 0.0
    return Reply(answer.status, headers, body, cut=what == "truncated", delay=delay)


def _exchange(request: Request, reply: Reply, fault: Fault | None, at: float) -> Exchange:
    return Exchange(
        request.method,
        request.path,
        request.template,
        request.query,
        headers=request.headers | ({"authorization": HIDDEN} if request.token else {}),
        sent=request.sent,
        status=reply.status,
        answer_headers=reply.headers,
        answer=reply.body,
        at=at,
        fault=fault,
        failure=request.failure,
    )
