"""Sinks filled beside a running controller, and all at once by a command."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from influxd import PASSWORD, USER, Database, Influxd, free_port

from cloudburst import assets
from cloudburst.errors import ControllerError
from cloudburst.run import feeding, secrets
from cloudburst.run.controller_client import ControllerClient
from cloudburst.run.feeding import Feeding, feed_all, read_sinks
from cloudburst.run.file_store import RESULTS, FileService, FileStore
from cloudburst.run.http import Server as HttpServer
from cloudburst.run.observe import read_study
from cloudburst.run.promised import promised_sinks
from cloudburst.run.study import Assignment, Study

from .basin import LENGTH, PAYLOAD, Basin, a_week, packed
from .conftest import PASSWORD as QUEUE_PASSWORD
from .conftest import PlayedWorker, Server, until

if TYPE_CHECKING:
    from cloudburst.compile.jobs import Job

pytestmark = pytest.mark.slow

SCHEMA = json.loads(assets.schema("status").read_text("utf-8"))
ROOT = Path(__file__).parents[2]


@pytest.fixture
def basin(tmp_path: Path, influx: Database) -> Basin:
    one = Basin(tmp_path, influx)
    one.write()
    return one


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is back is found at once."""
    monkeypatch.setattr(feeding, "LONGEST_WAIT", 0.2)


def entry(basin: Basin, **changes: Any) -> dict[str, Any]:
    url = basin.url or basin.database.server.url
    return {"url": url, "username": USER, "password": PASSWORD, "token": None, **changes}


@contextmanager
def store(home: Path, short: Path) -> Iterator[FileStore]:
    """The study's file store, in this process."""
    server = HttpServer(f"unix:{short}/files.sock", FileService(home / "files", home / "secrets", 10**9))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield FileStore(f"unix:{short}/files.sock", secrets.read(home / "secrets", secrets.FILES_TOKEN))
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def fed(basin: Basin, short: Path, sinks: dict[str, Any]) -> Iterator[Callable[[], dict[str, Any]]]:
    """Feeds as a controller does; gives the sink's entry in the status."""
    secrets.generate(basin.home / "secrets", sinks=sinks)
    with store(basin.home, short) as files:
        one = Feeding(basin.home, basin.home / "secrets", files)
        assignment = Assignment(basin.frozen, basin.order, None, ())
        one.take_on(Study(assignment, 0, {}, 0.0), basin.home / "ledger.sqlite")

        def status() -> dict[str, Any]:
            [found] = one.status(lines(basin))
            return found

        try:
            yield status
        finally:
            one.close()


def lines(basin: Basin) -> int:
    from cloudburst.run.ledger import Ledger

    with Ledger.open(basin.home / "ledger.sqlite", "basin") as ledger:
        return ledger.last_line()


# ── beside a controller ──────────────────────────────────────────────────────────────────────
def test_what_is_recorded_is_stored_while_more_comes(basin: Basin, short: Path) -> None:
    jobs = basin.jobs
    basin.record(basin.outcome(job) for job in jobs[:3])
    with fed(basin, short, {"1": entry(basin)}) as status:
        assert status()["sink"] == f"influxdb {basin.database.name}"
        for job in jobs[3:6]:
            basin.record([basin.outcome(job)])
            assert status()["waiting"] >= 1, "recorded, so it waits until it is stored"
            until(lambda: status()["waiting"] == 0)
        assert status()["points"] == 6 * (3 * LENGTH + 1)
    assert basin.stored() == 6 * 3 * LENGTH


def test_a_server_that_is_down_at_first_delays_and_loses_nothing(
    tmp_path: Path, short: Path, start_influxd: Callable[..., Influxd]
) -> None:
    server = start_influxd()
    server.kill()
    basin = Basin(tmp_path, Database(server, "basin"))
    basin.write()
    basin.record(basin.outcome(job) for job in basin.jobs[:5])
    with fed(basin, short, {"1": entry(basin)}) as status:
        until(lambda: status()["problem"])
        assert status()["problem"] == f"{server.url} does not answer: Connection refused"
        assert status()["waiting"] == 5
        server.start()
        until(lambda: status()["waiting"] == 0)
        assert status()["problem"] == ""
    assert basin.stored() == 5 * 3 * LENGTH


def test_a_wrong_password_is_a_problem_until_it_is_right(basin: Basin, short: Path) -> None:
    basin.record(basin.outcome(job) for job in basin.jobs[:2])
    with fed(basin, short, {"1": entry(basin, password="not it")}) as status:
        until(lambda: status()["problem"])
        assert status()["problem"].endswith("refuses the user cloudburst: authorization failed")
        assert status()["waiting"] == 2
    with fed(basin, short, {"1": entry(basin)}) as status:
        until(lambda: status()["waiting"] == 0)
    assert basin.stored() == 2 * 3 * LENGTH


def test_a_study_without_network_sinks_is_fed_nowhere(basin: Basin, short: Path) -> None:
    basin.record(basin.outcome(job) for job in basin.jobs[:2])
    secrets.generate(basin.home / "secrets")
    with store(basin.home, short) as files:
        one = Feeding(basin.home, basin.home / "secrets", files)
        one.take_on(Study(Assignment({"waves": 3}, basin.order, None, ()), 0, {}, 0.0), basin.home / "x")
        assert one.status(7) == []
        one.close()


def test_a_controller_whose_jobs_are_retried_and_whose_server_is_killed_stores_201900_points(
    tmp_path: Path, short: Path, server: Server, start_influxd: Callable[..., Influxd]
) -> None:
    """100 simulations of three tanks, each job computed twice; the server dies in the middle, the controller, too."""
    influxd = start_influxd()
    basin = Basin(tmp_path, Database(influxd, "basin"))
    basin.write()
    secrets.generate(basin.home / "secrets", queue_password=QUEUE_PASSWORD, sinks={"1": entry(basin)})
    worker = PlayedWorker(server.address, study="basin")
    jobs = {job.id: job for job in basin.jobs}
    with store(basin.home, short) as files, Controlled(basin, short, server) as controlled:
        controlled.client.put_study(basin.frozen, basin.order)
        kills = {30: influxd.kill, 45: influxd.start, 60: controlled.kill, 61: controlled.start}

        def computed() -> bool:
            worker.report()
            if batch := worker.take():
                for message in batch["jobs"]:
                    worker.start(batch, message)
                    for _twice in range(2):
                        worker.end(batch, message, **simulated(jobs[message["id"]], files))
                    kills.pop(len(set(worker.ran)), lambda: None)()
                worker.finish(batch)
            return len(set(worker.ran)) == 100

        until(computed)
        until(lambda: controlled.status()["state"] == "finished", 60)
        until(lambda: controlled.status()["sinks"][0]["waiting"] == 0, 60)
        [sink] = controlled.status()["sinks"]
    worker.redis.close()
    assert kills == {}
    assert basin.stored() == 201_900
    assert (sink["points"], sink["problem"], sink["note"]) == (202_000, "", "")


def simulated(job: Job, files: FileStore) -> dict[str, Any]:
    """What a worker says of a job, its series put where workers put them."""
    week = a_week(job.row.index)
    stored = {"object": files.put(RESULTS, packed(week)), "names": list(week)}
    return {"payload": PAYLOAD, "series": stored, "result": {"row": job.row.index}}


class Controlled:
    """The controller's process, and a client of it."""

    def __init__(self, basin: Basin, short: Path, server: Server) -> None:
        address = f"unix:{short}/controller.sock"
        self._command = [sys.executable, "-m", "cloudburst.run.controller", "--listen", address]
        self._command += ["--queue", server.address, "--files", f"unix:{short}/files.sock"]
        self._command += ["--home", str(basin.home), "--secrets", str(basin.home / "secrets")]
        self.client = ControllerClient(address, secrets.read(basin.home / "secrets", secrets.API_TOKEN))

    def __enter__(self) -> Controlled:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.DEVNULL)
        until(self._answers)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.client.status())
        except ControllerError:
            assert self.process.poll() is None
            return False

    def status(self) -> dict[str, Any]:
        found = self.client.status()
        jsonschema.validate(found, SCHEMA)
        return found


# ── by a command ─────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def present(basin: Basin, monkeypatch: pytest.MonkeyPatch) -> Basin:
    """A study whose file names its credentials."""
    basin.more = f", username: {USER}, password: INFLUX_PASSWORD"
    basin.write()
    monkeypatch.setenv("INFLUX_PASSWORD", PASSWORD)
    return basin


def test_a_sink_that_was_added_later_is_filled_from_what_is_there(present: Basin) -> None:
    study = read_study(present.spec)
    present.record(present.outcome(job, payload=study.payload.digest) for job in present.jobs)
    [filled] = feed_all(study, promised_sinks(study.ensemble))
    assert (filled.points, filled.waiting, filled.trouble, filled.problem) == (202_000, 0, "", "")
    assert present.stored() == 201_900


def test_nothing_was_computed_yet(present: Basin) -> None:
    study = read_study(present.spec)
    assert feed_all(study, promised_sinks(study.ensemble)) == ()


def test_a_server_that_stays_away_is_not_waited_for_for_ever(present: Basin) -> None:
    present.url = f"http://127.0.0.1:{free_port()}"
    present.write()
    study = read_study(present.spec)
    present.record(present.outcome(job, payload=study.payload.digest) for job in present.jobs[:7])
    said: list[tuple[str, str]] = []
    [filled] = feed_all(
        study,
        promised_sinks(study.ensemble),
        patience=0.0,
        on_trouble=lambda label, trouble: said.append((label, trouble)),
    )
    assert filled.waiting == 7
    assert filled.trouble == f"{present.url} does not answer: Connection refused"
    [_] = feed_all(
        study, promised_sinks(study.ensemble), patience=0.1, on_trouble=lambda *told: said.append(told)
    )
    assert said == [(f"influxdb {present.database.name}", filled.trouble)]


def test_credentials_that_are_no_json_are_said(tmp_path: Path) -> None:
    secrets.generate(tmp_path)
    (tmp_path / "sinks.json").write_text("{")
    with pytest.raises(Exception, match=r"sinks.json in .* is not JSON"):
        read_sinks(tmp_path)
