"""A cache shared by studies: what one of them leaves when it is forgotten, and what it must not take along."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cloudburst_worker import cache as caches
from cloudburst_worker import usage
from cloudburst_worker.orders import Input

WORKER = Path(__file__).resolve().parents[2] / "worker"


def thing(root: Path, kind: str, digest: str) -> Path:
    """Something in the cache, read-only as it is there."""
    place = root / kind / digest
    place.mkdir(parents=True)
    (place / "content").write_text("x" * 100)
    (place / "content").chmod(0o444)
    place.chmod(0o500)
    (root / "locks").mkdir(exist_ok=True)
    (root / "locks" / digest).touch()
    return place


def left(root: Path) -> set[str]:
    return {
        str(path.relative_to(root)) for path in root.glob("*/*") if path.parent.name not in ("locks", "used")
    }


def marked(root: Path, study: str, *marks: tuple[usage.Kind, str]) -> None:
    """A study whose workers have ended."""
    one = usage.Usage(root, study)
    for kind, digest in marks:
        one.mark(kind, digest)
    one.let_go()


def test_what_only_one_study_used_goes_with_it(tmp_path: Path) -> None:
    for kind, digest in (
        ("payloads", "p1"),
        ("payloads", "p2"),
        ("inputs", "i1"),
        ("environments", "e1"),
        ("environments", "e2"),
    ):
        thing(tmp_path, kind, digest)
    thing(tmp_path, "bytecode", "e1")
    thing(tmp_path, "bytecode", "e2")
    marked(tmp_path, "one", ("payload", "p1"), ("input", "i1"), ("environment", "e1"), ("environment", "e2"))
    marked(tmp_path, "two", ("payload", "p2"), ("environment", "e2"))
    removed = usage.forget(tmp_path, "one")
    assert removed == usage.Removed({"payload": 1, "input": 1, "environment": 1}, 400, ("two",))
    assert left(tmp_path) == {"payloads/p2", "environments/e2", "bytecode/e2"}
    assert not (tmp_path / "locks" / "p1").exists()
    assert (tmp_path / "locks" / "p2").exists()
    assert usage.forget(tmp_path, "one").counts == {"payload": 0, "input": 0, "environment": 0}
    usage.forget(tmp_path, "two")
    assert left(tmp_path) == set()


def test_what_nobody_marked_and_what_was_left_half_goes_too(tmp_path: Path) -> None:
    thing(tmp_path, "payloads", "old")
    thing(tmp_path, "payloads", ".gone.half")
    (tmp_path / "payloads" / ".gone.object").write_bytes(b"half")
    assert usage.forget(tmp_path, "never-here").counts["payload"] == 2
    assert left(tmp_path) == set()


def test_bytecode_of_a_payload_goes_with_it_and_the_environments_stays(tmp_path: Path) -> None:
    payload = thing(tmp_path, "payloads", "p1")
    compiled = tmp_path / "bytecode" / "e1" / payload.relative_to("/")
    compiled.mkdir(parents=True)
    other = tmp_path / "bytecode" / "e1" / "usr"
    other.mkdir()
    marked(tmp_path, "one", ("payload", "p1"))
    marked(tmp_path, "two", ("environment", "e1"))
    usage.forget(tmp_path, "one")
    assert (compiled.exists(), other.exists()) == (False, True)


def test_the_last_one_takes_uvs_own_cache_along(tmp_path: Path) -> None:
    (tmp_path / "home" / ".cache" / "uv").mkdir(parents=True)
    marked(tmp_path, "one")
    marked(tmp_path, "two")
    usage.forget(tmp_path, "one")
    assert (tmp_path / "home").exists()
    usage.forget(tmp_path, "two")
    assert not (tmp_path / "home").exists()


def test_a_cache_that_is_not_there_has_nothing_to_forget(tmp_path: Path) -> None:
    assert usage.forget(tmp_path / "none", "one") == usage.Removed(
        {"payload": 0, "input": 0, "environment": 0}, 0, ()
    )


class Source:
    """Gives one object, and lets somebody else do something first."""

    def __init__(self, data: bytes, first: Any = lambda: None) -> None:
        self.data, self.first = data, first

    def fetch(self, digest: str, target: Path) -> None:
        self.first()
        target.write_bytes(self.data)


def test_what_is_being_prepared_is_not_taken_away(tmp_path: Path) -> None:
    data = b"an input"
    digest = hashlib.sha256(data).hexdigest()
    seen: list[usage.Removed] = []
    source = Source(data, lambda: seen.append(usage.forget(tmp_path, "other")))
    cache = caches.Cache(tmp_path, source)
    cache.used_by("one").mark("input", digest)
    marked(tmp_path, "other", ("input", digest))
    assert cache.input(Input(digest, "city.inp", "file"), lambda _: None).read_bytes() == data
    cache.let_go()
    assert seen[0].others == ("one",)


def forget(root: Path, study: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cloudburst_worker", "forget", "--study", study, "--cache", str(root)]
    return subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(WORKER)}, check=False
    )


@pytest.mark.slow
def test_the_program_says_what_it_removed_and_refuses_while_a_worker_runs(lab: Any, tmp_path: Path) -> None:
    lab.cache = tmp_path / "cache"
    order = lab.order({"mod.py": "def work(n): return n"})
    supervisor = lab.start()
    (outcome,) = lab.run(order, {"n": 1})
    refused = forget(lab.cache, "lab")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "a worker of lab still runs on this node: nothing was removed" in refused.stderr
    assert (lab.cache / "payloads" / outcome["payload"]).is_dir()
    lab.stop(supervisor)
    done = forget(lab.cache, "lab")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["removed"] == {"payload": 1, "input": 0, "environment": 1}
    assert told["others"] == []
    assert told["bytes"] > 1000
    assert not list((lab.cache / "payloads").iterdir())
    assert forget(lab.cache, "../x").returncode == 2
