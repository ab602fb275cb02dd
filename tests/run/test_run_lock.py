from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloudburst.errors import StudyBusy
from cloudburst.run.processes import is_running, start_mark
from cloudburst.run.run_lock import current_holder, hold

HOLDS = """
import subprocess, sys
from pathlib import Path
from cloudburst.run.run_lock import hold
with hold(Path(sys.argv[1]), study="net3") as lock:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
        start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    lock.note_part("controller", child.pid)
    print(child.pid, flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> tuple[subprocess.Popen[bytes], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    process, child = holder(path)
    try:
        with (
            pytest.raises(StudyBusy, match=rf"net3 is busy: .*process {process.pid} on ") as raised,
            hold(path, study="net3"),
        ):
            pass
        assert "cloudburst status" in raised.value.hint
        found = current_holder(path)
        assert found is not None
        assert found.pid == process.pid
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate(b"")


def test_what_a_killed_holder_left_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudburst.run.run_lock.LEFTOVER_GRACE", 0.1)
    path = tmp_path / "run.lock"
    process, child = holder(path)
    mark = start_mark(child)
    process.kill()
    process.communicate()
    assert current_holder(path) is None
    assert is_running(child, mark)
    with hold(path, study="net3"):
        assert not is_running(child, mark)


def test_it_is_free_again_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    for _ in range(2):
        with hold(path, study="net3"):
            assert current_holder(path) is not None
        assert current_holder(path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x", "parts": {"a": 1}}'])
def test_a_damaged_file_is_no_holder(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.lock"
    path.write_text(text)
    with hold(path, study="net3"):
        pass
