"""Slots, memory and process trees of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from cloudburst_worker import machine

TREE = (
    'import os, time\nif os.fork() == 0: os.setsid()\nos.write(1, b"%d\\n" % os.getpid())\ntime.sleep(1000)'
)


def test_slots_are_what_cpus_and_memory_have_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cpus", lambda: 8.0)
    monkeypatch.setattr(machine, "memory", lambda: 16 * 10**9)
    assert machine.slots(1.0, None) == 8
    assert machine.slots(0.5, None) == 16
    assert machine.slots(3.0, None) == 2
    assert machine.slots(1.0, 5 * 10**9) == 3
    assert machine.slots(16.0, 64 * 10**9) == 1


def test_the_resident_size_of_this_process_is_plausible() -> None:
    before = machine.resident(os.getpid())
    held = b"x" * 50_000_000
    assert len(held) * 0.9 < machine.resident(os.getpid()) - before < len(held) * 2


@pytest.mark.slow
def test_a_tree_ends_as_a_whole_also_what_left_its_group(alive: Any) -> None:
    process = subprocess.Popen([sys.executable, "-c", TREE], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    with process.stdout as stdout:
        pids = sorted(int(stdout.readline()) for _ in range(2))
        tree = sorted(machine.tree(process.pid, machine.family()))
        machine.end_tree(process.pid)
        assert process.wait(10) == -signal.SIGKILL
    assert tree == pids
    assert not any(alive(pid) for pid in pids)
