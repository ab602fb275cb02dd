"""A server that speaks InfluxDB's HTTP: `/write` for points, `/query` to count, delete and make a database.

What is written is said in `points.py`; when, and what to do when it cannot be, in `filling.py`.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from ...compile.influxql import identifier, text
from ...compile.measurements import ATTEMPTS, ID, OUTPUTS, SHARDS, STUDY
from ...errors import CloudBurstError
from ...secret import Secret
from .line_protocol import storable

TIMEOUT = 60.0
"""Seconds for each step of an exchange: a server under load takes its time."""

NEVER_TOO_LARGE = 1 << 16
"""Bytes. When the connection is cut under a larger body, size may be why: its answer can be lost on the way."""

_HERE = frozenset({"localhost", "127.0.0.1", "::1", "influxdb"})
"""Servers to which nothing is gained by compressing: this machine, and the one of the stack."""

_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT})

_SAID = 300
"""Characters of a server's answer that are passed on."""


class Unavailable(CloudBurstError):
    """The server does not take anything now: it is down, or refuses us. Trying again may help."""


class Forbidden(Unavailable):
    """The credentials are wrong, or may not do this."""


class NoDatabase(CloudBurstError):
    """There is no such database on the server."""


@dataclass(frozen=True)
class Access:
    """Where a server is, and who we are there: a user with a password, a token, or nobody."""

    url: str
    username: str | None = None
    password: Secret | None = None
    token: Secret | None = None

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """From an entry of `sinks.json` (docs/contracts.md)."""
        password, token = written.get("password"), written.get("token")
        return cls(
            written["url"],
            written.get("username"),
            None if password is None else Secret(password),
            None if token is None else Secret(token),
        )

    def headers(self) -> dict[str, str]:
        """Credentials never stand in a URL, which servers log."""
        if self.token is not None:
            return {"Authorization": f"Token {self.token.reveal()}"}
        if self.username is not None:
            password = self.password.reveal() if self.password else ""
            pair = base64.b64encode(f"{self.username}:{password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}


Counted = dict[str, dict[tuple[str, str], int]]
"""id -> (measurement, field) -> how many values of it are stored."""


class Influx:
    """One database of one server, over one connection that stays open. For one thread.

    Every method may raise Unavailable. A request that was cut off may have been carried out: all that is
    done here can be done twice.
    """

    def __init__(self, access: Access, database: str, *, timeout: float = TIMEOUT) -> None:
        self.database = database
        self._access = access
        self._url = urlsplit(access.url)
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None
        self._on_its_way: bytes | None = None
        self._refusals: list[str] = []
        self._made = False
        self._compresses = self._url.hostname not in _HERE

    def close(self) -> None:
        self._on_its_way = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # ── writing ──────────────────────────────────────────────────────────────────────────────
    def write(self, body: bytes) -> None:
        """Send some lines. The answer is awaited by the next call: meanwhile the caller makes more lines."""
        self.settle()
        self._on_its_way = body
        self._send("/write", self._where_to, body, compress=self._compresses)

    def settle(self) -> None:
        """Await what the server says of the lines sent last.

        Lines it refuses are no exception: what it said is in `refusals`, and the others are stored.
        """
        body, self._on_its_way = self._on_its_way, None
        if body is None:
            return
        try:
            status, said = self._answer()
        except Unavailable as error:
            if len(body) <= NEVER_TOO_LARGE or not isinstance(error.__cause__, ConnectionResetError):
                raise
            status, said = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the connection was cut off in its middle"
        self._judge(body, status, said)

    def refusals(self) -> list[str]:
        """What the server said of lines it did not store, since the last time this was asked."""
        said, self._refusals = self._refusals, []
        return said

    def _judge(self, body: bytes, status: int, said: str) -> None:
        if status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            return
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            self._write_in_halves(body, said)
        elif status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
            self._refusals.append(said)
        elif status == HTTPStatus.NOT_FOUND and "database not found" in said and not self._made:
            self.create_database()
            self.write(body)
            self.settle()
        else:
            raise self._trouble(status, said)

    def _write_in_halves(self, body: bytes, said: str) -> None:
        middle = body.find(b"\n", len(body) // 2)
        if middle < 0:
            middle = body.find(b"\n")
        if middle < 0:
            self._refusals.append(f"a line of {len(body)} bytes is too large for it: {said}")
            return
        for half in (body[:middle], body[middle + 1 :]):
            self.write(half)
            self.settle()

    # ── asking ───────────────────────────────────────────────────────────────────────────────
    def create_database(self) -> None:
        """Points stay for ever in it. Raises Forbidden when the user may not."""
        try:
            self._query(
                f"CREATE DATABASE {identifier(self.database)} WITH DURATION INF SHARD DURATION {SHARDS}"
            )
        except Forbidden as error:
            raise Forbidden(
                f"there is no database {self.database} at {self._access.url}, and it may not be made: {error.message}",
                f"make it there: CREATE DATABASE {identifier(self.database)}",
            ) from error
        self._made = True

    def count(self, study: str, ids: Sequence[str], measurements: Iterable[str]) -> Counted:
        """How many values of each field are stored for these jobs."""
        found: Counted = defaultdict(dict)
        places = ", ".join(map(identifier, sorted(set(measurements))))
        for some in _some(ids) if places else ():
            question = f"SELECT count(*) FROM {places} WHERE {_of(study, some)} GROUP BY {identifier(ID)}"  # noqa: S608
            with contextlib.suppress(NoDatabase):
                _note_counts(found, self._query(question))
        return found

    def count_jobs(self, study: str) -> int:
        """How many jobs of the study have a point in `outputs`, as every job has that has any."""
        found = self._ask_outputs(study, "")
        return int(found[0]["values"][0][1]) if found else 0

    def ids(self, study: str) -> Iterator[str]:
        """Those jobs."""
        return (series["tags"][ID] for series in self._ask_outputs(study, f" GROUP BY {identifier(ID)}"))

    def _ask_outputs(self, study: str, grouped: str) -> list[dict[str, Any]]:
        question = f"SELECT count({identifier(ATTEMPTS)}) FROM {OUTPUTS} WHERE {_of_study(study)}{grouped}"  # noqa: S608
        try:
            return self._query(question)
        except NoDatabase:
            return []

    def delete(self, study: str, ids: Sequence[str]) -> None:
        """Everything stored for these jobs."""
        for some in _some(ids):
            with contextlib.suppress(NoDatabase):
                self._query(f"DELETE WHERE {_of(study, some)}")

    def _query(self, text: str) -> list[dict[str, Any]]:
        """The series of the answer. Raises NoDatabase, and Unavailable for every other error."""
        self.settle()
        body = urlencode({"db": self.database, "epoch": "ns", "q": text}).encode()
        self._send("/query", "", body, kind="application/x-www-form-urlencoded")
        status, said = self._answer()
        if status != HTTPStatus.OK:
            raise self._trouble(status, said)
        result = _first_result(said)
        if "error" in result:
            if "database not found" in result["error"]:
                raise NoDatabase(result["error"])
            kind = Forbidden if "not authorized" in result["error"] else Unavailable
            raise kind(f"{self._access.url} says: {result['error'][:_SAID]}")
        found: list[dict[str, Any]] = result.get("series", [])
        return found

    # ── the exchange ─────────────────────────────────────────────────────────────────────────
    @property
    def _where_to(self) -> str:
        return f"?db={quote(self.database, safe='')}&precision=ns"

    def _send(
        self, path: str, query: str, body: bytes, *, compress: bool = False, kind: str = "text/plain"
    ) -> None:
        headers = {**self._access.headers(), "Content-Type": f"{kind}; charset=utf-8"}
        if compress:
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        with self._translated():
            if self._connection is None:
                self._connection = self._connect()
            # A server that refuses early stops reading; most often its answer is there all the same.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connection.request("POST", self._url.path.rstrip("/") + path + query, body, headers)

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        return kind(self._url.hostname or "", self._url.port, timeout=self._timeout)

    def _answer(self) -> tuple[int, str]:
        """Status, and the sentence of an error or the whole body."""
        with self._translated():
            if self._connection is None:
                raise ConnectionResetError("the connection was cut")
            answer = self._connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        return answer.status, text if answer.status == HTTPStatus.OK else _sentence(text, answer.reason)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            self.close()
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unavailable(f"{self._access.url} does not answer: {why}") from error

    def _trouble(self, status: int, said: str) -> Unavailable:
        who = self._access
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            name = "the token" if who.token else f"the user {who.username}" if who.username else "a nobody"
            return Forbidden(
                f"{who.url} refuses {name}: {said}", "look at `username`, `password` and `token` of the sink"
            )
        if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unavailable(f"{who.url} cannot take points now ({status}): {said}")
        return Unavailable(f"{who.url} answers {status}, as no InfluxDB does: {said}", "look at its `url`")


def _note_counts(found: Counted, answered: Iterable[Mapping[str, Any]]) -> None:
    for series in answered:
        counts = found[series["tags"][ID]]
        for column, count in zip(series["columns"][1:], series["values"][0][1:], strict=True):
            if count:
                counts[(series["name"], column.removeprefix("count_"))] = count


def _first_result(text: str) -> dict[str, Any]:
    try:
        first = json.loads(text)["results"][0]
    except (ValueError, LookupError, TypeError):
        first = None
    if not isinstance(first, dict):
        raise Unavailable(f"what answers is no InfluxDB: {text[:_SAID]}", "look at the sink's `url`")
    return first


def _sentence(text: str, reason: str) -> str:
    """What a server said of an error, in one line."""
    try:
        said = json.loads(text)
    except ValueError:
        said = {}
    found = (said.get("error") or said.get("message")) if isinstance(said, dict) else None
    return " ".join(str(found or text or reason).split())[:_SAID]


_IN_A_QUESTION = 100
"""Jobs named in one question."""


def _some(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _IN_A_QUESTION] for at in range(0, len(ids), _IN_A_QUESTION))


def _of(study: str, ids: Sequence[str]) -> str:
    asked = " OR ".join(f"{identifier(ID)} = {text(job)}" for job in ids)
    return f"{_of_study(study)} AND ({asked})"


def _of_study(study: str) -> str:
    return f"{identifier(STUDY)} = {text(storable(study))}"
