"""The RQ workers of a node: started, started again when they die, told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Protocol

from .desk import Desk
from .runners import PROGRAM

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0


class Whereabouts(Protocol):
    """What RQ workers have to be told."""

    @property
    def study(self) -> str: ...
    @property
    def node(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def files(self) -> str: ...
    @property
    def secrets(self) -> Path: ...
    @property
    def cache(self) -> Path: ...


class Crew:
    def __init__(self, whereabouts: Whereabouts, desk: Desk) -> None:
        self._whereabouts = whereabouts
        self._desk = desk
        self._members: dict[int, asyncio.Task[None]] = {}
        self._processes: dict[int, tuple[asyncio.subprocess.Process, int]] = {}
        self._stopping = False

    def resize(self, wanted: int) -> None:
        """Starts workers until there are `wanted`. One too many does no harm: it gets no room."""
        for number in range(len(self._members), wanted):
            self._members[number] = asyncio.create_task(self._keep(number))

    def stop(self) -> None:
        """Tells every worker to take no new batch, and to end after the job at hand."""
        self._stopping = True
        for _, lifeline in self._processes.values():
            with contextlib.suppress(OSError):
                os.write(lifeline, b"stop\n")

    def kill(self) -> None:
        for process, _ in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)

    async def wait(self) -> None:
        """Returns when no worker is left; only after `stop`."""
        await asyncio.gather(*self._members.values())

    async def _keep(self, number: int) -> None:
        """One worker for as long as the node lives."""
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
        while not self._stopping:
            began = loop.time()
            await self._run(number)
            if self._stopping:
                return
            pause = _FIRST_PAUSE if loop.time() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _run(self, number: int) -> None:
        """One process, from its start to its end."""
        ours, theirs = socket.socketpair()
        inherited, lifeline = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command(number, theirs.fileno()),
                stdin=inherited,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, "PYTHONPATH": str(PROGRAM)},
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(inherited)
        self._processes[number] = (process, lifeline)
        await self._desk.open(ours)
        await process.wait()
        del self._processes[number]
        os.close(lifeline)

    def _command(self, number: int, desk: int) -> list[str]:
        where = self._whereabouts
        return [
            sys.executable, "-m", "cloudburst_worker", "take", "--study", where.study, "--node", where.node,
            "--queue", where.queue, "--files", where.files, "--secrets", str(where.secrets),
            "--cache", str(where.cache), "--desk", str(desk), "--number", str(number),
        ]  # fmt: skip
