"""A node as it is in a container: nobody's user, no home, a small scratch in memory, a cache that is warm or half."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudburst_worker import archives, environment, homes

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
PARTS = "CLOUDBURST_REQUIRE_PARTS" in os.environ


# ── nobody ───────────────────────────────────────────────────────────────────────────────────
AS_NOBODY = ["unshare", "--user", "--map-user=10001", "--map-group=10001"]

NOBODY = """
import getpass, os, pathlib, tempfile
def work(n):
    home = pathlib.Path.home()
    (home / ".config").mkdir()
    try:
        (pathlib.Path(os.__file__).parents[0] / "x").touch()
    except OSError:
        pass
    return {"uid": os.getuid(), "user": getpass.getuser(), "home": str(home), "temp": tempfile.gettempdir(),
            "expanded": os.path.expanduser("~/x"), "cwd": os.getcwd()}
"""


@pytest.mark.slow
def test_a_user_without_name_and_home_gets_both(lab: Any, tmp_path: Path) -> None:
    if subprocess.run([*AS_NOBODY, "true"], capture_output=True, check=False).returncode:
        assert not PARTS, "this system should allow user namespaces"
        pytest.skip("no user namespaces here: sysctl kernel.unprivileged_userns_clone=1")
    lab.wrapper = [*AS_NOBODY, "env", "-u", "USER", "-u", "LOGNAME", "HOME=/proc"]
    lab.cache = tmp_path / "cache"
    order = lab.order({"mod.py": NOBODY, ".cloudburst/lock.txt": "# nothing\n"})
    lab.start()
    (outcome,) = lab.run(order, {"n": 1})
    assert outcome["status"] == "done", outcome["error"]
    result = outcome["result"]
    assert (result["uid"], result["user"]) == (10001, "cloudburst")
    assert result["home"].startswith(str(tmp_path / "scratch"))
    assert result["expanded"] == f"{result['home']}/x"
    assert result["temp"] == result["cwd"] != result["home"]
    assert (lab.cache / "home").is_dir()  # uv's


def test_who_has_a_home_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "HOME" not in homes.provide({"HOME": str(tmp_path)}, Path("/other"))
    assert homes.provide({"HOME": str(tmp_path / "none")}, Path("/other"))["HOME"] == "/other"

    def unknown(uid: int) -> Any:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    told = homes.provide({}, Path("/other"))
    assert told == {"HOME": "/other", "USER": "cloudburst", "LOGNAME": "cloudburst"}
    assert homes.provide({"HOME": str(tmp_path), "USER": "me", "LOGNAME": "me"}, Path("/other")) == {}


# ── a small scratch ──────────────────────────────────────────────────────────────────────────
@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 16 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        assert not PARTS, "the tests should run as root here"
        pytest.skip("a tmpfs can only be mounted by root: run the tests as root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


FILLS = """
import os, pathlib
def work(do):
    if do == "look":
        space = os.statvfs(".")
        return {"free": space.f_bavail * space.f_frsize, "here": sorted(os.listdir("."))}
    if do == "tidy":
        try:
            pathlib.Path("large").write_bytes(bytes(64_000_000))
        finally:
            os.unlink("large")
    with open("large", "wb", buffering=0) as file:
        while True:
            if not file.write(bytes(1_000_000)): break
            if do == "crash" and os.statvfs(".").f_bavail < 500: os.abort()
"""


@pytest.mark.slow
def test_a_full_scratch_is_said_and_emptied(lab: Any, small: Path) -> None:
    lab.scratch = small
    order = lab.order({"mod.py": FILLS})
    supervisor = lab.start()
    outcomes = lab.run(order, {"do": "fill"}, {"do": "look"}, {"do": "tidy"}, {"do": "crash"}, {"do": "look"})
    assert [o["status"] for o in outcomes] == ["failed", "done", "failed", "failed", "done"]
    for failed, kind, said in (
        (outcomes[0], "error", "OSError"),
        (outcomes[2], "error", "OSError"),
        (outcomes[3], "crash", "SIGABRT"),
    ):
        first, then = failed["error"].split("\n")[:2]
        assert first.startswith(f"the scratch of this node is full: 16.8 MB for all its jobs, in {small};")
        assert said in then
        assert failed["kind"] == kind
    for looked in (outcomes[1], outcomes[4]):
        assert looked["result"]["here"] == ["mod.py"]
        assert looked["result"]["free"] > 12 * 2**20
    lab.stop(supervisor)
    assert list(small.iterdir()) == []


# ── a cache that is warm ─────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_a_restart_with_a_warm_cache_asks_nobody_for_anything(
    lab: Any, cut_store: Any, tmp_path: Path
) -> None:
    lab.cache = tmp_path / "cache"
    data = lab.store.add(b"an input")
    order = lab.order(
        {"mod.py": "def work(path): return open(path).read()", ".cloudburst/lock.txt": "# nothing\n"},
        inputs={data: {"name": "city.inp", "kind": "file"}},
    )
    job = {"path": f"cloudburst-input://{data}"}
    supervisor = lab.start()
    (first,) = lab.run(order, job)
    lab.stop(supervisor)
    cut_store.refuse()
    nowhere = "http://127.0.0.1:9"
    broken = tmp_path / "broken" / "uv"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("def find_uv_bin(): return '/bin/false'")
    lab.environment = {
        "HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "ALL_PROXY": nowhere, "UV_DEFAULT_INDEX": nowhere,
        "PYTHONPATH": f"{broken.parent}:{Path(archives.__file__).parents[1]}",
    }  # fmt: skip
    lab.start()
    (second,) = lab.run(order, job)
    assert first["result"] == second["result"] == {"value": "an input"}


@pytest.mark.slow
def test_an_environment_cannot_be_changed_by_what_runs_in_it(lab: Any, tmp_path: Path) -> None:
    lab.cache = tmp_path / "cache"
    module = """
import pathlib, sys, sysconfig
def work(do):
    place = pathlib.Path(sysconfig.get_paths()["purelib"])
    assert sys.prefix != sys.base_prefix
    (place / "added.py").write_text("x = 1")
"""
    order = lab.order({"mod.py": module})
    lab.start()
    (outcome,) = lab.run(order, {"do": "add"})
    assert outcome["error"].startswith("PermissionError")


@pytest.mark.slow
def test_a_build_that_was_killed_is_not_taken_for_whole(tmp_path: Path) -> None:
    """`kill -9` of everything while uv is at work, as with a container or a machine that ends."""
    (tmp_path / "payload" / ".cloudburst").mkdir(parents=True)
    (tmp_path / "payload" / ".cloudburst" / "lock.txt").write_text("# nothing\n")
    slow = tmp_path / "slow" / "uv"
    slow.mkdir(parents=True)
    (slow / "__init__.py").write_text(f"def find_uv_bin(): return {str(tmp_path / 'slow-uv')!r}")
    real = shutil.which("uv") or environment._find_uv()
    (tmp_path / "slow-uv").write_text(
        f'#!/bin/sh\ncase "$1" in pip) touch {tmp_path}/at-work; sleep 1000;; *) exec {real} "$@";; esac\n'
    )
    (tmp_path / "slow-uv").chmod(0o755)
    program = (
        "import sys, pathlib\nfrom cloudburst_worker import environment\n"
        f"environment.build(pathlib.Path({str(tmp_path / 'payload')!r}), {MINOR!r}, pathlib.Path({str(tmp_path / 'cache')!r}), print)"
    )
    worker = str(Path(archives.__file__).parents[1])
    killed = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": f"{slow.parent}:{worker}"},
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = threading.Event()
    while not (tmp_path / "at-work").exists():
        assert killed.poll() is None
        deadline.wait(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    (half,) = [path for path in (tmp_path / "cache" / "environments").iterdir() if path.is_dir()]
    assert (half / "bin" / "python").exists()
    assert not (half / ".complete").exists()
    (half / "left-behind").touch()
    python = environment.build(tmp_path / "payload", MINOR, tmp_path / "cache", lambda _: None)
    assert (half / ".complete").exists()
    assert not (half / "left-behind").exists()
    assert python.exists()
    assert half.stat().st_mode & 0o222 == 0
    archives.remove(half)


@pytest.mark.slow
def test_several_nodes_of_one_cache_build_an_environment_once(tmp_path: Path) -> None:
    (tmp_path / "payload").mkdir()
    said: list[str] = []
    builders = [
        threading.Thread(
            target=environment.build, args=(tmp_path / "payload", MINOR, tmp_path / "cache", said.append)
        )
        for _ in range(3)
    ]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert said == ["building the environment"]


# ── a payload that comes later ───────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_a_new_payload_is_picked_up_and_never_mixed_with_the_old_one(lab: Any, tmp_path: Path) -> None:
    def code(version: int) -> dict[str, str]:
        wait = f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
        return {
            "mod.py": f"import os, time\ndef work(n):\n    import part\n    {wait}\n    return [{version}, part.VERSION]",
            "part.py": f"VERSION = {version}",
        }

    old = lab.order(code(1))
    supervisor = lab.start(slots="2")
    running = lab.enqueue(old, {"n": 0}, {"n": 1})
    lab.wait(lambda: lab.node().get("busy") == 1, "the first job")
    new = lab.order(code(2))
    later = lab.enqueue(new, {"n": 0}, {"n": 1})
    lab.wait(lambda: lab.node().get("busy") == 2, "a batch of each")
    (tmp_path / "go").touch()
    lab.wait(lambda: lab.finished(running) and lab.finished(later), "both")
    values = {e["batch"]: e["outcome"]["result"]["value"] for e in lab.entries if e["type"] == "outcome"}
    payloads = {e["batch"]: e["outcome"]["payload"] for e in lab.entries if e["type"] == "outcome"}
    assert values == {running: [1, 1], later: [2, 2]}
    assert payloads[running] != payloads[later]
    assert supervisor.poll() is None
