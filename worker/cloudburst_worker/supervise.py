"""`supervise`: one process per node. Prepares what jobs need, owns the runners, keeps RQ workers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError

from . import __version__, addresses, clock, machine, orders
from .cache import Cache
from .crew import Crew
from .desk import Desk
from .files import FileStore
from .preparing import prepare
from .queue import Keys, connect_async
from .runners import Prepared
from .scratches import Rooms
from .slots import Slot

_REPORT = 2.0
_REPORT_LIFE = 15_000
_LOOK_FOR_ORDER = 0.25
_MEND = (5.0, 60.0)
_QUICK = 2.0


@dataclass(frozen=True)
class Options:
    """The command line of `supervise`. `slots` None: as many as the machine has room for; `grace` in seconds."""

    study: str
    node: str
    queue: str
    files: str
    secrets: Path
    cache: Path
    scratch: Path | None
    slots: int | None
    grace: float
    lifeline: bool


def main(options: Options) -> int:
    """Runs until SIGTERM, SIGINT or, with a lifeline, the end of standard input."""
    asyncio.run(_run(options))
    return 0


async def _run(options: Options) -> None:
    await Supervisor(options).run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a download or a build in a thread ends with the process, not before it


class Supervisor:
    """The node. State changes are published at once, and every two seconds anyway."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._secrets = addresses.read_secrets(options.secrets)
        self._keys = Keys(options.study)
        self._queue = connect_async(options.queue, self._secrets.queue_password)
        self._cache = Cache(
            options.cache, FileStore(options.files, self._secrets.worker_token, patience=60.0)
        )
        self._rooms = Rooms(options.node, options.scratch, options.cache / "scratch")
        self._desk = Desk(self._prepare_soon, self._report_soon)
        self._crew = Crew(options, self._desk)
        self._wanted: str | None = None  # the order nodes are told to prepare
        self._state, self._detail = "waiting", ""
        self._clock = clock.Clock()
        self._news = asyncio.Event()
        self._leave = asyncio.Event()
        self._hurry = asyncio.Event()
        self._preparing: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        self._listen()
        self._do(self._report())
        await self._leave.wait()
        await self._end()

    # ── the order ────────────────────────────────────────────────────────────────────────────
    def _want(self, digest: str) -> None:
        """The controller names another order."""
        self._wanted = digest
        self._desk.current = None
        self._set("preparing", "reading the order")
        self._do(self._open_for(digest))

    async def _open_for(self, digest: str) -> None:
        """Prepares an order until it works, is replaced, or cannot work; then batches are taken."""
        pause, longest = _MEND
        while self._wanted == digest and not self._leave.is_set():
            try:
                prepared = await self._prepare(digest)
            except orders.Broken as error:
                self._set_for(digest, "broken", str(error))
                if not error.mends:
                    return
                await self._pause(pause)
                pause = min(2 * pause, longest)
            else:
                if self._wanted == digest:
                    await self._open(prepared)
                return

    async def _try_again(self, digest: str) -> None:
        """Runners of this order have worked here, and now they do not start: that may pass."""
        await self._pause(_MEND[0])
        await self._open_for(digest)

    async def _open(self, prepared: Prepared) -> None:
        order = prepared.order
        self._set("preparing", "starting runners")
        wanted = self._options.slots or machine.slots(order.cpus, order.memory)
        room, spare = self._rooms.open(wanted)
        self._desk.resize(wanted, lambda number: Slot(number, self._desk, room, spare))
        self._desk.open_for(prepared)
        self._crew.resize(wanted + 1)
        self._report_soon()

    def _prepare_soon(self, digest: str) -> None:
        """A batch of another order than the current one has come."""
        if digest not in self._preparing:
            self._do(self._prepare_for_batch(digest))

    async def _prepare_for_batch(self, digest: str) -> None:
        try:
            self._desk.on_prepared(await self._prepare(digest))
        except orders.Broken as error:
            self._desk.on_order_broken(digest, str(error))

    async def _prepare(self, digest: str) -> Prepared:
        """Everything the order needs, on this node. Raises Broken."""
        self._preparing.add(digest)
        try:
            text = await self._queue.get(self._keys.order(digest))
            if text is None:
                raise orders.Broken("the order is not in the queue", digest, mends=True)
            order = orders.read(text, digest)
            loop = asyncio.get_running_loop()

            def say(detail: str) -> None:
                loop.call_soon_threadsafe(self._set_for, digest, "preparing", detail)

            return await asyncio.to_thread(prepare, order, self._cache, self._secrets.environment, say)
        except orders.Broken:
            raise
        except (RedisError, OSError) as error:
            raise orders.Broken("the queue does not answer", str(error), mends=True) from error
        except Exception as error:
            said = "".join(traceback.format_exception(error))
            raise orders.Broken(f"the node cannot prepare the order: {error!r}", said) from error
        finally:
            self._preparing.discard(digest)

    # ── the state ────────────────────────────────────────────────────────────────────────────
    def _set(self, state: str, detail: str = "") -> None:
        self._state, self._detail = state, detail
        self._news.set()

    def _set_for(self, digest: str, state: str, detail: str) -> None:
        if self._wanted == digest and not self._leave.is_set():
            self._set(state, detail)

    def _report_soon(self) -> None:
        """Something changed at the desk."""
        reason = self._desk.broken.get(self._wanted or "")
        if self._leave.is_set():
            pass
        elif reason is not None and self._state != "broken":
            self._set("broken", reason)
            if self._wanted is not None and self._desk.has_worked(self._wanted):
                self._do(self._try_again(self._wanted))
        elif self._state == "preparing" and self._desk.is_ready:
            self._set("ready")
        self._news.set()

    async def _report(self) -> None:
        """Publishes the state for as long as the node lives, and looks which order is wanted."""
        while True:
            self._news.clear()
            with contextlib.suppress(RedisError, OSError):
                await self._publish()
            wait = _REPORT if self._wanted else _LOOK_FOR_ORDER
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), wait)
                await asyncio.sleep(0.05)  # several changes make one report

    async def _publish(self) -> None:
        self._mind(await clock.look(self._queue))
        async with self._queue.pipeline(transaction=False) as pipe:
            pipe.sadd(self._keys.nodes, self._options.node)
            pipe.set(self._keys.node(self._options.node), json.dumps(self._form()), px=_REPORT_LIFE)
            pipe.get(self._keys.current)
            *_, current = await pipe.execute()
        wanted = current.decode() if current else None
        if wanted is not None and wanted != self._wanted and not self._leave.is_set():
            self._want(wanted)

    def _mind(self, found: clock.Clock) -> None:
        """Takes no jobs while the clock is off; goes on when it is right again."""
        self._clock = found
        if found.is_off != self._desk.held:
            self._desk.hold(found.is_off)

    def _form(self) -> dict[str, object]:
        held = self._clock.is_off and not self._leave.is_set()
        return {
            "node": self._options.node,
            "state": "broken" if held else self._state,
            "detail": self._clock.explain() if held else self._detail,
            "clock": round(self._clock.ahead, 3) + 0.0,  # no -0.0
            "slots": len(self._desk.slots),
            "busy": self._desk.busy,
            "order": self._wanted,
            "pid": os.getpid(),
            "version": __version__,
        }

    # ── the end ──────────────────────────────────────────────────────────────────────────────
    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        if self._options.lifeline:
            loop.add_reader(0, self._on_lifeline)

    def _on_signal(self) -> None:
        (self._hurry if self._leave.is_set() else self._leave).set()

    def _on_lifeline(self) -> None:
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            self._leave.set()
            self._hurry.set()

    async def _end(self) -> None:
        """No new batch; jobs at hand may finish within the grace; then everything ends."""
        self._set("leaving")
        self._desk.close()
        self._crew.stop()
        hurried = asyncio.create_task(self._hurry.wait())
        gone = asyncio.create_task(self._crew.wait())
        grace = self._options.grace if self._desk.busy else _QUICK
        await asyncio.wait({hurried, gone}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        self._desk.stop_jobs()
        await asyncio.wait({gone}, timeout=_QUICK)
        self._crew.kill()
        ending = [asyncio.create_task(slot.end()) for slot in self._desk.slots]
        await asyncio.wait({gone, *ending}, timeout=_QUICK)
        self._rooms.close()
        self._cache.let_go()
        with contextlib.suppress(RedisError, OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self._queue.delete(self._keys.node(self._options.node)), 1.0)

    # ── small things ─────────────────────────────────────────────────────────────────────────
    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._leave.wait(), seconds)

    def _do(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
