"""The status page as a browser receives it: whole, valid, with nothing in it that a user's text could start."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cloudburst.run.api import CLIENT, Api
from cloudburst.run.computation import Timing
from cloudburst.run.http import VIEWER, Server, basic
from cloudburst.run.loop import Controller
from cloudburst.run.markup import VOID
from cloudburst.run.queue import Queue
from cloudburst.run.status_page import HEADERS, NODES, Sight, make_page
from cloudburst.run.tallies import Tallies
from cloudburst.secret import Secret

from .conftest import thaw_waves
from .test_tallies import failed, outcome

EVIL = "</title></p><script>alert(1)</script><img src=x onerror='alert(2)'>\"'&"


def node(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "node": name,
        "state": "ready",
        "detail": "",
        "slots": 4,
        "busy": 3,
        "order": None,
        "clock": 0.1,
        "version": "0.1.0",
        **changes,
    }


RUNNING: Mapping[str, Any] = {
    "format": 1,
    "state": "running",
    "reason": "",
    "rows": 1200,
    "jobs": 1000,
    "done": 412,
    "failed": 8,
    "to_do": 480,
    "recorded": 100,
    "running": 7,
    "queued": 40,
    "rate": 28.1,
    "seconds_left": 17.1,
    "seconds": 200.0,
    "slots": {"busy": 7, "total": 8},
    "nodes": [node("node-1"), node("node-2", busy=4)],
    "problems": [],
    "sinks": [],
}


def sight(
    tallies: Tallies | None = None, links: tuple[str, ...] = (), study: str = "waves", **changes: Any
) -> Sight:
    counted = (tallies or Tallies()).counted()
    return Sight(study, 1_800_000_000.0, 1_800_000_200.0, {**RUNNING, **changes}, counted, links)


class Seen(HTMLParser):
    """A strict reader: every element is closed by its own end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.programs: dict[str, str] = {}
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.programs[self.open[-1]] = data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def seen(*args: Any, **changes: Any) -> Seen:
    return Seen(make_page(sight(*args, **changes)))


def test_everything_there_is_to_say_is_on_it() -> None:
    text = seen(links=("grafana",)).text
    for words in (
        "waves running",
        "52 % 520 of 1,000 jobs",
        "recorded before 100",
        "done 412",
        "failed 8",
        "running 7",
        "in the queue 40",
        "not sent yet 433",
        "Jobs end 28.1 a second",
        "Time left 17 s",
        "Running for 3 min 20 s",
        "Started 2027-01-15 08:00:00 UTC",
        "Slots busy 7 of 8",
        "Nodes 2 ready",
        "node-2 ready 4 of 4 in step 0.1.0",
    ):
        assert words in text.replace("\u00a0", " ")


def test_a_browser_without_javascript_loads_it_again() -> None:
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in make_page(sight())


def test_readers_who_do_not_see_find_their_way() -> None:
    page = seen(links=("grafana",), problems=["it is late"])
    names = [name for name, _ in page.elements]
    for landmark in ("header", "nav", "main", "footer"):
        assert names.count(landmark) == 1
    assert names.count("h1") == 1
    assert names.count("table") == names.count("caption")
    assert page.all("html") == [{"lang": "en"}]
    [progress] = page.all("progress")
    assert (progress["value"], progress["max"], progress["aria-label"]) == ("520", "1000", "jobs that ended")
    assert all("scope" in head for head in page.all("th"))
    assert all(drawing["aria-hidden"] == "true" for drawing in page.all("svg"))
    polite = [x for _, x in page.elements if x.get("aria-live") == "polite"]
    assert {x.get("role") or x.get("id") for x in polite} == {"status", "notices"}, (
        "not every number that moves"
    )


def test_links_only_to_what_is_there() -> None:
    def links(*names: str) -> list[str | None]:
        return [x["href"] for x in seen(links=names).all("a")][1:]

    assert links() == ["metrics", "api/status"]
    assert links("grafana", "queue") == ["grafana/", "queue/", "metrics", "api/status"]
    assert not seen().all("nav")


def test_no_text_of_a_user_becomes_markup() -> None:
    tallies = Tallies()
    tallies.note(failed(1, EVIL) | {"worker": EVIL})
    page = seen(
        tallies,
        study=EVIL,
        state="paused",
        reason=EVIL,
        problems=[EVIL],
        nodes=[node(EVIL, detail=EVIL, version=EVIL, state=EVIL)],
        sinks=[{"sink": EVIL, "points": 1, "waiting": 0, "problem": EVIL}],
    )
    assert page.text.count("<script>alert(1)</script>") >= 8
    assert not page.all("img")
    assert len(page.all("script")) == 1
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_the_policy_lets_run_what_is_ours_and_nothing_else() -> None:
    page = Seen(make_page(sight()))
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.programs[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert all("style" not in attributes for _, attributes in page.elements)
    assert "http" not in "".join(str(x.get("href")) for x in page.all("link")).replace(
        "http://www.w3.org", ""
    )


def test_the_states_of_a_study() -> None:
    idle = seen(study="", state="idle", jobs=0, nodes=[], slots={"busy": 0, "total": 0})
    assert "No study yet. cloudburst apply sends one." in idle.text
    over = seen(state="finished", done=892, to_do=0, running=0, queued=0, seconds_left=None)
    assert "100 % 1,000 of 1,000 jobs" in over.text
    assert "Time left none" in over.text
    assert "Jobs ended 4.5 a second" in over.text, "on average, not in a last half minute that is empty"
    assert "Took 3 min 20 s" in over.text
    broken = seen(state="broken", reason="no disk space for the environment")
    assert "no disk space for the environment" in broken.text
    waiting = seen(state="starting", jobs=0, done=0, failed=0, recorded=0, to_do=0, nodes=[])
    assert "0 % getting ready" in waiting.text
    assert "No node reports." in waiting.text


def test_a_hundred_percent_are_said_when_all_is_over() -> None:
    assert "99 % 999 of 1,000 jobs" in seen(done=891, to_do=1).text
    assert "0.1 % 1 of 1,000 jobs" in seen(done=1, failed=0, recorded=0, to_do=999).text


def test_nodes_that_need_a_look_come_first_and_none_is_forgotten() -> None:
    nodes = [
        node("a"),
        node("c", state="preparing", detail="building"),
        node("b", state="broken", detail="no disk\nmore"),
    ]
    text = seen(nodes=[*nodes, node("d", clock=-43.0)]).text.replace("\u00a0", " ")
    assert "Nodes 1 broken, 1 preparing, 2 ready" in text
    assert text.index("no disk") < text.index("building") < text.index(" a ready")
    assert "more" not in text.split("no disk")[1][:10]
    assert "43 s behind" in text
    many = seen(nodes=[node(f"n-{i}") for i in range(NODES + 30)])
    assert f"{NODES + 30} ready; 30 more are not shown" in many.text


def test_failures_by_kind_and_the_latest() -> None:
    tallies = Tallies()
    for number in range(3):
        tallies.note(failed(number, f"ValueError: {number} is too high"))
    text = seen(tallies).text
    assert "3 attempts failed" in text
    assert "3 ValueError: 2 is too high such as 00000000 (row 2)" in text
    assert "error, row 2, attempt 1, on node-1/0, 1970-01-01 00:16:42 UTC" in text


def test_failures_from_before_this_controller_are_said() -> None:
    assert "8 jobs failed before this controller was started. cloudburst failures lists them" in seen().text
    assert "failed before" not in seen(failed=0).text


def test_it_does_not_grow_with_the_study() -> None:
    def size(failures: int) -> int:
        tallies = Tallies()
        for number in range(failures):
            tallies.note(failed(number, f"{number:x} {'abcdefgh'[number % 8]} is too high"))
            tallies.note(outcome(number))
        return len(make_page(sight(tallies)))

    assert size(20_000) < size(200) + 200


# ── over HTTP ────────────────────────────────────────────────────────────────────────────────
TOKENS = {CLIENT: Secret("for clients"), VIEWER: Secret("for viewers")}


@pytest.fixture
def address(short: Path, tmp_path: Path) -> Iterator[str]:
    """A controller without a study, behind its real server."""

    def nowhere(study: str) -> Queue:
        raise AssertionError(study)

    controller = Controller(tmp_path, nowhere, thaw_waves, Timing(), links=("grafana",))
    server = Server(f"unix:{short}/controller.sock", Api(controller, TOKENS))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"{server.address}"
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: str


def ask(address: str, method: str, path: str, authorization: str | None) -> Answer:
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(address.removeprefix("unix:"))
        connection = http.client.HTTPConnection("localhost")
        connection.sock = connected
        connection.request(method, path, headers={"Authorization": authorization} if authorization else {})
        with connection.getresponse() as found:
            return Answer(found.status, found.headers, found.read().decode())


def test_a_browser_asks_for_the_password_and_gets_the_page(address: str) -> None:
    refused = ask(address, "GET", "/", None)
    assert refused.status == 401
    assert 'Basic realm="cloudburst", charset="UTF-8"' in (refused.headers.get_all("WWW-Authenticate") or [])
    answer = ask(address, "GET", "/", f"Basic {basic(TOKENS[VIEWER])}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "No study yet." in Seen(answer.body).text


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer for viewers", 200),
        ("Bearer for clients", 200),
        (f"Basic {basic(Secret('for clients'))}", 401),
        ("Basic", 401),
        ("Basic ====", 401),
        (f"Basic {base64.b64encode(b'admin:for viewers').decode()}", 401),
        ("Bearer", 401),
    ],
)
def test_who_may_look(address: str, authorization: str, status: int) -> None:
    for path in ("/", "/metrics", "/api/status"):
        assert ask(address, "GET", path, authorization).status == status


def test_who_may_look_may_not_touch(address: str) -> None:
    answer = ask(address, "POST", "/api/pause", f"Basic {basic(TOKENS[VIEWER])}")
    assert answer.status == 403
    assert ask(address, "PUT", "/api/study", f"Basic {basic(TOKENS[VIEWER])}").status in (403, 411)
