"""A slot whose scratch is full, and what it leaves when it closes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from cloudburst_worker.orders import Order
from cloudburst_worker.runners import Prepared
from cloudburst_worker.slots import Slot

MODULE = """
import os
def work(full):
    print("in", os.getcwd())
    if os.getcwd().startswith(full):
        raise OSError(28, "No space left on device")
    return os.getcwd()
"""


class Customer:
    """Owner and borrower of a slot."""

    def __init__(self) -> None:
        self.end: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    def on_job_end(self, end: dict[str, Any]) -> None:
        self.end.set_result(end)

    def on_refused(self, reason: str) -> None:
        self.end.set_exception(AssertionError(reason))

    def on_slot_ready(self, slot: Slot) -> None: ...
    def on_job_seconds(self, seconds: float) -> None: ...
    def on_order_broken(self, digest: str, reason: str) -> None:
        self.on_refused(reason)


def prepared(directory: Path) -> Prepared:
    payload = directory / "payload"
    payload.mkdir()
    (payload / "mod.py").write_text(MODULE)
    order = Order("d", "lab", "p", "3.11", "mod:work", None, None, 1.0, "process", (), ())
    return Prepared(order, payload, Path(sys.executable), directory / "bytecode", {}, {})


@pytest.mark.slow
def test_a_job_that_filled_the_memory_scratch_runs_again_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alive: Any
) -> None:
    small, disk = tmp_path / "small", tmp_path / "disk"
    real = os.statvfs

    def statvfs(path: Any) -> Any:
        found = list(real(tmp_path))
        if str(path).startswith(str(small)):
            found[4] = 0  # f_bavail
        return os.statvfs_result(found)

    async def scenario() -> tuple[dict[str, Any], int]:
        customer = Customer()
        slot = Slot(0, customer, small, disk)
        slot.furnish(prepared(tmp_path))
        slot.lend(customer, 1)
        slot.run(json.dumps({"run": {"full": str(small)}, "argv": None}).encode(), 0)
        end = await asyncio.wait_for(customer.end, 30)
        pid = slot.pid
        await slot.end()
        return end, pid

    monkeypatch.setattr(os, "statvfs", statvfs)
    end, pid = asyncio.run(scenario())
    assert end["status"] == "done"
    assert end["result"] == {"value": str(disk / "slot-0" / "work")}
    assert end["output"] == f"in {disk / 'slot-0' / 'work'}\n"
    assert not alive(pid)
