"""The controller's HTTP: who may ask what, and a ledger that is read and filled from afar."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import ControllerError, QueueError
from cloudburst.run import replica
from cloudburst.run.api import CLIENT, ROUTES, Api
from cloudburst.run.computation import Timing
from cloudburst.run.controller_client import ControllerClient
from cloudburst.run.http import VIEWER, Server, request
from cloudburst.run.ledger import Counts, Ledger, Loss
from cloudburst.run.loop import Controller
from cloudburst.run.queue import Queue
from cloudburst.secret import Secret

from .conftest import ORDER, thaw_waves
from .test_ledger import NEW, ids, outcome

TOKENS = {CLIENT: Secret("may everything"), VIEWER: Secret("may look")}


def no_queue(_study: str) -> Queue:
    raise QueueError("the queue does not answer: there is none here")


class Served:
    """A controller without a queue, behind its HTTP."""

    def __init__(self, place: Path, home: Path) -> None:
        self.home = home
        self.controller = Controller(home, no_queue, thaw_waves, Timing())
        self.address = f"unix:{place}/controller.sock"
        self._server = Server(self.address, Api(self.controller, TOKENS))
        self._threads = [
            threading.Thread(target=self._server.serve_forever),
            threading.Thread(target=self._work),
        ]
        for thread in self._threads:
            thread.start()
        self.client = ControllerClient(self.address, TOKENS[CLIENT])

    def ask(self, method: str, path: str, body: Any = None, *, role: str = CLIENT) -> tuple[int, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        answer = request(self.address, method, path, token=TOKENS[role], body=content)
        return answer.status, answer.json()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.controller.end()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        self.controller.run()
        self.controller.close()


@pytest.fixture
def served(short: Path, tmp_path: Path) -> Iterator[Served]:
    one = Served(short, tmp_path)
    yield one
    one.close()


# ── who may what ─────────────────────────────────────────────────────────────────────────────
def test_a_viewer_may_look_and_nothing_else(served: Served) -> None:
    allowed = {route.path for route in ROUTES if served.ask(route.method, route.path, role=VIEWER)[0] != 403}
    assert allowed == {"/", "/metrics", "/api/status"}
    assert served.ask("POST", "/api/cancel", role=VIEWER) == (
        403,
        {"error": "this token may look and not touch: the api-token is needed here"},
    )


def test_without_a_token_every_path_is_closed(served: Served) -> None:
    for route in (*ROUTES, None):
        path = route.path if route else "/api/other"
        answer = request(
            served.address, route.method if route else "GET", path, token=Secret("guessed"), body=b""
        )
        assert answer.status == 401


def test_what_is_not_there_is_said_with_what_is(served: Served) -> None:
    status, said = served.ask("GET", "/api/other")
    assert status == 404
    assert "PUT /api/study, GET /api/status" in said["error"]
    assert served.ask("DELETE", "/api/status")[0] == 404
    assert served.ask("GET", "/api/status?x=1")[1]["state"] == "idle"


def test_every_route_is_in_the_contract() -> None:
    contract = (Path(__file__).parents[2] / "docs/contracts.md").read_text("utf-8")
    assert [f"{r.method} {r.path}" for r in ROUTES if f"`{r.method} {r.path}" not in contract] == []


# ── the ledger from afar ─────────────────────────────────────────────────────────────────────
def test_where_nothing_is_recorded_there_is_no_ledger(served: Served) -> None:
    assert served.client.ledger() == {"format": 1, "study": None, "uuid": None, "last": 0, "payloads": {}}
    assert served.client.rows(0, 10)["rows"] == []


def test_a_ledger_travels_there_and_back(served: Served, tmp_path: Path) -> None:
    """Before any study is handed over: what arrives then counts as recorded."""
    loss = Loss(ids(1)[0], NEW, 1, "node-1/0", 5.0)
    with Ledger.open(tmp_path / "mine.sqlite", "waves", create=True) as mine:
        mine.record([outcome(n) for n in range(700)], [loss])
        assert replica.push_from(mine, served.client) == 700
        assert replica.push_from(mine, served.client) == 0
    with Ledger.open(tmp_path / "another.sqlite", "waves", create=True) as other:
        assert replica.pull_into(other, served.client) == 700
        assert other.counts(NEW) == Counts(700, 0)
        assert list(other.losses(NEW)) == [loss]
    facts = served.client.ledger()
    assert (facts["study"], facts["last"], list(facts["payloads"])) == ("waves", 701, [NEW])


def test_pages_of_rows(served: Served, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "ledger.sqlite", "waves", create=True) as ledger:
        ledger.record(outcome(n) for n in range(5))
    page = served.client.rows(1, 2)
    assert ([row["row"] for row in page["rows"]], page["last"], page["more"]) == ([1, 2], 3, True)
    page = served.client.rows(3, 2)
    assert (len(page["rows"]), page["last"], page["more"]) == (2, 5, False)
    assert served.ask("GET", "/api/rows?after=x") == (400, {"error": "`after` is a whole number, such as 0"})
    assert served.ask("GET", "/api/rows?after=99999999999999999999")[0] == 400


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"format": 1, "rows": [], "losses": []}, "rows come with `study`"),
        ({"study": "waves", "payloads": {}, "format": 1, "rows": [{}], "losses": []}, "these are not rows"),
        ([], "rows come with `study`"),
    ],
)
def test_what_are_no_rows_is_a_sentence(served: Served, body: Any, sentence: str) -> None:
    status, said = served.ask("PUT", "/api/rows", body)
    assert status == 400
    assert said["error"].startswith(sentence)
    assert served.client.ledger()["uuid"] is None


def test_rows_of_another_study_are_refused(served: Served, tmp_path: Path) -> None:
    Ledger.open(tmp_path / "ledger.sqlite", "waves", create=True).close()
    body = {"study": "tides", "payloads": {}, "format": 1, "rows": [outcome(1)], "losses": []}
    status, said = served.ask("PUT", "/api/rows", body)
    assert status == 503
    assert "belongs to the study 'waves', not to 'tides'" in said["error"]


# ── commands while there is no queue ─────────────────────────────────────────────────────────
def test_cancelling_nothing_is_no_error(served: Served) -> None:
    assert served.client.cancel()["state"] == "idle"
    assert served.ask("POST", "/api/cancel", {"now": "yes"}) == (
        400,
        {"error": '`now` is true or false: {"now": false}'},
    )


def test_a_study_that_no_queue_is_there_for_is_not_taken_on(served: Served) -> None:
    with pytest.raises(ControllerError, match="the queue does not answer: there is none here"):
        served.client.put_study({"waves": 3}, ORDER)
    assert served.client.status()["state"] == "idle"
    assert not (served.home / "study.json").exists(), "nothing was begun, so nothing goes on later"
