"""A host's size, kept by control groups: version 1 (one tree per controller) or 2 (one tree)."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path

from .commands import until

ROOT = Path("/sys/fs/cgroup")


def create(group: str, *, cpus: int, memory_mb: int) -> tuple[Path, ...]:
    """Makes the groups `group` ("lab/host") anew; returns the files a process enters them by."""
    remove(group)
    trees = _trees()
    for tree in trees:
        parent = tree
        for part in Path(group).parts:
            _pass_on(parent)
            parent = parent / part
            parent.mkdir(exist_ok=True)
            _inherit_cpus(parent)
        _write(parent / "memory.limit_in_bytes", str(memory_mb << 20))
        _write(parent / "memory.max", str(memory_mb << 20))
        _write(parent / "cpuset.cpus", _first_cpus(cpus))
    return tuple(tree / group / "cgroup.procs" for tree in trees)


def remove(group: str) -> None:
    """Removes `group` and every group in it, once their last processes have left."""
    for tree in _trees():
        top = tree / group
        until(partial(_removed, top), f"control group {top} is empty", 20)


def _removed(top: Path) -> bool:
    groups = [Path(path) for path, _, _ in os.walk(top, topdown=False)]
    for path in groups:
        with contextlib.suppress(OSError):
            path.rmdir()
    return not top.exists()


def _is_unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()


def _trees() -> tuple[Path, ...]:
    if _is_unified():
        return (ROOT,)
    named = (tree for tree in sorted(ROOT.iterdir()) if not tree.is_symlink() and tree.name != "unified")
    return tuple(tree for tree in named if (tree / "cgroup.procs").exists())


def _pass_on(group: Path) -> None:
    """Version 2: lets the groups inside have the controllers a host's size and its containers need."""
    control = group / "cgroup.subtree_control"
    if control.exists():
        for controller in (group / "cgroup.controllers").read_text().split():
            with contextlib.suppress(OSError):
                control.write_text(f"+{controller}")


def _inherit_cpus(group: Path) -> None:
    """Version 1: a new cpuset is empty, and nothing can run in it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = group / name
        if file.exists() and not _is_unified() and not file.read_text().strip():
            file.write_text((group.parent / name).read_text())


def _write(file: Path, text: str) -> None:
    if file.exists():
        file.write_text(text)


def _first_cpus(count: int) -> str:
    allowed = sorted(os.sched_getaffinity(0))
    return ",".join(str(cpu) for cpu in allowed[:count])
