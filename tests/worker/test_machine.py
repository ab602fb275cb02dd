"""Slots, memory and process trees of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
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


GB = 10**9


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 8 * GB),
        (
            {"memory.max": "max", "memory.current": str(3 * GB), "memory.stat": "anon 1\ninactive_file 5"},
            8 * GB,
        ),
        (
            {
                "memory.max": str(4 * GB),
                "memory.current": str(3 * GB),
                "memory.stat": f"anon 1\ninactive_file {GB}",
            },
            2 * GB,
        ),
        ({"memory.max": str(4 * GB), "memory.current": str(5 * GB), "memory.stat": "inactive_file 0"}, 0),
        (
            {
                "memory/memory.limit_in_bytes": str(2 * GB),
                "memory/memory.usage_in_bytes": str(GB),
                "memory/memory.stat": f"cache 7\ninactive_file 0\ntotal_inactive_file {GB // 2}",
            },
            2 * GB - GB // 2,
        ),
        (
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/memory.usage_in_bytes": str(GB),
                "memory/memory.stat": "total_inactive_file 0",
            },
            8 * GB,
        ),
    ],
    ids=["no group", "v2 unlimited", "v2", "v2 over it", "v1", "v1 unlimited"],
)
def test_free_memory_is_what_the_limit_of_a_container_leaves(
    files: dict[str, str], free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with 16 GB, 8 of them free."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_available", lambda: 8 * GB)
    monkeypatch.setattr(machine, "PAGE", 16 * GB)
    monkeypatch.setattr(os, "sysconf", lambda _: 1)
    assert machine.free_memory() == free


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
