"""How fast jobs' series get into InfluxDB, beside the same server fed with ready-made requests."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from math import sin
from pathlib import Path
from typing import Any

from measure import Line, beside_neighbours, progress

from cloudburst.compile.jobs import Job
from cloudburst.compile.measurements import Names
from cloudburst.compile.space import Row
from cloudburst.run.ledger import Ledger
from cloudburst.run.sinks.fed import Memory
from cloudburst.run.sinks.filling import Filling, Task
from cloudburst.run.sinks.influxdb import Access, Influx
from cloudburst.spec.ensemble import InfluxSink

LENGTH, SERIES = 673, 3
"""As Net3 returns them: a week, every quarter of an hour, of three tanks."""
PAYLOAD = "ab" * 32

CONFIGURATION = """\
reporting-disabled = true
bind-address = "127.0.0.1:{inner}"
[meta]
dir = "{place}/meta"
[data]
dir = "{place}/data"
wal-dir = "{place}/wal"
index-version = "tsi1"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[monitor]
store-enabled = false
[logging]
level = "error"
suppress-logo = true
"""


def ways_in(rounds: int, jobs: int = 100) -> list[Line]:
    """Points a second: the same lines in ready-made requests of 5,000, and a study's jobs fed from its ledger."""
    with tempfile.TemporaryDirectory(prefix="cloudburst-bench-") as top, _server(Path(top)) as port:
        home = Path(top) / "study"
        recorded = _record(home, jobs)
        bodies = _ready_made(recorded)

        def ready_made(number: int) -> float:
            """Only the sending is measured: what the server takes, one request after another."""
            return _rate(lambda: _send(port, f"ready_{number}", bodies), recorded)

        def fed(number: int) -> float:
            return _rate(lambda: _feed(port, f"fed_{number}", recorded, home), recorded)

        peer, own = [ready_made(0)], []
        for number in range(1, rounds + 1):
            own.append(fed(number))
            peer.append(ready_made(number))
            progress(f"influxdb: round {number} of {rounds}: {own[-1]:,.0f}/s beside {peer[-1]:,.0f}/s")
    return [
        Line("InfluxDB, requests made beforehand", "points/s", tuple(peer)),
        Line(
            "InfluxDB, fed from the ledger, counted and remembered",
            "points/s",
            tuple(own),
            "made beforehand",
            beside_neighbours(own, peer),
            ">= 0.50",
        ),
    ]


def _rate(action: Callable[[], None], jobs: Sequence[Job]) -> float:
    began = time.perf_counter()
    action()
    return len(jobs) * SERIES * LENGTH / (time.perf_counter() - began)


# ── the study ────────────────────────────────────────────────────────────────────────────────
def _record(home: Path, count: int) -> list[Job]:
    """A ledger of simulated jobs, and their series beside it."""
    home.mkdir()
    jobs = [
        Job(Row(n, "main", {"demand": n / 8, "seed": n}, n), f"{n + 1:020x}", {}, None) for n in range(count)
    ]
    with Ledger.open(home / "ledger.sqlite", "bench", create=True) as ledger:
        for job in jobs:
            (home / job.id).write_bytes(_series(job.row.index))
        ledger.record(_outcome(job) for job in jobs)
    return jobs


def _series(row: int) -> bytes:
    times = array("d", (900.0 * step for step in range(LENGTH)))
    values = array("d", (row + sin(time / 7200) for time in times))
    kinds = {
        "index": {"name": "time", "kind": "float64"},
        "columns": [{"name": "value", "kind": "float64"}],
    }
    header = [{"name": f"tank_{number}", "length": LENGTH, **kinds} for number in range(SERIES)]
    head = json.dumps({"format": 1, "series": header}).encode()
    return head + b"\n" + (times + values).tobytes() * SERIES


def _outcome(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "row": job.row.index,
        "attempt": 1,
        "payload": PAYLOAD,
        "status": "done",
        "kind": None,
        "error": None,
        "output": "",
        "result": {"lowest": 11.25},
        "series": {"object": job.id, "names": []},
        "files": {},
        "started": 1527465600.25,
        "seconds": 0.05,
        "worker": "node-1/0",
    }


def _feed(port: int, database: str, jobs: Sequence[Job], home: Path) -> None:
    """As a controller does it, file store apart."""
    sink = InfluxSink(database, ())
    names = Names("bench", {"demand": "demand"}, {"seed": "seed"})
    with (
        Ledger.open(home / "ledger.sqlite", "bench") as ledger,
        Memory(home / database) as remembered,
        closing(Influx(Access(f"http://127.0.0.1:{port}"), database)) as influx,
    ):
        task = Task(jobs, names, PAYLOAD, sink)
        filling = Filling(task, ledger, lambda digest: (home / digest).read_bytes(), influx, remembered)
        while filling.step():
            pass
        problem = filling.standing().problem
    if problem:
        raise SystemExit(problem)


# ── the server ───────────────────────────────────────────────────────────────────────────────
def _ready_made(jobs: Sequence[Job]) -> list[bytes]:
    lines = [
        f"tank_{number},study=bench,id={job.id},block=main,replicate={job.row.replicate},demand={job.row.values['demand']}"
        f" value={job.row.index + sin(step / 8)!r} {step * 900 * 10**9}"
        for job in jobs
        for number in range(SERIES)
        for step in range(LENGTH)
    ]
    return ["\n".join(lines[at : at + 5000]).encode() for at in range(0, len(lines), 5000)]


def _send(port: int, database: str, bodies: Sequence[bytes]) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        _ask(connection, f"/query?q=CREATE%20DATABASE%20{database}%20WITH%20SHARD%20DURATION%2052w", b"")
        for body in bodies:
            _ask(connection, f"/write?db={database}&precision=ns", body)


def _ask(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    connection.request("POST", path, body)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status not in (200, 204):
        raise SystemExit(f"{path}: {answer.status} {said.decode()}")


@contextmanager
def _server(top: Path) -> Iterator[int]:
    """An InfluxDB of our own; its port."""
    program = shutil.which("influxd")
    if program is None:
        raise SystemExit("influxd is needed: apt-get install influxdb")
    place = top / "influxd"
    place.mkdir()
    port, inner = _free_port(), _free_port()
    (place / "influxdb.conf").write_text(CONFIGURATION.format(place=place, port=port, inner=inner), "utf-8")
    with open(place / "log", "wb") as log:
        server = subprocess.Popen([program, "-config", str(place / "influxdb.conf")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not _accepts(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"influxd did not start: {(place / 'log').read_text('utf-8')}")
            time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
