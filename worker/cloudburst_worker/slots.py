"""A slot: one place for a job at a time, with its runner, its clock and its watch over memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from . import machine
from .runner.endings import describe_exit, failed
from .runner.scratch import is_full
from .runners import Place, Prepared, Runner

WATCH = 0.25
"""Seconds between two looks at the memory of a job."""

_STARTS = 3


class Borrower(Protocol):
    """An RQ worker that has a slot for the length of one batch."""

    def on_job_end(self, end: dict[str, Any]) -> None: ...
    def on_refused(self, reason: str) -> None: ...


class Owner(Protocol):
    """Who is told what changes in a slot."""

    def on_slot_ready(self, slot: Slot) -> None: ...
    def on_order_broken(self, digest: str, reason: str) -> None: ...
    def on_job_seconds(self, seconds: float) -> None: ...


@dataclass
class Running:
    """A job inside a runner. `clock` and `started` are of its start: monotonic and since the epoch."""

    body: bytes
    clock: float
    started: float
    timer: asyncio.TimerHandle | None = None
    watch: asyncio.TimerHandle | None = None
    verdict: tuple[str, str] | None = None

    def stop_watching(self) -> None:
        for handle in (self.timer, self.watch):
            if handle is not None:
                handle.cancel()


class Slot:
    """`room` is where its directories are made; it moves to `spare_room` when the first is full."""

    def __init__(
        self,
        number: int,
        owner: Owner,
        room: Path,
        spare_room: Path,
        echo: Callable[[bytes], None] | None = None,
    ) -> None:
        self.number = number
        self.borrower: Borrower | None = None
        self.job: Running | None = None
        self.left = 0  # jobs of the batch after the one at hand
        self._owner = owner
        self._room, self._spare_room = room, spare_room
        self._echo = echo
        self._prepared: Prepared | None = None
        self._runner: Runner | None = None
        self._ready = False
        self._waiting: bytes | None = None
        self._starts = 0
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_ready(self) -> bool:
        """Whether a job would start at once."""
        return self._ready

    @property
    def pid(self) -> int:
        return self._runner.pid if self._runner is not None else 0

    @property
    def order(self) -> str | None:
        """The digest of the order its runner is for."""
        return self._prepared.order.digest if self._prepared is not None else None

    def serves(self, digest: str) -> bool:
        return self.order == digest

    def furnish(self, prepared: Prepared) -> None:
        """Gives the slot a runner of this order; one of another order goes. Only while it is not lent."""
        if self.serves(prepared.order.digest) and self._runner is not None:
            return
        self._prepared = prepared
        self._starts = 0
        if self._runner is None:
            self._start()
        else:
            self._ready = False
            self._runner.kill()  # on_exit starts the new one

    def close(self) -> None:
        """Ends the runner for good; a job inside it has no outcome."""
        self._closed = True
        self._forget_job()
        if self._runner is not None:
            self._runner.kill()

    async def end(self) -> None:
        """`close`, and waits until the runner's process is gone."""
        self.close()
        if self._runner is not None:
            await self._runner.gone()

    # ── the borrower's side ──────────────────────────────────────────────────────────────────
    def lend(self, borrower: Borrower, jobs: int) -> None:
        """Lends the slot for a batch of so many jobs."""
        self.borrower = borrower
        self.left = jobs - 1

    def run(self, body: bytes, left: int) -> None:
        """Starts a job, now or as soon as the runner is ready. Its end goes to the borrower."""
        self.left = left
        self._waiting = body
        self._go_on()

    def give_back(self) -> None:
        """The batch is over, or its worker is gone: a job still inside is killed and has no outcome."""
        self.borrower = None
        self._waiting = None
        self.left = 0
        if self.job is not None:
            self._forget_job()
            self._kill()

    def stop(self) -> None:
        """The node leaves: the job at hand is killed, and its worker hands it back."""
        borrower, was_inside = self.borrower, self.job is not None or self._waiting is not None
        self._waiting = None
        if borrower is None or not was_inside:
            return
        self._forget_job()
        self._kill()
        borrower.on_job_end({"status": "stopped"})

    # ── the runner's side ────────────────────────────────────────────────────────────────────
    def on_ready(self, runner: Runner) -> None:
        if runner is not self._runner:
            return
        self._ready = True
        self._starts = 0
        self._owner.on_slot_ready(self)
        self._go_on()

    def on_end(self, runner: Runner, end: dict[str, Any]) -> None:
        if runner is not self._runner or self.job is None or self.job.verdict is not None:
            return  # killed while it was ending: the verdict stands
        job = self._take_job(self.job)
        self._owner.on_job_seconds(end["seconds"])
        full = end.pop("full", False) or (end["status"] == "failed" and is_full(str(self._room)))
        if full and self._can_move:
            self._run_again_elsewhere(job)
        else:
            self._answer(self._say_full(end) if full else end)

    def on_broken(self, runner: Runner, reason: str) -> None:
        if runner is self._runner and runner.prepared is self._prepared:
            self._give_up(reason)

    def on_exit(self, runner: Runner, returncode: int) -> None:
        if runner is not self._runner:
            return
        self._runner, self._ready = None, False
        job = self._take_job(self.job) if self.job is not None else None
        full = is_full(str(self._room))
        if job is not None and full and self._can_move:
            self._run_again_elsewhere(job)
            return
        if not self._closed:
            self._start(returncode)
        if job is not None:
            end = self._verdict(job, runner, returncode)
            self._answer(self._say_full(end) if full and end["kind"] == "crash" else end)

    # ── inside ───────────────────────────────────────────────────────────────────────────────
    def _start(self, returncode: int = 0) -> None:
        prepared = self._prepared
        if prepared is None:
            return
        self._starts += 1
        if self._starts > _STARTS:
            self._give_up(f"a runner ended before its first job: {describe_exit(returncode)}")
            return
        self._runner = Runner(prepared, self._place(), self, self._echo)
        task = asyncio.create_task(self._start_runner(self._runner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_runner(self, runner: Runner) -> None:
        try:
            await runner.start()
        except OSError as error:
            self._runner = None
            self._give_up(f"no runner can be started: {error}")
            return
        if self._closed or runner is not self._runner or runner.prepared is not self._prepared:
            runner.kill()

    def _give_up(self, reason: str) -> None:
        """No runner of this order comes to life here."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            self._owner.on_order_broken(prepared.order.digest, reason)

    def _place(self) -> Place:
        home = self._room / f"slot-{self.number}"
        return Place(home / "work", home / "out", home / "home")

    def _go_on(self) -> None:
        if not self._ready or self._waiting is None or self._runner is None:
            return
        body, self._waiting = self._waiting, None
        self._ready = False
        loop = asyncio.get_running_loop()
        job = self.job = Running(body, loop.time(), time.time())
        order = self._runner.prepared.order
        if order.timeout is not None:
            job.timer = loop.call_later(order.timeout, self._time_is_up, order.timeout)
        if order.memory is not None:
            job.watch = loop.call_later(WATCH, self._watch_memory, order.memory)
        self._runner.give(body)

    def _time_is_up(self, timeout: float) -> None:
        self._condemn("timeout", f"the job ran longer than its timeout of {timeout:g} s and was ended")

    def _watch_memory(self, limit: int) -> None:
        if self.job is None or self._runner is None:
            return
        size = machine.resident(self._runner.pid)
        if size > limit:
            size = machine.resident_exactly(self._runner.pid)
        if size > limit:
            self._condemn(
                "memory", f"the job held {_gb(size)} of memory, more than needs.memory allows ({_gb(limit)})"
            )
        else:
            self.job.watch = asyncio.get_running_loop().call_later(WATCH, self._watch_memory, limit)

    def _condemn(self, kind: str, sentence: str) -> None:
        if self.job is not None and self.job.verdict is None:
            self.job.verdict = (kind, sentence)
            self._kill()

    def _kill(self) -> None:
        self._ready = False
        if self._runner is not None:
            self._runner.kill()

    def _take_job(self, job: Running) -> Running:
        """The job is over here: its clock and watch stop."""
        self.job = None
        job.stop_watching()
        return job

    def _forget_job(self) -> None:
        if self.job is not None:
            self._take_job(self.job)

    def _verdict(self, job: Running, runner: Runner, returncode: int) -> dict[str, Any]:
        kind, sentence = job.verdict or ("crash", describe_exit(returncode))
        seconds = asyncio.get_running_loop().time() - job.clock
        return {**failed(kind, sentence, job.started, seconds), "output": runner.output()}

    def _answer(self, end: dict[str, Any]) -> None:
        if self.borrower is not None:
            self.borrower.on_job_end(end)

    # ── a scratch that is full ───────────────────────────────────────────────────────────────
    @property
    def _can_move(self) -> bool:
        """Whether a job that failed for want of space can have a scratch elsewhere."""
        return self._room != self._spare_room

    def _say_full(self, end: dict[str, Any]) -> dict[str, Any]:
        """Puts first what is the matter; what the job said of it follows."""
        with contextlib.suppress(OSError):
            space = os.statvfs(self._room)
            sentence = (
                f"the scratch of this node is full: {_gb(space.f_blocks * space.f_frsize)} for all its jobs, in "
                f"{self._room.parent}; `worker: scratch:` gives more on machines, fewer `slots` share it among fewer"
            )
            return {**end, "error": f"{sentence}\n{end['error']}"}
        return end

    def _run_again_elsewhere(self, job: Running) -> None:
        """Moves the slot to the spare room, on disk, and gives the job a second try that costs no attempt."""
        old = self._room / f"slot-{self.number}"
        self._room = self._spare_room
        self._waiting = job.body
        shutil.rmtree(old, ignore_errors=True)
        if self._runner is not None:
            self._kill()
        else:
            self._start()


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 10**8 else f"{size / 1e6:.1f} MB"
