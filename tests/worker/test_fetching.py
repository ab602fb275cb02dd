"""Files that single jobs name: each is there when its job begins, and only where a job names it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cloudburst_worker.fetching import Fetcher
from cloudburst_worker.files import Refused
from cloudburst_worker.orders import Broken

FILES = {
    "mod.py": """\
        from pathlib import Path

        def work(forcing, options=None):
            path = Path(forcing)
            return {"text": path.read_text(), "name": path.name}
    """
}


def job(digest: str) -> dict[str, Any]:
    return {"forcing": f"cloudburst-input://{digest}"}


def send(lab: Any, order: str, jobs: list[dict[str, Any]], files: dict[str, str]) -> list[dict[str, Any]]:
    """One batch with files; the outcomes in order."""
    batch = f"b-{files and min(files)[:8]}-{len(lab.entries)}"
    made = [
        {
            "id": f"{row:04x}{time.monotonic_ns() % 16**12:016x}",
            "row": row,
            "attempt": 1,
            "job": one,
            "argv": None,
        }
        for row, one in enumerate(jobs)
    ]
    message = {"format": 1, "batch": batch, "order": order, "jobs": made, "files": files}
    lab.send(batch, "cloudburst_worker.batch.run", message)
    lab.wait(lambda: lab.finished(batch), f"the end of {batch}")
    return [e["outcome"] for e in lab.entries if e["type"] == "outcome" and e["batch"] == batch]


@pytest.mark.slow
def test_a_job_gets_its_file_and_a_node_fetches_only_what_its_batches_name(
    lab: Any, store: Any, tmp_path: Path
) -> None:
    wet, dry, unused = (store.add(text.encode()) for text in ("wet year", "dry year", "never named"))
    order = lab.order(FILES)
    lab.cache = tmp_path / "one"
    first = lab.start("node-1")
    lab.wait_for_state("ready")
    ended = send(lab, order, [job(wet), job(dry), job(wet)], {wet: "wet.nc", dry: "dry.nc"})
    assert [(one["status"], one["result"]) for one in ended] == [
        ("done", {"text": "wet year", "name": "wet.nc"}),
        ("done", {"text": "dry year", "name": "dry.nc"}),
        ("done", {"text": "wet year", "name": "wet.nc"}),
    ]
    assert {path.name for path in (tmp_path / "one" / "inputs").iterdir()} == {wet, dry}
    lab.stop(first)

    lab.cache = tmp_path / "two"
    lab.start("node-2")
    lab.wait_for_state("ready", name="node-2")
    assert not (tmp_path / "two" / "inputs").exists()
    send(lab, order, [job(dry)], {dry: "dry.nc"})
    assert {path.name for path in (tmp_path / "two" / "inputs").iterdir()} == {dry}
    assert unused not in {path.name for path in tmp_path.glob("*/inputs/*")}


@pytest.mark.slow
def test_a_file_the_store_lacks_fails_its_job_and_no_other(lab: Any, store: Any, tmp_path: Path) -> None:
    there, gone = store.add(b"there"), hashlib.sha256(b"gone").hexdigest()
    lab.cache = tmp_path / "cache"
    order = lab.order(FILES)
    lab.start()
    lab.wait_for_state("ready")

    lost, kept = send(lab, order, [job(gone), job(there)], {gone: "gone.nc", there: "there.nc"})

    assert (lost["status"], lost["kind"]) == ("failed", "error")
    assert lost["error"].startswith("the input gone.nc cannot be fetched: ")
    assert kept["result"] == {"text": "there", "name": "there.nc"}


# ── one fetcher ──────────────────────────────────────────────────────────────────────────────
class Source:
    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects, self.asked = objects, list[str]()
        self.before: Callable[[], None] = lambda: None

    def fetch(self, digest: str, target: Path) -> None:
        self.before()
        self.asked.append(digest)
        if digest not in self.objects:
            raise Refused(404, "there is no such file")
        target.write_bytes(self.objects[digest])


@pytest.fixture
def source() -> Source:
    texts = (b"a", b"b")
    return Source({hashlib.sha256(text).hexdigest(): text for text in texts})


def local(fetcher: Fetcher, one: Any, names: dict[str, str], keep: Any = lambda: None) -> dict[str, str]:
    return fetcher.local({"job": one, "argv": None}, names, keep)


def test_only_what_a_job_names_is_asked_for_and_only_once(source: Source, tmp_path: Path) -> None:
    a, b = source.objects
    fetcher = Fetcher(tmp_path, "lab", lambda: source)
    names = {a: "a.nc", b: "b.nc"}

    assert local(fetcher, {"x": 1}, names) == {}
    found = local(fetcher, {"deep": [{"f": f"--file=cloudburst-input://{a}"}]}, names)
    assert Path(found[a]).read_bytes() == b"a"
    assert local(fetcher, job(a), names) == found
    assert local(fetcher, job("f" * 64), names) == {}, "a shared input is there already"
    assert source.asked == [a]
    assert (tmp_path / "used" / "lab" / f"input-{a}").exists()


def test_who_waits_is_called_meanwhile_and_may_leave(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr("cloudburst_worker.fetching._LOOK", 0.01)
    a, _ = source.objects
    gate = threading.Event()
    source.before = lambda: gate.wait(10) and None

    class Left(Exception):
        pass

    def keep() -> None:
        raise Left

    with pytest.raises(Left):
        local(Fetcher(tmp_path, "lab", lambda: source), job(a), {a: "a.nc"}, keep)
    gate.set()
    assert Path(local(Fetcher(tmp_path, "lab", lambda: source), job(a), {a: "a.nc"})[a]).read_bytes() == b"a"


def test_a_file_that_cannot_be_had_is_a_sentence(source: Source, tmp_path: Path) -> None:
    with pytest.raises(Broken, match=r"the input a.nc cannot be fetched: there is no such file"):
        local(Fetcher(tmp_path, "lab", lambda: source), job("e" * 64), {"e" * 64: "a.nc"})
