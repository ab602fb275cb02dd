from __future__ import annotations

import os
import subprocess
import sys

from cloudburst.run.processes import end, is_running, start_mark

WAITS = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]


def started(*, ignore_term: bool = False) -> subprocess.Popen[bytes]:
    head = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " if ignore_term else ""
    process = subprocess.Popen([*WAITS[:2], head + WAITS[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def done_with(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def test_a_running_process_is_known_by_its_mark() -> None:
    process = started()
    mark = start_mark(process.pid)
    assert is_running(process.pid, mark)
    done_with(process)
    assert not is_running(process.pid, mark)


def test_a_later_process_with_the_same_pid_is_another_one() -> None:
    mark = start_mark(os.getpid())
    assert mark is not None
    assert not is_running(os.getpid(), mark + "0")
    assert not is_running(os.getpid(), None)


def test_one_that_ended_but_was_not_waited_for_does_not_run() -> None:
    process = started()
    mark = start_mark(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_running(process.pid, mark)
    process.communicate()


def test_end_asks_first_and_insists_later() -> None:
    for stubborn in (False, True):
        process = started(ignore_term=stubborn)
        assert end(process.pid, start_mark(process.pid), grace=0.2 if stubborn else 10.0)
        assert process.wait(5) == (-9 if stubborn else -15)
        process.communicate()


def test_ending_a_stranger_is_refused() -> None:
    process = started()
    assert not end(process.pid, "another mark", grace=0.1)
    assert process.poll() is None
    done_with(process)
