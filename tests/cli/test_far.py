"""status, watch, cancel, results, logs, failures, retry of a study that a swarm computes, and of none.

The swarm's controller and file store are those of tests/run, at the end of a way that the test makes;
how the way to a real one is found is tested in the lab.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cloudburst.cli.views import status as status_view
from cloudburst.cli.views.grid import cells
from cloudburst.cli.views.paint import PLAIN
from cloudburst.cli.views.watch import lines
from cloudburst.cli.watching import Sight
from cloudburst.errors import ControllerError, Unreachable
from cloudburst.run import clusters, replica
from cloudburst.run.file_store import FileService
from cloudburst.run.file_store import FileStore as Store
from cloudburst.run.http import Server
from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import read_study
from cloudburst.run.secrets import FILES_TOKEN, generate, read

WHERE = "ssh://root@10.0.0.1"


def status(**more: Any) -> dict[str, Any]:
    node = {"detail": "", "slots": 2, "busy": 2, "order": None}
    return {
        "format": 1,
        "state": "running",
        "reason": "",
        "rows": 200,
        "jobs": 200,
        "done": 123,
        "failed": 0,
        "to_do": 77,
        "recorded": 0,
        "running": 4,
        "queued": 20,
        "rate": 28.1,
        "seconds_left": 2.7,
        "seconds": 64.0,
        "slots": {"busy": 4, "total": 4},
        "nodes": [{**node, "node": f"worker-{n}", "state": "ready"} for n in (1, 2)],
        "problems": [],
        "sinks": [],
        **more,
    }


@dataclass
class Afar:
    """A controller as its client shows it: statuses one after the other, and a real ledger."""

    home: Ledger
    says: list[Any] = field(default_factory=lambda: [status()])
    cancelled: list[bool] = field(default_factory=list)

    def status(self) -> dict[str, Any]:
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        if callable(said):
            said()
            return self.status()
        assert isinstance(said, dict)
        return said

    def cancel(self, *, now: bool) -> dict[str, Any]:
        self.cancelled.append(now)
        return status(state="paused" if now else "pausing", reason="you cancelled it")

    def ledger(self) -> dict[str, Any]:
        with self.opened() as home:
            return {"uuid": home.uuid, "last": home.last_line(), "payloads": home.payloads()}

    def rows(self, after: int, limit: int) -> dict[str, Any]:
        with self.opened() as home:
            page = home.page(after, at_most=limit)
            return {"uuid": home.uuid, **replica.to_json(page)}

    @contextmanager
    def opened(self) -> Iterator[Ledger]:
        """In whatever thread asks."""
        with Ledger.open(self.home._path, "tanks") as home:
            yield home


@dataclass
class Swarm:
    """What the study names. `away`: the error of whoever tries to reach it; `stands`: whether there is a stack."""

    controller: Afar
    files: Store
    away: Unreachable | None = None
    stands: bool = True

    @contextmanager
    def connected(self, study: Any) -> Iterator[Any]:
        assert study.ensemble.cluster.provider == "swarm"
        if self.away:
            raise self.away
        yield (
            clusters.Connected(
                self.controller,  # type: ignore[arg-type]
                self.files,
                lambda: "",
                None,  # type: ignore[arg-type]
                (),
                {},
                WHERE,
            )
            if self.stands
            else None
        )


@pytest.fixture
def far(computed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The computed study, all of it at the swarm and nothing on this machine."""
    spec = computed.read("ensemble.yaml") + "cluster: {provider: {swarm: {context: lab}}}\n"
    computed.write({"ensemble.yaml": spec})
    home = tmp_path / "home"
    place = read_study(computed.directory / "ensemble.yaml").places
    shutil.copytree(place.root, home)
    shutil.rmtree(place.state)
    generate(home / "secrets")
    server = Server(f"unix:{home}/f.sock", FileService(home / "files", home / "secrets", 1 << 20))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with Ledger.open(home / "ledger.sqlite", "tanks") as ledger:
        swarm = Swarm(Afar(ledger), Store(f"unix:{home}/f.sock", read(home / "secrets", FILES_TOKEN)))
        monkeypatch.setattr(clusters, "connected", swarm.connected)
        computed.swarm = swarm
        yield computed
    server.shutdown()
    server.server_close()
    thread.join()


# ── what looks ───────────────────────────────────────────────────────────────────────────────
def test_status_brings_the_rows_home_and_says_how_the_nodes_are(far: Any) -> None:
    ended = far.run("status")
    assert ended.err == ""
    assert ended.out == (
        "tanks: 8 rows, 7 done, 1 failed\n"
        "running on ssh://root@10.0.0.1 (1 min 04 s): 123 of 200: 123 done, 28.1 a second, 2.7 s left\n"
        "4 of 4 slots busy, 20 jobs in the queue\n"
        "  node      state  busy\n"
        "  worker-1  ready  2 of 2\n"
        "  worker-2  ready  2 of 2\n"
    )
    document = far.run("status", "--json").json
    assert (document["where"], document["away"], document["run"]["done"]) == (WHERE, None, 123)


def test_what_is_wrong_is_in_the_status(far: Any) -> None:
    off = {"node": "worker-3", "state": "broken", "detail": "its clock is 31 s ahead of the queue's"}
    sink = {"sink": "influxdb cloudburst", "points": 201900, "waiting": 3, "problem": "the server is away"}
    far.swarm.controller.says = [
        status(
            nodes=[*status()["nodes"], {**off, "slots": 2, "busy": 0, "order": None, "clock": 31.0}],
            problems=["3 batches in the queue, and nobody works for 40 s: no node reports"],
            sinks=[sink],
        )
    ]
    out = far.run("status").out
    assert "  worker-3  broken  0 of 2  its clock is 31 s ahead of the queue's\n  worker-1" in out
    assert "influxdb cloudburst: 201,900 points stored, 3 jobs not fed yet\n" in out
    assert "warning: influxdb cloudburst: the server is away\n" in out
    assert "warning: 3 batches in the queue, and nobody works" in out


def test_a_swarm_that_cannot_be_reached_is_a_note(far: Any) -> None:
    far.run("status")
    far.swarm.away = Unreachable("ssh://root@10.0.0.1 does not answer")
    ended = far.run("status")
    assert ended.code == 0
    assert ended.out == "tanks: 8 rows, 7 done, 1 failed\nwhether anything runs there cannot be said\n"
    assert ended.err == (
        "the swarm cannot be reached: ssh://root@10.0.0.1 does not answer; this is what this machine has\n"
    )
    assert far.run("status", "--json").json["away"].startswith("the swarm cannot be reached")
    for command in ("results", "failures"):
        ended = far.run(command)
        assert (ended.code, "this is what this machine has" in ended.err) == (0, True)


def test_a_controller_that_does_not_answer_just_now_is_a_note(far: Any) -> None:
    far.swarm.controller.ledger = lambda: (_ for _ in ()).throw(ControllerError("nothing answers"))
    far.swarm.controller.says = [ControllerError("nothing answers")]
    ended = far.run("status")
    assert ended.out == "tanks: 8 rows, 8 to do\nwhether anything runs there cannot be said\n"
    assert ended.err == "nothing answers; this is what this machine has\n"


def test_without_a_stack_nothing_runs(far: Any) -> None:
    far.swarm.stands = False
    assert far.run("status").out == "tanks: 8 rows, 8 to do\nnothing runs now\n"
    assert far.names == ["ensemble.lock", "ensemble.yaml", "model/tank.py"], "and nothing was made"


def test_results_failures_and_logs_of_a_swarm(far: Any) -> None:
    assert far.run("results").out.count("done") == 7
    [failure] = far.run("failures", "--json").json["failures"]
    assert failure["row"] == 5
    assert "attempt 2: failed (error)" in far.run("logs", "row:5").out


def test_a_series_is_fetched_when_it_is_asked_for(far: Any) -> None:
    place = read_study(far.directory / "ensemble.yaml").places
    far.run("results")
    assert not list(place.files.rglob("*/*/*"))
    assert len(far.run("results", "--series", "level").out.splitlines()) == 1 + 2 * 7
    assert len(list(place.files.rglob("results/*/*"))) == 7
    far.swarm.away = Unreachable("the cable is out")
    assert len(far.run("results", "--series", "level").out.splitlines()) == 1 + 2 * 7


def test_exported_is_what_the_swarm_has_too(far: Any) -> None:
    ended = far.run("export", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert (ended.json["outcomes"], ended.json["objects"], ended.json["absent"]) == (9, 7, [])
    shutil.rmtree(far.directory / ".cloudburst")
    far.swarm.away = Unreachable("ssh://root@10.0.0.1 does not answer")
    alone = far.run("export", "alone.cbstudy")
    assert "this is what this machine has" in alone.err
    assert "recorded" not in alone.out


def test_jobs_to_be_retried_are_looked_up_where_they_failed(far: Any) -> None:
    ended = far.run("retry", "row:0")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: row:0 did not fail: it is done")


# ── cancel ───────────────────────────────────────────────────────────────────────────────────
def test_cancel(far: Any) -> None:
    assert far.run("cancel").out == (
        "tanks: no job is started any more, those that run are finished; 77 jobs left to do\n"
        "`cloudburst apply` goes on from there\n"
    )
    assert far.run("cancel", "--now").out.startswith("tanks: stopped, 77 jobs left to do\n")
    assert far.swarm.controller.cancelled == [False, True]
    assert far.run("cancel", "--json").json["run"]["state"] == "pausing"


def test_nothing_to_cancel(far: Any, study: Any) -> None:
    far.swarm.stands = False
    assert far.run("cancel").out == "tanks: nothing runs\n"
    assert far.run("cancel", "--json").json == {"study": "tanks", "run": None}


def test_cancelling_what_cannot_be_reached_is_an_error(far: Any) -> None:
    far.swarm.away = Unreachable("the cable is out")
    ended = far.run("cancel")
    assert (ended.code, ended.out) == (1, "")
    assert "nothing was cancelled" in ended.err


# ── watch ────────────────────────────────────────────────────────────────────────────────────
def test_watching_to_the_end(far: Any, fast: None) -> None:
    over = status(state="finished", done=199, failed=1, to_do=0, rate=0.0, seconds_left=None)
    far.swarm.controller.says = [status(), status(problems=["the queue's disk is full"]), over]
    ended = far.run("watch")
    assert ended.code == 4, "there are failed jobs"
    assert ended.err.splitlines() == [
        "123 of 200: 123 done, 28.1 a second, 2.7 s left",
        "warning: the queue's disk is full",
        "200 of 200: 199 done, 1 failed",
    ]
    assert ended.out.startswith("tanks: 8 rows, 7 done, 1 failed\nfinished on ssh://root@10.0.0.1")
    events = far.run("watch", "--json").lines
    assert [event["event"] for event in events] == ["progress", "standing"]


def test_watching_goes_on_when_there_was_no_answer_for_a_while(far: Any, fast: None) -> None:
    over = status(state="finished", done=200, to_do=0)
    gone = ControllerError("nothing answers")
    far.swarm.controller.says = [status(), gone, gone, over]
    ended = far.run("watch")
    assert "warning: no answer for" in ended.err
    assert "200 of 200" in ended.err


def test_watching_what_stands_still(far: Any, fast: None) -> None:
    far.swarm.controller.says = [status(state="paused", reason="you cancelled it")]
    ended = far.run("watch")
    assert ended.code == 1
    assert "(paused: you cancelled it)" in ended.err


def test_nothing_to_watch(far: Any, study: Any) -> None:
    far.swarm.stands = False
    ended = far.run("watch")
    assert (ended.code, ended.out) == (0, "tanks: 8 rows, 8 to do\nnothing runs now\n")


def test_a_swarm_out_of_reach_is_waited_for(far: Any, fast: None) -> None:
    far.swarm.away = Unreachable("the cable is out")

    def mended(study: Any, real: Any = far.swarm.connected) -> Any:
        far.swarm.away = None
        return real(study)

    far.swarm.controller.says = [status(state="finished", done=200, to_do=0)]
    tries = iter([far.swarm.connected, far.swarm.connected, mended])
    clusters.connected = lambda study: next(tries, far.swarm.connected)(study)  # type: ignore[assignment]
    ended = far.run("watch")
    said = "the swarm cannot be reached: the cable is out; trying again until Ctrl-C\n"
    assert ended.err.startswith(said)
    assert ended.err.count("trying again") == 1
    assert ended.out.endswith("worker-2  ready  2 of 2\n")


def test_ctrl_c_ends_the_watching_and_nothing_else(far: Any, fast: None) -> None:
    far.swarm.controller.says = [status(), lambda: os.kill(os.getpid(), signal.SIGINT), status()]
    before = signal.getsignal(signal.SIGINT)
    ended = far.run("watch")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err.endswith("the study goes on; `cloudburst watch` comes back\n")
    assert far.swarm.controller.cancelled == []
    assert signal.getsignal(signal.SIGINT) is before


def test_a_terminal_shows_a_picture_and_gets_its_own_page_back(far: Any, fast: None) -> None:
    far.swarm.controller.says = [status(), status(state="finished", done=200, to_do=0)]
    ended = far.on_a_terminal("watch")
    assert "\x1b[?1049h" in ended.err
    assert ended.err.rstrip().endswith("\x1b[?25h") or "\x1b[?1049l" in ended.err
    assert "worker-2" in ended.err
    assert "tanks" in ended.out


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudburst.cli.watching.LOOK_EVERY", 0.01)


# ── the picture ──────────────────────────────────────────────────────────────────────────────
def picture(width: int = 80, height: int = 24, **more: Any) -> list[str]:
    changes = {key: more.pop(key) for key in ("silent", "trouble", "failures") if key in more}
    sight = Sight("net3-diameters", WHERE, status(**more), **changes)
    return lines(sight, file="", width=width, height=height, paint=PLAIN)


def test_the_picture_on_80_columns() -> None:
    failed = {
        "id": "5abf5d8ce9d9baac84c2",
        "row": 10,
        "kind": "error",
        "error": "ValueError: no\nTraceback …",
    }
    assert picture(failed=2, to_do=75, failures=(failed,)) == [
        "net3-diameters on ssh://root@10.0.0.1",
        "running, for 1 min 04 s",
        "",
        "━━━━━━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌ 125 of 200, 2 failed, 28.1 a second, 2.7 s left",
        "4 of 4 slots busy, 20 jobs in the queue",
        "",
        "  node      state  busy",
        "  worker-1  ready  2 of 2",
        "  worker-2  ready  2 of 2",
        "",
        "2 failed, `cloudburst failures` lists them",
        "  5abf5d8c  row 10  error  ValueError: no",
        "",
        "Ctrl-C ends the watching, not the study.",
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("height", [6, 24, 60])
def test_the_picture_fits(width: int, height: int) -> None:
    nodes = [
        {"node": f"node-{n:03}.example.org", "state": "ready", "detail": "", "slots": 32, "busy": 32}
        for n in range(100)
    ]
    nodes[70] |= {"state": "broken", "detail": "no space left on the device, " * 5}
    shown = picture(
        width,
        height,
        nodes=nodes,
        problems=["3 batches in the queue, and nobody works for 40 s: " + "no node reports " * 8],
        trouble="nothing answers at tcp:10.0.0.1:8080",
        silent=12.0,
        reason="a reason that is longer than any terminal is wide, " * 5,
    )
    assert len(shown) <= max(height, 3)
    assert all(cells(line) <= width for line in shown)
    if height >= 24:
        assert any("node-070" in line for line in shown), "who needs a look comes first"
        assert any("nodes more" in line for line in shown)


def test_a_study_with_nothing_to_do_has_a_full_bar() -> None:
    assert picture(done=0, to_do=0, rate=0.0, seconds_left=None)[3].startswith("━" * 30 + " 0 of 0")


def test_many_nodes_in_the_status() -> None:
    node = {"state": "ready", "detail": "", "slots": 2, "busy": 1}
    shown = status_view.nodes([{**node, "node": f"n{k:02}"} for k in range(50)], width=80)
    assert (len(shown), shown[-1]) == (22, "  and 30 nodes more")


# ── a study of this machine ──────────────────────────────────────────────────────────────────
WAITING = """\
import pathlib, time

def fill(inflow, height, area):
    while not pathlib.Path(PLACE).exists():
        time.sleep(0.02)
    return 1
"""


@pytest.mark.slow
def test_a_run_in_another_terminal_is_watched_and_cancelled(study: Any, tmp_path: Path) -> None:
    study.write({"model/tank.py": WAITING.replace("PLACE", repr(str(tmp_path / "go")))})
    apply = study.process("apply", "--json")
    for line in apply.stdout:
        if json.loads(line).get("status", {}).get("running"):
            break
    watch = study.process("watch", "--json")
    seen = json.loads(watch.stdout.readline())
    assert (seen["event"], seen["status"]["jobs"]) == ("progress", 8)
    cancelled = study.run("cancel")
    assert "no job is started any more, those that run are finished" in cancelled.out
    (tmp_path / "go").touch()
    out, err = apply.communicate(timeout=60)
    assert apply.returncode == 1, err
    assert json.loads(out.splitlines()[-1])["reason"] == "you cancelled it"
    out, err = watch.communicate(timeout=60)
    assert json.loads(out.splitlines()[-1])["event"] == "standing"
    assert study.run("apply").code == 0
