"""A node whose network is cut, whose names do not resolve yet, whose queue or file store refuses: nothing is lost."""

from __future__ import annotations

import asyncio
import http.server
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from cloudburst_worker import files, queue

PREFIX = "cloudburst:lab"

MODULE = """
import os, pathlib, time
def work(name, until=None):
    with open(f"{DIRECTORY}/{name}", "a") as file:
        file.write("x")
    while until and not os.path.exists(f"{DIRECTORY}/{until}"):
        time.sleep(0.01)
    return name
def make_file(until):
    work("file", until)
    pathlib.Path("made.txt").write_text("x" * 3_000_000)
    return {"made": pathlib.Path("made.txt")}
"""


def code(directory: Path) -> dict[str, str]:
    return {"mod.py": f"DIRECTORY = {str(directory)!r}\n{MODULE}"}


def started(lab: Any, path: Path) -> None:
    lab.wait(path.exists, f"the start of {path.name}")


def rows(lab: Any, batch: str) -> list[int]:
    return [e["outcome"]["row"] for e in lab.entries if e["type"] == "outcome" and e["batch"] == batch]


# ── the queue is away ────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_a_worker_that_waits_notices_that_the_network_is_cut(
    lab: Any, cut_queue: Any, tmp_path: Path
) -> None:
    order = lab.order(code(tmp_path))
    lab.start()
    lab.wait_for_state("ready")
    cut_queue.swallow()
    cut_queue.wait_for_new_connection()
    cut_queue.mend()
    (outcome,) = lab.run(order, {"name": "a"})
    assert outcome["status"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["swallow", "refuse"])
def test_a_job_that_ends_while_the_network_is_cut_is_recorded_once(
    lab: Any, cut_queue: Any, tmp_path: Path, how: str
) -> None:
    order = lab.order(code(tmp_path))
    lab.start()
    batch = lab.enqueue(order, {"name": "a", "until": "go"}, {"name": "b"})
    started(lab, tmp_path / "a")
    getattr(cut_queue, how)()
    (tmp_path / "go").touch()
    if how == "swallow":
        cut_queue.wait_for_new_connection()
    else:
        time.sleep(1.0)  # nobody can be watched trying what nobody hears
    cut_queue.mend()
    lab.wait(lambda: lab.finished(batch), "the end")
    assert rows(lab, batch) == [0, 1]
    assert (tmp_path / "a").read_text() == "x"


@pytest.mark.slow
def test_a_batch_that_was_given_away_meanwhile_is_recorded_by_its_new_holder_only(
    lab: Any, cut_queue: Any, tmp_path: Path
) -> None:
    order = lab.order(code(tmp_path))
    supervisor = lab.start()
    old = lab.enqueue(order, {"name": "a", "until": "go"}, {"name": "b"})
    started(lab, tmp_path / "a")
    cut_queue.swallow()
    lab.client.sadd(f"{PREFIX}:revoked", old)
    lab.client.delete(f"{PREFIX}:doing:{old}")
    (tmp_path / "go").touch()
    cut_queue.wait_for_new_connection()
    new = lab.enqueue(order, {"name": "a"}, {"name": "b"})
    cut_queue.mend()
    lab.wait(lambda: lab.finished(new), "the batch in other hands")
    assert (rows(lab, old), rows(lab, new)) == ([], [0, 1])
    assert not lab.finished(old)
    assert not lab.client.exists(f"{PREFIX}:doing:{old}", f"{PREFIX}:done:{old}")
    assert (tmp_path / "b").read_text() == "x"
    assert supervisor.poll() is None


@pytest.mark.slow
def test_a_node_that_starts_before_its_services_becomes_ready_with_them(
    lab: Any, cut_queue: Any, cut_store: Any, tmp_path: Path
) -> None:
    cut_queue.refuse()
    cut_store.refuse()
    order = lab.order(code(tmp_path))
    lab.start()
    cut_queue.mend()
    lab.wait_for_state("preparing")
    cut_store.mend()
    (outcome,) = lab.run(order, {"name": "a"})
    assert outcome["status"] == "done"


def names_resolve_late(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    real, left = socket.getaddrinfo, [times]

    def getaddrinfo(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.slow
def test_names_may_resolve_late(
    cut_queue: Any, store: Any, cut_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look() -> Any:
        client = queue.connect_async(cut_queue.address, "a-password")
        try:
            return await client.ping()
        finally:
            await client.aclose()

    names_resolve_late(monkeypatch, 3)
    with queue.connect(cut_queue.address, "a-password") as patient:
        assert patient.ping()
    names_resolve_late(monkeypatch, 1)
    assert asyncio.run(look())
    names_resolve_late(monkeypatch, 3)
    digest = store.add(b"payload")
    client = files.FileStore(cut_store.address, "worker-token")
    client.fetch(digest, tmp_path / "fetched")
    client.hang_up()
    assert (tmp_path / "fetched").read_bytes() == b"payload"


# ── the queue is there and refuses ───────────────────────────────────────────────────────────
class Refusal:
    """A way for a running server to refuse, and what it is called in its statistics."""

    def __init__(self, lab: Any, name: str) -> None:
        self.lab, self.name = lab, name
        self.dump = Path(lab.valkey.directory) / "dump.rdb"

    def begin(self) -> None:
        self.lab.client.config_resetstat()
        getattr(self, f"begin_{self.name}")()

    def end(self) -> None:
        getattr(self, f"end_{self.name}")()

    def wait(self) -> None:
        """Until it has been met several times."""
        self.lab.wait(lambda: self.count() >= 3, f"{self.name}")

    def count(self) -> int:
        found = self.lab.client.info("errorstats").get(f"errorstat_{self.name}")
        return int(found["count"]) if found else 0

    def begin_OOM(self) -> None:
        self.lab.client.config_set("maxmemory", 1)

    def end_OOM(self) -> None:
        self.lab.client.config_set("maxmemory", 0)

    def begin_MISCONF(self) -> None:
        """As with a full disk: the server cannot keep what it is told, so it takes nothing more."""
        self.dump.unlink(missing_ok=True)
        self.dump.mkdir()
        self.lab.client.config_set("save", "3600 1")
        self.lab.client.bgsave()
        self.lab.wait(lambda: self.last_save() == "err", "a dump that fails")

    def end_MISCONF(self) -> None:
        self.dump.rmdir()
        self.lab.client.config_set("save", "")
        self.lab.client.bgsave()
        self.lab.wait(lambda: self.last_save() == "ok", "a dump that does not fail")

    def last_save(self) -> Any:
        return self.lab.client.info("persistence")["rdb_last_bgsave_status"]

    def begin_WRONGPASS(self) -> None:
        """As while a new queue comes up with another password."""
        mine = self.lab.client.client_id()
        self.lab.client.config_set("requirepass", "another")
        for client in self.lab.client.client_list():
            if int(client["id"]) != mine:
                self.lab.client.client_kill_filter(_id=client["id"])

    def end_WRONGPASS(self) -> None:
        self.lab.client.config_set("requirepass", "a-password")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["OOM", "MISCONF", "WRONGPASS"])
def test_a_queue_that_refuses_for_a_while_gets_every_outcome_once(
    lab: Any, tmp_path: Path, name: str
) -> None:
    refusal = Refusal(lab, name)
    order = lab.order(code(tmp_path))
    lab.start()
    batch = lab.enqueue(order, {"name": "a", "until": "go"}, {"name": "b"})
    started(lab, tmp_path / "a")
    refusal.begin()
    try:
        (tmp_path / "go").touch()
        refusal.wait()
    finally:
        refusal.end()
    lab.wait(lambda: lab.finished(batch), "the end")
    assert rows(lab, batch) == [0, 1]
    (after,) = lab.run(order, {"name": "c"})
    assert after["status"] == "done"


def test_what_passes_and_what_does_not() -> None:
    assert queue.passes(
        redis.ResponseError("MISCONF Errors writing to the AOF file: No space left on device")
    )
    assert queue.passes(redis.exceptions.BusyLoadingError("loading"))
    assert queue.passes(redis.exceptions.ReadOnlyError("replica"))
    assert queue.passes(redis.AuthenticationError("WRONGPASS"))
    assert not queue.passes(redis.ResponseError("WRONGTYPE Operation against a key"))
    assert not queue.passes(KeyError("batch"))


# ── leaving ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_sigterm_over_tcp_finishes_the_job_and_hands_the_rest_back(
    lab: Any, cut_queue: Any, tmp_path: Path
) -> None:
    order = lab.order(code(tmp_path))
    supervisor = lab.start("node-1", "2", "--grace", "30")
    batch = lab.enqueue(order, {"name": "a", "until": "go"}, {"name": "b"})
    started(lab, tmp_path / "a")
    supervisor.send_signal(signal.SIGTERM)
    lab.wait_for_state("leaving")
    (tmp_path / "go").touch()
    assert supervisor.wait(timeout=20) == 0
    lab.read()
    assert rows(lab, batch) == [0]
    assert lab.returned == [f"{1:04x}{1:016x}"]
    assert lab.finished(batch)


@pytest.mark.slow
def test_a_node_leaves_also_while_its_queue_is_away(lab: Any, cut_queue: Any, tmp_path: Path) -> None:
    lab.order(code(tmp_path))
    supervisor = lab.start("node-1", "2", "--grace", "60")
    lab.wait_for_state("ready")
    cut_queue.swallow()
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(timeout=20) == 0


# ── the file store ───────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
@pytest.mark.parametrize("how", ["full", "refuse", "swallow"])
def test_a_file_waits_for_a_store_that_is_full_or_away(
    lab: Any, cut_queue: Any, cut_store: Any, store: Any, tmp_path: Path, how: str
) -> None:
    order = lab.order(code(tmp_path), entrypoint="mod:make_file")
    lab.start()
    batch = lab.enqueue(order, {"until": "go"})
    started(lab, tmp_path / "file")
    store.refused.clear()
    store.full.set() if how == "full" else getattr(cut_store, how)()
    (tmp_path / "go").touch()
    if how == "full":
        assert store.refused.wait(30)
        store.full.clear()
    elif how == "swallow":
        cut_store.wait_for_new_connection()
        cut_store.mend()
    else:
        time.sleep(1.0)  # nobody can be watched trying what nobody hears
        cut_store.mend()
    lab.wait(lambda: lab.finished(batch), "the end", timeout=60)
    (outcome,) = lab.outcomes
    assert outcome["status"] == "done"
    assert len(store.objects[f"results/{outcome['files']['made']['object']}"]) == 3_000_000


def test_a_store_that_stays_full_or_away_is_quoted(
    store: Any, cut_store: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(files, "_SILENCE", 0.3)
    (tmp_path / "made").write_bytes(b"made")
    client = files.FileStore(cut_store.address, "worker-token", patience=0.5)
    store.full.set()
    try:
        with pytest.raises(
            files.StoreAway, match=r"says: there is no room left for this file \(tried for 0 s\)"
        ):
            client.store(tmp_path / "made")
    finally:
        store.full.clear()
    cut_store.refuse()
    with pytest.raises(files.StoreAway, match=r"does not answer: .*[Rr]efused"):
        client.store(tmp_path / "made")


@pytest.mark.slow
def test_who_waits_for_the_store_keeps_its_lease(
    store: Any, cut_store: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(files, "_ANSWER", 2.5)
    (tmp_path / "made").write_bytes(b"made later")
    kept: list[float] = []

    def keep() -> None:
        kept.append(time.monotonic())
        if len(kept) == 3:
            cut_store.mend()

    cut_store.swallow()
    client = files.FileStore(cut_store.address, "worker-token")
    digest, size = client.store(tmp_path / "made", keep)
    client.hang_up()
    assert (store.objects[f"results/{digest}"], size) == (b"made later", 10)
    assert len(kept) >= 3


class _Hasty(http.server.BaseHTTPRequestHandler):
    """Breaks off in the middle of the first answer."""

    times = 0

    def do_GET(self) -> None:
        type(self).times += 1
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"01234" if self.times == 1 else b"0123456789")

    def log_message(self, *args: Any) -> None:
        pass


def test_a_download_that_breaks_off_begins_again(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hasty) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        client = files.FileStore(f"tcp:127.0.0.1:{server.server_port}", "token")
        client.fetch("0" * 64, tmp_path / "fetched")
        client.hang_up()
        server.shutdown()
    assert (tmp_path / "fetched").read_bytes() == b"0123456789"
    assert _Hasty.times == 2


# ── holding on ───────────────────────────────────────────────────────────────────────────────
def test_holding_on_ends_with_the_patience_and_the_first_error_that_does_not_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    def failing(error: Exception) -> Callable[[], None]:
        def do() -> None:
            now[0] += 0.5
            raise error

        return do

    with pytest.raises(redis.ConnectionError):
        queue.HoldOn(600.0).call_with_retry(failing(redis.ConnectionError("away")), lambda _: None)
    assert 590 < now[0] < 610
    began = now[0]
    nested = queue.HoldOn(600.0)
    with pytest.raises(redis.ConnectionError):
        nested.call_with_retry(
            lambda: nested.call_with_retry(failing(redis.ConnectionError("away")), lambda _: None),
            lambda _: None,
        )
    assert now[0] - began < 610
    began = now[0]
    with pytest.raises(redis.ResponseError):
        queue.HoldOn(600.0).call_with_retry(failing(redis.ResponseError("no")), lambda _: None)
    assert now[0] - began < 1
