from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.harness import Study, Tell, processes
from faults.table import LOCAL, note

TOLD = pytest.StashKey[dict[tuple[str, str], list[int]]]()


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers what was survived; called by a test when everything held. One line for all moments."""
    told = pytestconfig.stash.setdefault(TOLD, {})

    def line(what: str, done: int, how: str) -> None:
        told.setdefault((what, how), []).append(done)

    return line


@pytest.fixture(scope="session", autouse=True)
def lines(pytestconfig: pytest.Config) -> Iterator[None]:
    """Puts it into docs/faults.md."""
    yield
    for (what, how), done in pytestconfig.stash.get(TOLD, {}).items():
        note(pytestconfig, LOCAL, (what, ", ".join(map(str, sorted(done))), how))


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
