from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.harness import Study, Tell, processes

TOLD = pytest.StashKey[list[tuple[str, int, str]]]()

TABLE = """# What was killed, and what came of it

Written by `make faults`: a study of 40 jobs on two slots, the part killed with `kill -9` when so many jobs were
done. After each: no job that was recorded ran again, the table had every row once with its value, and no process of
the study was left.

| what happens | after … of 40 jobs | how it goes on |
| --- | --- | --- |
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-table", metavar="FILE", help="write what was survived there")


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers a line of the table; called by a test when everything held."""
    lines = pytestconfig.stash.setdefault(TOLD, [])
    return lambda what, done, how: lines.append((what, done, how))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    target = session.config.getoption("--faults-table", default=None)
    if target and exitstatus == 0:
        merged: dict[tuple[str, str], list[int]] = {}
        for what, done, how in session.config.stash.get(TOLD, []):
            merged.setdefault((what, how), []).append(done)
        lines = (
            f"| {what} | {', '.join(map(str, sorted(at)))} | {how} |" for (what, how), at in merged.items()
        )
        Path(target).write_text(TABLE + "\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Environments built once for all of these tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def study(tmp_path: Path, cache: Path) -> Iterator[Study]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc to find the processes of a study: run it on Linux")
    home = tmp_path / "a study ü"
    home.mkdir()
    made = Study(home, jobs=40, cache=cache)
    yield made
    for process in made.running:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    for pid in processes():
        if pid not in (os.getpid(), os.getppid()) and made.owns(pid):
            os.kill(pid, signal.SIGKILL)
