"""A runner process as its supervisor sees it: started, spoken to, listened to, ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from . import homes, machine
from .channel import Channel
from .orders import Order
from .runner.scratch import remove

PROGRAM = Path(__file__).resolve().parent.parent
"""The directory `cloudburst_worker` lies in."""

OUTPUT_LIMIT = 16 * 1024
OUTPUT_LIMIT_DONE = 4 * 1024
_PIPE = 64 * 1024
"""What a pipe holds: all that a job wrote before its end can be read at once."""

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_INHERITED = ("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "LC_NUMERIC", "TZ")


@dataclass(frozen=True)
class Prepared:
    """Everything runners of one order need on this node. `inputs` maps a digest to the local path."""

    order: Order
    payload: Path
    python: Path
    bytecode: Path
    inputs: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Directories of one slot: where jobs work, where series and files wait to be stored, and a home for
    the programs of a user who has none; a runner finds it empty."""

    work: Path
    outbox: Path
    home: Path


class Listener(Protocol):
    """Who is told about a runner."""

    def on_ready(self, runner: Runner) -> None: ...
    def on_end(self, runner: Runner, end: dict[str, Any]) -> None: ...
    def on_broken(self, runner: Runner, reason: str) -> None: ...
    def on_exit(self, runner: Runner, returncode: int) -> None: ...


class Runner:
    """One process. After `start`, the listener hears `on_ready` before every job it may be given."""

    def __init__(
        self,
        prepared: Prepared,
        place: Place,
        listener: Listener,
        echo: Callable[[bytes], None] | None = None,
    ) -> None:
        self.prepared = prepared
        self.pid = 0
        self._place = place
        self._listener = listener
        self._echo = echo
        self._channel = Channel(self._on_message, lambda: None)
        self._output = bytearray()
        self._output_end = -1
        self._lifeline = -1
        self._waiter: asyncio.Task[None] | None = None
        self._killed = False
        self._ended = False

    async def start(self) -> None:
        """Starts the process and says hello. Raises OSError."""
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        self._output_end, output = os.pipe()
        os.set_blocking(self._output_end, False)
        remove(str(self._place.home))
        for directory in (self._place.work, self._place.outbox, self._place.home):
            directory.mkdir(parents=True, exist_ok=True)
        try:
            process = await asyncio.create_subprocess_exec(
                str(self.prepared.python), "-m", "cloudburst_worker.runner", str(theirs.fileno()), str(lifeline),
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, cwd=PROGRAM,
                env=environment(self.prepared, self._place), pass_fds=(theirs.fileno(), lifeline),
                start_new_session=True,
            )  # fmt: skip
        except OSError:
            ours.close()
            self._close()
            raise
        finally:
            theirs.close()
            os.close(lifeline)
            os.close(output)
        self.pid = process.pid
        asyncio.get_running_loop().add_reader(self._output_end, self._on_output)
        await self._channel.open(ours)
        self._channel.send(self._hello())
        self._waiter = asyncio.create_task(self._wait(process))

    def give(self, body: bytes) -> None:
        """Gives it a job, as JSON. Only after `on_ready`."""
        self._on_output()
        self._output.clear()
        self._channel.forward(body)

    def output(self, limit: int = OUTPUT_LIMIT) -> str:
        """The end of what was written since the job began."""
        return bytes(self._output[-limit:]).decode("utf-8", "replace")

    def kill(self) -> None:
        """Ends it and everything it started, now. Of the listener's calls only `on_exit` follows."""
        self._killed = True
        if self.pid and not self._ended:
            machine.end_tree(self.pid)

    async def gone(self) -> None:
        """Returns when the process has ended."""
        if self._waiter is not None:
            await asyncio.wait({self._waiter})

    # ── inside ───────────────────────────────────────────────────────────────────────────────
    def _hello(self) -> dict[str, Any]:
        order = self.prepared.order
        return {
            "payload": str(self.prepared.payload),
            "entrypoint": order.entrypoint,
            "isolation": order.isolation,
            "scratch": str(self._place.work),
            "outbox": str(self._place.outbox),
            "inputs": dict(self.prepared.inputs),
        }

    def _on_message(self, body: bytes) -> None:
        if self._killed:
            return
        message = json.loads(body)
        if "end" in message:
            self._on_output()
            end = message["end"]
            end["output"] = self.output(OUTPUT_LIMIT_DONE if end["status"] == "done" else OUTPUT_LIMIT)
            self._listener.on_end(self, end)
        elif "ready" in message:
            self._listener.on_ready(self)
        else:
            self._on_output()
            self._listener.on_broken(self, message["broken"])

    def _on_output(self) -> None:
        with contextlib.suppress(OSError):  # nothing there, or closed already
            data = os.read(self._output_end, _PIPE)
            if not data:
                asyncio.get_running_loop().remove_reader(self._output_end)
            if self._echo is not None:
                self._echo(data)
            self._output += data
            if len(self._output) > 4 * OUTPUT_LIMIT:
                del self._output[:-OUTPUT_LIMIT]

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        returncode = await process.wait()
        self._ended = True
        machine.end_tree(self.pid)  # what the dead left in its process group
        self._on_output()
        self._close()
        self._listener.on_exit(self, returncode)

    def _close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._output_end)
        self._channel.close()
        for descriptor in (self._lifeline, self._output_end):
            os.close(descriptor)


def environment(prepared: Prepared, place: Place) -> dict[str, str]:
    """The environment variables of a runner: a small base and the names in `worker.env`, no credential of ours."""
    order = prepared.order
    programs = prepared.python.parent
    base = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    base |= homes.provide(base, place.home)
    base["PATH"] = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])
    base["VIRTUAL_ENV"] = str(programs.parent)
    base["TMPDIR"] = str(place.work)
    base["PYTHONPYCACHEPREFIX"] = str(prepared.bytecode)
    base.update(dict.fromkeys(_THREADS, str(max(1, int(order.cpus)))))
    base.update({name: prepared.secrets[name] for name in order.env if name in prepared.secrets})
    return base
