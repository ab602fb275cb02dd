"""The controller as a process: killed, cut off and asked over HTTP, with a worker that the test plays."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cloudburst import assets
from cloudburst.compile.draws import draw
from cloudburst.compile.normal import freeze, thaw
from cloudburst.errors import ControllerError
from cloudburst.run import secrets
from cloudburst.run.controller_client import ControllerClient
from cloudburst.run.http import request
from cloudburst.run.ledger import Ledger
from cloudburst.run.study import Assignment, Study
from cloudburst.spec import load

from .conftest import ORDER, PASSWORD, PAYLOAD, PlayedWorker, Server, full_disk, until, wave_id

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(assets.schema("status").read_text("utf-8"))

pytestmark = pytest.mark.slow


class Controlled:
    """A controller's process, its home, and a client of it."""

    def __init__(self, server: Server, home: Path, module: str, queue: str = "") -> None:
        self.home = home
        self._module = module
        self._queue = queue or server.address
        self._address = f"unix:{server.place}/controller.sock"
        secrets.generate(home / "secrets", queue_password=PASSWORD)
        self.token = secrets.read(home / "secrets", secrets.API_TOKEN)
        self.client = ControllerClient(self._address, self.token)
        self.start()

    def start(self, *options: str) -> None:
        command = [sys.executable, "-m", self._module, "--listen", self._address, "--queue", self._queue]
        command += ["--home", str(self.home), "--secrets", str(self.home / "secrets"), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT)
        until(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return bool(self.client.status())
        except ControllerError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self, sign: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(sign)
        code = self.process.wait(20)
        assert self.process.stdin
        self.process.stdin.close()
        return code

    def cut(self) -> int:
        """What happens when its parent is killed."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(30)

    def status(self) -> dict[str, Any]:
        found = self.client.status()
        jsonschema.validate(found, SCHEMA)
        return found

    def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
        answer = request(self._address, method, path, token=self.token, body=body)
        return answer.status, answer.error

    def ledger(self) -> Ledger:
        return Ledger.open(self.home / "ledger.sqlite", "waves")


@pytest.fixture
def start(server: Server, tmp_path: Path) -> Iterator[Callable[..., Controlled]]:
    started: list[Controlled] = []

    def begin(module: str = "tests.run.played_controller") -> Controlled:
        started.append(Controlled(server, tmp_path, module))
        return started[-1]

    yield begin
    for one in started:
        one.end(signal.SIGKILL)


def compute(controlled: Controlled, worker: PlayedWorker, **changes: Any) -> dict[str, Any]:
    def over() -> bool:
        worker.report()
        worker.work(**changes)
        return controlled.status()["state"] in {"finished", "paused"}

    until(over)
    return controlled.status()


def test_a_study_over_http(start: Callable[..., Controlled], worker: PlayedWorker) -> None:
    controlled = start()
    assert controlled.status()["state"] == "idle"
    assert controlled.client.put_study({"waves": 50}, ORDER, rows=((10, 30),))["state"] == "starting"
    status = compute(controlled, worker)
    assert (status["state"], status["rows"], status["done"], status["to_do"]) == ("finished", 20, 20, 0)
    assert sorted(worker.ran) == [wave_id(n) for n in range(10, 30)]
    controlled.client.put_study({"waves": 50}, ORDER)
    status = compute(controlled, worker)
    assert (status["recorded"], status["done"]) == (20, 30)
    assert controlled.end() == 0
    with controlled.ledger() as ledger:
        assert ledger.counts(PAYLOAD).done == 50
        assert ledger.newest_payload() == PAYLOAD


def test_the_next_study_of_the_same_code_finds_its_nodes(
    start: Callable[..., Controlled], worker: PlayedWorker
) -> None:
    """An optimiser hands over one after another: none waits until the nodes report again."""
    controlled = start()
    controlled.client.put_study({"waves": 4}, ORDER)
    compute(controlled, worker)
    controlled.client.put_study({"waves": 6}, ORDER)
    until(lambda: controlled.status()["slots"]["total"] == 2)
    until(lambda: worker.work() == 0 and controlled.status()["state"] == "finished")
    assert controlled.status()["done"] == 2
    controlled.client.put_study({"waves": 8}, {**ORDER, "payload": "b" * 64})
    until(lambda: controlled.status()["to_do"] == 8)
    assert controlled.status()["slots"]["total"] == 0, "what they do for other code says nothing"


def test_requests_it_cannot_do_are_sentences(start: Callable[..., Controlled]) -> None:
    controlled = start()
    for body, sentence in [
        (b"{}", "this controller understands format 1"),
        (b'{"format": 1, "normal": {}, "order": {}}', "`order` needs study and payload"),
    ]:
        assert controlled.request("PUT", "/api/study", body) == (400, sentence)
    for rows in ([3, 1], [], "0:3", [[0, 1], None], [[4, 5], [0, 1]], [[[0, 1]]]):
        body = json.dumps({"format": 1, "normal": {}, "order": ORDER, "rows": rows}).encode()
        sentence = "`rows` is [from, up to], such as [0, 3], a list of such in order, or null"
        assert controlled.request("PUT", "/api/study", body) == (400, sentence)
    assert controlled.request("POST", "/api/pause") == (400, "there is no study here yet")
    assert controlled.request("GET", "/api/other")[0] == 404
    assert controlled.status()["state"] == "idle"


def test_pause_and_resume_over_http(start: Callable[..., Controlled], worker: PlayedWorker) -> None:
    controlled = start()
    controlled.client.put_study({"waves": 50}, ORDER)
    status = controlled.client.pause()
    assert (status["state"], status["reason"]) == ("paused", "you paused it")
    assert worker.work() == 0
    controlled.client.resume()
    assert compute(controlled, worker)["done"] == 50


def test_killed_at_any_moment_it_goes_on_and_repeats_nothing(
    start: Callable[..., Controlled], worker: PlayedWorker
) -> None:
    controlled = start()
    controlled.client.put_study({"waves": 300}, ORDER)
    for stop in (20, 90, 200):

        def enough(stop: int = stop) -> bool:
            worker.report()
            if batch := worker.take():
                worker.work_off(batch)
            return len(worker.ran) >= stop

        until(enough)
        controlled.kill()
        worker.work()  # what it had sent is computed while it is away
        controlled.start()
    status = compute(controlled, worker)
    assert (status["state"], status["done"], status["recorded"]) == ("finished", 300, 0)
    assert sorted(worker.ran) == [wave_id(n) for n in range(300)]
    controlled.end()
    with controlled.ledger() as ledger:
        assert sorted(x["id"] for x in ledger) == [wave_id(n) for n in range(300)]


def test_cut_off_it_lets_running_jobs_end_and_stops_the_queue(
    start: Callable[..., Controlled], worker: PlayedWorker, server: Server
) -> None:
    controlled = start()
    controlled.end()
    controlled.start("--lifeline", "--stop-queue")
    controlled.client.put_study({"waves": 40}, ORDER)
    until(lambda: worker.redis.llen(worker.rq.key))
    batch = worker.take()
    assert batch
    worker.start(batch, batch["jobs"][0])
    assert controlled.process.stdin
    controlled.process.stdin.close()
    until(lambda: worker.redis.exists(worker.key("pause")) and not worker.redis.llen(worker.rq.key))
    worker.end(batch, batch["jobs"][0])
    worker.finish(batch)
    assert controlled.process.wait(20) == 0
    assert server.process
    assert server.process.wait(10) == 0
    with controlled.ledger() as ledger:
        assert [x["id"] for x in ledger] == [batch["jobs"][0]["id"]]


def test_the_queue_away_is_a_problem_and_not_the_end(
    start: Callable[..., Controlled], worker: PlayedWorker, server: Server
) -> None:
    controlled = start()
    controlled.client.put_study({"waves": 30}, ORDER)
    until(lambda: worker.redis.llen(worker.rq.key))
    worker.work()
    server.kill()
    until(lambda: controlled.status()["problems"])
    assert "the queue does not answer" in controlled.status()["problems"][0]
    server.start()
    status = compute(controlled, worker)
    assert (status["state"], status["done"], status["problems"]) == ("finished", 30, [])
    assert sorted(worker.ran) == [wave_id(n) for n in range(30)]


def test_the_same_study_again_is_joined(start: Callable[..., Controlled], worker: PlayedWorker) -> None:
    controlled = start()
    controlled.client.put_study({"waves": 60}, ORDER)
    until(lambda: worker.redis.llen(worker.rq.key))
    batch = worker.take()
    assert batch
    worker.start(batch, batch["jobs"][0])
    waiting = worker.redis.lrange(worker.rq.key, 0, -1)
    began = controlled.status()["seconds"]
    assert controlled.client.put_study({"waves": 60}, ORDER)["seconds"] >= began
    assert worker.redis.lrange(worker.rq.key, 0, 0) == waiting[:1], "nothing was taken back or sent again"
    worker.end(batch, batch["jobs"][0])
    worker.finish(batch)
    status = compute(controlled, worker)
    assert (status["state"], status["done"], status["recorded"]) == ("finished", 60, 0)
    assert controlled.client.put_study({"waves": 60}, ORDER)["done"] == 60, "finished, it stays so"
    controlled.client.put_study({"waves": 60}, ORDER, rows=((0, 10),))
    until(lambda: controlled.status()["recorded"] == 10)


def test_cancelled_it_goes_on_when_it_is_handed_over_again(
    start: Callable[..., Controlled], worker: PlayedWorker
) -> None:
    controlled = start()
    controlled.client.put_study({"waves": 50}, ORDER)
    until(lambda: worker.redis.llen(worker.rq.key))
    batch = worker.take()
    assert batch
    worker.start(batch, batch["jobs"][0])
    assert controlled.client.cancel()["state"] == "pausing"
    assert controlled.client.cancel(now=True)["state"] == "paused"
    assert worker.redis.sismember(worker.key("revoked"), batch["batch"])
    controlled.kill()
    controlled.start()
    until(lambda: controlled.status()["state"] == "paused")
    assert controlled.status()["reason"] == "you cancelled it", "also after a restart"
    controlled.client.put_study({"waves": 50}, ORDER)
    assert compute(controlled, worker)["done"] == 50


def test_the_disk_of_the_controller_is_full_for_a_while(
    start: Callable[..., Controlled], worker: PlayedWorker
) -> None:
    controlled = start()
    controlled.client.put_study({"waves": 100}, ORDER)
    until(lambda: worker.redis.llen(worker.rq.key))

    def in_trouble() -> bool:
        worker.report()
        worker.work(output="x" * 15_000)
        return any("cannot be used" in problem for problem in controlled.status()["problems"])

    with full_disk(controlled.process.pid, 200_000):
        until(in_trouble)
        assert controlled.status()["jobs"] == 100, "the counts are still there"
    status = compute(controlled, worker, output="x" * 15_000)
    assert (status["state"], status["done"], status["problems"]) == ("finished", 100, [])
    assert sorted(worker.ran) == [wave_id(n) for n in range(100)]


def test_a_name_that_nobody_knows_is_a_problem_until_somebody_does(short: Path, tmp_path: Path) -> None:
    """As for half a minute after a swarm's manager has started anew."""
    secrets.generate(tmp_path / "secrets", queue_password=PASSWORD)
    Study(Assignment({"waves": 3}, ORDER, None, ()), 0, {}, 0.0).save(tmp_path)
    controlled = Controlled(Server(short), tmp_path, "tests.run.played_controller", "tcp:queue.invalid:6379")
    try:
        until(lambda: controlled.status()["problems"])
        assert "the queue does not answer" in controlled.status()["problems"][0]
        assert controlled.status()["state"] == "starting"
    finally:
        assert controlled.end() == 0


def test_a_memory_that_cannot_be_read_is_replaced_by_the_next_study(
    start: Callable[..., Controlled], worker: PlayedWorker, tmp_path: Path
) -> None:
    (tmp_path / "study.json").write_text('{"format": 1, "norm')
    controlled = start()
    assert controlled.status()["state"] == "idle"
    controlled.client.put_study({"waves": 5}, ORDER)
    assert compute(controlled, worker)["done"] == 5


SPEC = """\
cloudburst: 1
name: waves
worker: {directory: code, entrypoint: "waves:work"}
parameters:
  grid: {height: {from: 1, to: 4, step: 1}, wind: [low, high]}
  replicates: {n: 3, as: seed}
"""


def test_a_compiled_study(start: Callable[..., Controlled], worker: PlayedWorker, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "waves.py").write_text("def work(height, wind, seed):\n    return height\n")
    (tmp_path / "ensemble.yaml").write_text(SPEC)
    loaded = load(tmp_path / "ensemble.yaml")
    assert loaded.ensemble, loaded.diagnostics
    frozen = freeze(loaded.normal, draw(loaded.ensemble), {})
    controlled = start("cloudburst.run.controller")
    controlled.client.put_study(frozen, ORDER)
    status = compute(controlled, worker)
    assert (status["state"], status["rows"], status["done"]) == ("finished", 24, 24)
    jobs = thaw(frozen)
    assert sorted(worker.ran) == sorted(job.id for job in jobs)
    controlled.end()
    with controlled.ledger() as ledger:
        found = ledger.outcomes([job.id for job in jobs])
    assert [found[job.id]["result"]["value"] for job in jobs] == [job.description["height"] for job in jobs]
