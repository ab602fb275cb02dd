"""Requests to DigitalOcean's API, and when they are made again. The only home of `digitalocean` and `requests`.

python-digitalocean's Manager serves for what it does well (docs/adr/0015); whatever it sends comes
through `get_data` here. What requests raise never leaves this module: their exceptions and tracebacks
hold the request, and that holds the token. So an exchange ends in a value, and ours are raised elsewhere.
"""

from __future__ import annotations

import email.utils
import ipaddress
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import digitalocean
import requests
import requests.adapters
import requests.auth
import requests.exceptions
from digitalocean.baseapi import EndPointError
from digitalocean.Manager import Manager

from ... import __version__
from ...errors import ProviderError, Unreachable
from ...secret import Secret
from ..events import StopSignal
from ..words import duration
from .errors import AGAIN, STATUS, Act, Ambiguous, ApiRefused, act_of, refusal
from .pace import A_MINUTE, KEY_LISTS_A_MINUTE, Pace

BUDGET = 120.0
"""Seconds that one request may take with all its repetitions."""
LONGEST_WAIT = 60.0
"""Seconds; DigitalOcean may ask for an hour, and then we would rather say so than hang."""
FIRST_WAIT = 0.5
GROWTH = 2.0
MOST_BACKOFF = 20.0
WORTH_SAYING = 1.0
"""Seconds of waiting that are not told."""
PAGE = 200
"""The most DigitalOcean gives at a time."""
LARGEST = 64 << 20
"""Bytes of an answer: the longest list there can be has a fraction of it."""
CHUNK = 1 << 16
CONNECTIONS = 32
"""Kept open at a time: machines are entered by many threads."""
HARMLESS = ipaddress.ip_network("198.18.0.0/15")
"""Set aside for tests of networks (RFC 2544): besides loopback the only place http is spoken to."""

Json = dict[str, Any]
OnWait = Callable[[str], None]


@dataclass(frozen=True)
class Timeouts:
    """Seconds: for a connection, for anything to arrive, and for an answer as a whole."""

    connect: float = 5.0
    read: float = 30.0
    whole: float = 60.0


@dataclass(frozen=True)
class Answer:
    """`form` is the body as a JSON object, None when it is none; `retry_after` as the header has it."""

    status: int
    retry_after: str
    form: Json | None
    empty: bool

    @property
    def from_the_api(self) -> bool:
        """Whether the API itself speaks: a proxy, a sign-in page and a load balancer answer in HTML."""
        if 200 <= self.status < 300:
            return self.form is not None or self.empty
        if self.form is None:
            return False
        return any(isinstance(self.form.get(key), str) for key in ("id", "error", "message"))

    @property
    def said(self) -> tuple[str, str]:
        """Id and words of a refusal; some endpoints have `error` and `messages` instead of `id` and `message`."""
        form = self.form or {}
        messages = form.get("messages")
        more = " ".join(map(str, messages)) if isinstance(messages, list) else ""
        return str(form.get("id") or ""), str(form.get("message") or more or form.get("error") or "")


@dataclass(frozen=True)
class NoAnswer:
    """`left`: whether the request may have arrived; `passing`: whether trying again may help."""

    why: str
    hint: str
    left: bool
    passing: bool


class _Bearer(requests.auth.AuthBase):
    """Puts the token in at the last moment. As the session's `auth` it also keeps ~/.netrc from taking its place."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


class Transport(Manager):
    """The way to an account. Everything may raise ApiRefused, Unreachable and KeyboardInterrupt.

    What may be said twice (GET, PUT, DELETE, a POST that sets a state) is said again after 429, 5xx, a
    connection that breaks and bodies that are not the API's, until `budget` seconds are over. Any other POST is
    sent once: Ambiguous when it is open whether it was done, ApiRefused when it was not.
    """

    def __init__(
        self,
        token: Secret,
        *,
        origin: str = "DIGITALOCEAN_TOKEN",
        end_point: str | None = None,
        budget: float = BUDGET,
        timeouts: Timeouts = Timeouts(),
        stop: StopSignal | None = None,
        on_wait: OnWait | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], object] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`origin` names where the token comes from, for sentences. `on_wait` is told why it takes longer;
        `stop` wakes us from waiting, and at its second level ends it. `wall` is the time of day, in seconds."""
        _check_token(token, origin)
        # No token for the library: its objects would carry it on, print it in their debug log, and make
        # requests of their own that nobody repeats or counts. Without one they can only be read.
        try:
            super().__init__(  # type: ignore[no-untyped-call]
                token=[], **({} if end_point is None else {"end_point": end_point})
            )
        except EndPointError:
            raise ProviderError("the end point for DigitalOcean's API is no address", _END_POINT) from None
        self.end_point: str = checked_end_point(str(self.end_point))
        self._token = token
        self._origin = origin
        self._budget = budget
        self._timeouts = timeouts
        self._stop = stop
        self._on_wait = on_wait
        self._said = ""
        self._clock = clock
        self._wall = wall
        self._sleep = sleep or (time.sleep if stop is None else stop.wait)
        self._chance = chance
        self._pace = Pace(A_MINUTE)
        self._key_list_pace = Pace(KEY_LISTS_A_MINUTE)
        self._session = self._make_session(token)

    def __repr__(self) -> str:
        return f"Transport({self.end_point})"

    def close(self) -> None:
        self._session.close()

    # ── what the rest of the room asks for ───────────────────────────────────────────────────
    def fetch(self, path: str, **query: str) -> Json | None:
        """One thing; None when there is no such thing."""
        answer = self._exchange("GET", path, query=query)
        return None if answer.status == 404 else answer.form or {}

    def listed(self, path: str, key: str, **query: str) -> list[Json]:
        """All there are: every page, none twice, as many as the API counts. Unreachable when that cannot be had."""
        deadline = self._clock() + self._budget
        attempt = 0
        while True:
            items, flaw = self._pages(path, key, query)
            if not flaw:
                return items
            wait = self._backoff(attempt)
            if self._clock() + wait > deadline:
                raise Unreachable(
                    f"DigitalOcean's list at /v2/{path} never came whole: {flaw}",
                    f"nothing is concluded from half a list; {AGAIN}",
                )
            self.pause(wait, f"DigitalOcean's list at /v2/{path} is not whole ({flaw}); asking again")
            attempt += 1

    def send(self, path: str, body: Json, *, repeatable: bool = False) -> Json:
        """POST. `repeatable` is for those that set a state, where twice is the same as once."""
        return self._exchange("POST", path, body=body, repeatable=repeatable).form or {}

    def put(self, path: str, body: Json) -> Json:
        """PUT of a whole thing: the same twice is the same as once."""
        return self._exchange("PUT", path, body=body).form or {}

    def delete(self, path: str, body: Json | None = None, **query: str) -> bool:
        """Whether there was something to remove."""
        return self._exchange("DELETE", path, query=query, body=body).status != 404

    def pause(self, seconds: float, why: str = "") -> None:
        """Waits, and says why when it is long, the same words once. Raises ProviderError when the user wants it to end now."""
        if why and why != self._said and seconds >= WORTH_SAYING and self._on_wait is not None:
            self._said = why
            self._on_wait(why)
        self._sleep(seconds)
        if self._stop is not None and self._stop.level >= 2:
            raise ProviderError("stopped while waiting for DigitalOcean", AGAIN)

    def now(self) -> float:
        """Seconds of the clock that budgets are kept by."""
        return self._clock()

    # ── what python-digitalocean asks for ────────────────────────────────────────────────────
    def get_data(self, url: str, type: str = "GET", params: Mapping[str, Any] | None = None) -> Json:  # noqa: A002
        """What the Manager's lists are read from, whole. Its other requests are not made through it: see the ADR."""
        path = url.strip("/")
        if type != "GET" or path not in _LISTS:
            raise ProviderError(f"python-digitalocean wants to {type} {path}, which is not left to it")
        key = _LISTS[path]
        return {key: self.listed(path, key, **{name: str(value) for name, value in (params or {}).items()})}

    # ── pages ────────────────────────────────────────────────────────────────────────────────
    def _pages(self, path: str, key: str, query: Mapping[str, str]) -> tuple[list[Json], str]:
        """What the pages hold, and what is wrong with it. Links are never followed, only believed that there is more:
        pages have numbers, and an address in an answer may lead anywhere."""
        items: list[Json] = []
        page, total = 1, None
        while True:
            asked = {**query, "per_page": str(PAGE), "page": str(page)}
            form = self._exchange("GET", path, query=asked, gone_is_news=True).form or {}
            found, counted = form.get(key), _total(form)
            if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
                return [], f"page {page} has no {key}"
            if total is not None and counted != total:
                return [], "it changed while it was read"
            total = counted
            items += found
            if not found or not _has_next(form):
                break
            page += 1
        if total is not None and len(items) != total:
            return [], f"{len(items)} of {total}"
        if len(set(map(_identity, items))) != len(items):
            return [], "something is in it twice"
        return items, ""

    # ── one request, and again ───────────────────────────────────────────────────────────────
    def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        repeatable: bool = False,
        gone_is_news: bool = False,
    ) -> Answer:
        """An answer of the API with a status of 2xx, or 404 to GET and DELETE (refused if `gone_is_news`)."""
        act = act_of(method, path)
        again = repeatable or method != "POST"
        deadline = self._clock() + self._budget
        attempt = 0
        while True:
            outcome = self._once(method, path, query or {}, body)
            if isinstance(outcome, Answer) and self._counts(outcome, method):
                if 200 <= outcome.status < 300:
                    return outcome
                if outcome.status == 404 and method in ("GET", "DELETE") and not gone_is_news:
                    return outcome
                if outcome.status != 429 or not again:
                    raise self._refusal(act, outcome)
            elif isinstance(outcome, Answer) and 300 <= outcome.status < 400:
                raise self._refusal(act, outcome)
            elif not again and not (isinstance(outcome, NoAnswer) and not outcome.left):
                raise self._open(act, outcome)
            self._wait_or_give_up(act, outcome, attempt, deadline)
            attempt += 1

    def _counts(self, answer: Answer, method: str) -> bool:
        """Whether it settles the matter: said by the API, whole, and not that it has trouble of its own."""
        if answer.status >= 500 or answer.status == 408 or 300 <= answer.status < 400:
            return False
        if answer.status < 300 and answer.form is None:
            return answer.empty and (method == "DELETE" or answer.status == 204)
        return answer.from_the_api

    def _wait_or_give_up(self, act: Act, outcome: Answer | NoAnswer, attempt: int, deadline: float) -> None:
        if isinstance(outcome, NoAnswer) and not outcome.passing:
            raise Unreachable(outcome.why, outcome.hint)
        asked = self._asked_to_wait(outcome)
        wait = self._backoff(attempt) if asked is None else min(asked, LONGEST_WAIT)
        if self._clock() + wait > deadline:
            raise self._given_up(act, outcome)
        if asked is not None:
            why = f"DigitalOcean asks to wait {duration(asked)}"
        else:
            why = f"{_trouble(outcome)}; trying again in {duration(wait)}"
        self.pause(wait, why)

    def _asked_to_wait(self, outcome: Answer | NoAnswer) -> float | None:
        """Seconds. A clock that is wrong, here or there, makes a date useless but not harmful."""
        text = outcome.retry_after if isinstance(outcome, Answer) else ""
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - self._wall())
        except (TypeError, ValueError, OverflowError):
            return None

    def _backoff(self, attempt: int) -> float:
        """Half to whole of a wait that doubles: those who failed together do not come back together."""
        return min(MOST_BACKOFF, FIRST_WAIT * GROWTH ** min(attempt, 10)) * (0.5 + self._chance() / 2)

    def _refusal(self, act: Act, answer: Answer) -> ApiRefused:
        asked = self._asked_to_wait(answer)
        return refusal(act, answer.status, answer.said, self._origin, retry_after=asked)

    def _open(self, act: Act, outcome: Answer | NoAnswer) -> Ambiguous:
        return Ambiguous(f"{_trouble(outcome)}, and it is open whether it did {act.words}", AGAIN)

    def _given_up(self, act: Act, outcome: Answer | NoAnswer) -> ProviderError:
        if isinstance(outcome, NoAnswer):
            return Unreachable(outcome.why, outcome.hint)
        if outcome.status == 429 and outcome.from_the_api:
            return self._refusal(act, outcome)
        return Unreachable(
            f"{_trouble(outcome)} to every request to {act.words}, for {duration(self._budget)}",
            f"{STATUS} says whether it has trouble; {AGAIN}",
        )

    # ── on the wire ──────────────────────────────────────────────────────────────────────────
    def _once(self, method: str, path: str, query: Mapping[str, str], body: Json | None) -> Answer | NoAnswer:
        self._keep_pace(method, path)
        began = self._clock()
        try:
            with self._session.request(
                method,
                self.end_point + quote(path, safe="/:"),
                params=dict(query),
                data=None if body is None else json.dumps(body).encode(),
                headers={} if body is None else {"Content-Type": "application/json"},
                timeout=(self._timeouts.connect, self._timeouts.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._read(response, began).strip()
                retry_after = response.headers.get("Retry-After", "").strip()
                return Answer(response.status_code, retry_after, self._form(content), not content)
        except _TROUBLE as error:
            return self._no_answer(error)

    def _read(self, response: requests.Response, began: float) -> bytes:
        """The body, as it comes: a timeout of the socket alone would let one that trickles go on for ever."""
        content = bytearray()
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            content += chunk
            if len(content) > LARGEST:
                raise requests.exceptions.ContentDecodingError("too long")
            if self._clock() - began > self._timeouts.whole:
                raise requests.exceptions.ReadTimeout("too slow")
        return bytes(content)

    def _form(self, content: bytes) -> Json | None:
        """Without our token, should somebody send it back to us."""
        try:
            form = json.loads(content.replace(self._token.reveal().encode(), b"***"))
        except (ValueError, RecursionError):
            return None
        return form if isinstance(form, dict) else None

    def _no_answer(self, error: BaseException) -> NoAnswer:
        """What went wrong as a value that holds nothing of the error: it knows the request, and that the token."""
        host = urlsplit(self.end_point).netloc
        kinds = {type(one).__name__ for one in _causes(error)}
        connecting = {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "ConnectTimeout"}
        left = not kinds & connecting
        if "SSLCertVerificationError" in kinds:
            return NoAnswer(
                f"the certificate that {host} shows is none this machine trusts, so nothing was sent",
                "does this network look into encrypted connections? Then put its authority into a file and name that "
                "in REQUESTS_CA_BUNDLE; and is this machine's clock right?",
                left=False,
                passing=False,
            )
        if "NameResolutionError" in kinds or "gaierror" in kinds:
            return NoAnswer(f"this machine finds no address for {host}", _NETWORK, left=False, passing=True)
        if "ProxyError" in kinds:
            return NoAnswer(
                f"the proxy on the way to {host} does not let us through",
                "HTTPS_PROXY and NO_PROXY say which one is used",
                left=left,
                passing=True,
            )
        if kinds & {"ConnectTimeoutError", "ConnectTimeout"}:
            return NoAnswer(f"there is no connection to {host}: it does not answer", _NETWORK, left, True)
        if "NewConnectionError" in kinds:
            return NoAnswer(f"there is no connection to {host}", _NETWORK, left, True)
        if kinds & {"ReadTimeout", "ReadTimeoutError", "TimeoutError"}:
            return NoAnswer(f"{host} does not answer in time", _NETWORK, left, True)
        return NoAnswer(f"the connection to {host} broke", _NETWORK, left, True)

    def _keep_pace(self, method: str, path: str) -> None:
        paces = [self._pace]
        if method == "GET" and path == "account/keys":
            paces.insert(0, self._key_list_pace)
        for pace in paces:
            while (wait := pace.reserve(self._clock())) > 0:
                self.pause(
                    wait, f"DigitalOcean allows so many requests a minute: going on in {duration(wait)}"
                )

    def _make_session(self, token: Secret) -> requests.Session:
        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
        session.auth = _Bearer(token)
        library = f"python-digitalocean/{digitalocean.__version__}"
        session.headers.update(
            {
                "User-Agent": f"cloudburst/{__version__} {library} requests/{requests.__version__}",
                "Accept": "application/json",
            }
        )
        # Plain http goes to this very machine or its lab; a proxy from the environment would read the token.
        session.trust_env = self.end_point.startswith("https:")
        return session


_TROUBLE: tuple[type[Exception], ...] = (
    OSError,
    requests.RequestException,
    requests.exceptions.BaseHTTPError,  # type: ignore[attr-defined]  # urllib3's: from reading a body
)
_LISTS = {
    "account/keys": "ssh_keys",
    "images": "images",
    "regions": "regions",
    "sizes": "sizes",
    "tags": "tags",
    "vpcs": "vpcs",
}
_END_POINT = "DIGITALOCEAN_END_POINT is for tests; without it, https://api.digitalocean.com/v2/ is asked"
_NETWORK = f"is this machine's network up? {AGAIN}"


def checked_end_point(text: str) -> str:
    """With its last slash. Raises ProviderError for one that would carry the token in the open."""
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise ProviderError("the end point for DigitalOcean's API is no address", _END_POINT)
    if url.username is not None or url.password is not None:
        raise ProviderError("the end point for DigitalOcean's API holds a name or password", _END_POINT)
    if url.scheme == "http" and not _is_harmless(url.hostname):
        raise ProviderError(f"the token is not sent to {url.hostname} without encryption", _END_POINT)
    return text if text.endswith("/") else text + "/"


def _is_harmless(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or (address.version == 4 and address in HARMLESS)


def _check_token(token: Secret, origin: str) -> None:
    """http.client shows a header it cannot send in its error, token and all: such a one must not get there."""
    text = token.reveal()
    if not text or not all("!" <= character <= "~" for character in text):
        raise ProviderError(
            f"what is in {origin} is no token of DigitalOcean's: "
            + ("it is empty" if not text else "it has a space, a line break or the like in it"),
            "copy it again from where it was shown, and nothing else",
        )


def _total(form: Json) -> int | None:
    meta = form.get("meta")
    total = meta.get("total") if isinstance(meta, dict) else None
    return total if isinstance(total, int) else None


def _has_next(form: Json) -> bool:
    links = form.get("links")
    pages = links.get("pages") if isinstance(links, dict) else None
    return bool(isinstance(pages, dict) and pages.get("next"))


def _identity(item: Json) -> str:
    """What tells two items of a list apart: most have an id, sizes and regions a slug, tags a name, members a urn."""
    return next((f"{key} {item[key]}" for key in ("id", "urn", "slug", "name") if item.get(key)), repr(item))


def _trouble(outcome: Answer | NoAnswer) -> str:
    if isinstance(outcome, NoAnswer):
        return outcome.why
    if outcome.status == 429:
        return "DigitalOcean takes no more requests for now"
    if not outcome.from_the_api and outcome.status < 500:
        return "what answers in DigitalOcean's place is not its API"
    return f"DigitalOcean answered {outcome.status}"


def _causes(error: BaseException) -> Iterable[BaseException]:
    """The error and what it wraps, however: requests and urllib3 put causes into `args`, `reason` and chains."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one in found or len(found) > 50:
            continue
        found.append(one)
        wrapped = (*one.args, getattr(one, "reason", None), one.__cause__, one.__context__)
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]
    return found
