"""Where RQ workers get room, and runners for one batch at a time.

An RQ worker asks for room before it takes a message, so that the node never holds more batches than
it can work on; then it borrows a runner, gives it job after job, and leaves. When its connection ends,
for whatever reason, a runner between jobs is free and one inside a job is killed.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from .channel import Channel
from .runners import Prepared
from .slots import Slot

SOON = 0.5
"""A slot whose batch ends within these seconds is about to fall free."""

PATIENCE = 10.0
"""Seconds a batch waits for a runner before it is handed back for other nodes to take."""

_MEMORY_OF_MEAN = 0.2


class Client:
    """One RQ worker at the desk. It speaks first; see `take.Desk` for its side."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.slot: Slot | None = None
        self.order: str | None = None  # of the batch it holds
        self.jobs = 0  # in that batch
        self.patience: asyncio.TimerHandle | None = None
        self._channel = Channel(self._on_message, self._on_close)

    async def open(self, sock: socket.socket) -> None:
        await self._channel.open(sock)

    def send(self, message: dict[str, Any]) -> None:
        self._channel.send(message)

    def on_job_end(self, end: dict[str, Any]) -> None:
        self.send({"end": end})

    def on_refused(self, reason: str) -> None:
        self.send({"refused": reason})

    def stop_waiting(self) -> None:
        self.order = None
        if self.patience is not None:
            self.patience.cancel()

    def _on_message(self, body: bytes) -> None:
        message = json.loads(body)
        if "run" in message:
            if self._desk.held:
                self.on_job_end({"status": "stopped"})
            elif self.slot is not None:
                self.slot.run(body, message["left"])
        elif message["ask"] == "room":
            self._desk.ask_room(self)
        elif message["ask"] == "runner":
            self.jobs = message["jobs"]
            self._desk.ask_runner(self, message["order"])
        else:
            self._desk.leave(self)

    def _on_close(self) -> None:
        self._desk.leave(self)


class Desk:
    """Matches RQ workers and slots.

    `prepare(digest)` is called for an order that is not prepared yet and answers later through
    `on_prepared` or `on_order_broken`; `changed()` whenever the node's state is worth telling.
    """

    def __init__(self, prepare: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.slots: list[Slot] = []
        self.current: str | None = None  # the order batches are expected of; no room without one
        self.broken: dict[str, str] = {}
        self.held = False  # no job is begun; one that runs goes on
        self._prepared: dict[str, Prepared] = {}
        self._proven: set[str] = set()  # orders that had a runner come to life here
        self._prepare = prepare
        self._changed = changed
        self._waiting_for_room: deque[Client] = deque()
        self._with_room: set[Client] = set()
        self._waiting_for_runner: deque[Client] = deque()
        self._mean: float | None = None
        self._look: asyncio.TimerHandle | None = None
        self._wanted = 0
        self._closing = False

    @property
    def busy(self) -> int:
        return sum(slot.borrower is not None for slot in self.slots)

    @property
    def is_ready(self) -> bool:
        """Whether every slot that is not lent has a runner of the current order waiting."""
        current = self.current
        return current is not None and all(
            slot.borrower is not None or (slot.is_ready and slot.serves(current)) for slot in self.slots
        )

    async def open(self, sock: socket.socket) -> None:
        """Serves one more RQ worker, over a connected socket."""
        await Client(self).open(sock)

    def has_worked(self, order: str) -> bool:
        """Whether a runner of this order once came to life here."""
        return order in self._proven

    def resize(self, wanted: int, make: Callable[[int], Slot]) -> None:
        """Makes or ends slots until there are `wanted`; a slot that is lent ends after its batch."""
        self._wanted = wanted
        self.slots += [make(number) for number in range(len(self.slots), wanted)]
        for slot in [slot for slot in self.slots[wanted:] if slot.borrower is None]:
            slot.close()
            self.slots.remove(slot)

    def open_for(self, prepared: Prepared) -> None:
        """From now on batches of this order are expected: free slots get its runners."""
        self.current = prepared.order.digest
        self._mean = None
        self.on_prepared(prepared)
        for slot in self.slots:
            if slot.borrower is None:
                slot.furnish(prepared)

    def on_prepared(self, prepared: Prepared) -> None:
        self._prepared[prepared.order.digest] = prepared
        self.broken.pop(prepared.order.digest, None)
        self._serve()

    def close(self) -> None:
        """No batch is taken any more; those who wait hear it."""
        self._closing = True
        for client in self._waiting_for_room:
            client.send({"room": False})
        self._waiting_for_room.clear()
        for client in list(self._waiting_for_runner):
            self._refuse(client, "the node leaves")

    def hold(self, held: bool) -> None:
        """Begins no job while it is held: batches go back after the job at hand. Or goes on."""
        self.held = held
        for client in list(self._waiting_for_runner) if held else ():
            self._refuse(client, "the node takes no jobs")
        self._serve()

    def stop_jobs(self) -> None:
        """Kills the jobs at hand; their workers hand them back."""
        for slot in self.slots:
            slot.stop()

    # ── what RQ workers ask ──────────────────────────────────────────────────────────────────
    def ask_room(self, client: Client) -> None:
        self._with_room.discard(client)  # what it took last was no batch
        if self._closing:
            client.send({"room": False})
            return
        self._waiting_for_room.append(client)
        self._serve()

    def ask_runner(self, client: Client, order: str) -> None:
        if self.held:
            self._refuse(client, "the node takes no jobs")
            return
        client.order = order
        self._waiting_for_runner.append(client)
        client.patience = asyncio.get_running_loop().call_later(PATIENCE, self._lose_patience, client)
        if order not in self._prepared and order not in self.broken:
            self._prepare(order)
        self._serve()

    def leave(self, client: Client) -> None:
        """The batch is over, or the connection ended."""
        for waiting in (self._waiting_for_room, self._waiting_for_runner):
            if client in waiting:
                waiting.remove(client)
        self._with_room.discard(client)
        client.stop_waiting()
        if client.slot is not None:
            slot, client.slot = client.slot, None
            slot.give_back()
            self._welcome_back(slot)
        self._serve()
        self._changed()

    def _welcome_back(self, slot: Slot) -> None:
        current = self._prepared.get(self.current or "")
        if slot.number >= self._wanted:
            slot.close()
            self.slots.remove(slot)
        elif current is not None and not self._waiting_for_runner:
            slot.furnish(current)

    # ── what slots tell ──────────────────────────────────────────────────────────────────────
    def on_slot_ready(self, slot: Slot) -> None:
        if slot.order is not None:
            self._proven.add(slot.order)  # lent or not, current or not yet: its runner came to life
        if slot.job is None and slot.borrower is None:
            self._serve()
            self._changed()
        else:
            self._grant_room()

    def on_order_broken(self, digest: str, reason: str) -> None:
        """No job of this order can run on this node."""
        self.broken[digest] = reason
        self._prepared.pop(digest, None)
        if self.current == digest:
            self.current = None
        for slot in self.slots:
            if isinstance(slot.borrower, Client) and slot.borrower.order == digest:
                slot.borrower.on_refused(reason)
        self._serve()
        self._changed()

    def on_job_seconds(self, seconds: float) -> None:
        mean = self._mean
        self._mean = seconds if mean is None else mean + _MEMORY_OF_MEAN * (seconds - mean)
        if self._waiting_for_room and self._look is None:
            self._grant_room()

    # ── matching ─────────────────────────────────────────────────────────────────────────────
    def _serve(self) -> None:
        self._lend()
        self._grant_room()

    def _lend(self) -> None:
        for client in list(self._waiting_for_runner):
            order = client.order or ""
            if order in self.broken:
                self._refuse(client, self.broken[order])
            elif order in self._prepared:
                slot = self._free_slot(order)
                if slot is None:
                    return
                self._waiting_for_runner.remove(client)
                self._hand_over(slot, client, self._prepared[order])

    def _free_slot(self, order: str) -> Slot | None:
        free = [slot for slot in self.slots if slot.borrower is None]
        return max(free, key=lambda slot: (slot.serves(order), slot.is_ready), default=None)

    def _hand_over(self, slot: Slot, client: Client, prepared: Prepared) -> None:
        if client.patience is not None:
            client.patience.cancel()
        self._with_room.discard(client)
        slot.furnish(prepared)
        slot.lend(client, client.jobs)
        client.slot = slot
        client.send({"slot": slot.number, "payload": prepared.order.payload})
        self._changed()

    def _refuse(self, client: Client, reason: str) -> None:
        if client in self._waiting_for_runner:
            self._waiting_for_runner.remove(client)
        self._with_room.discard(client)
        client.stop_waiting()
        client.on_refused(reason)

    def _lose_patience(self, client: Client) -> None:
        if client.order in self._prepared and not self._soonest() <= SOON:
            self._refuse(client, "every slot of the node is busy")
        else:
            client.patience = asyncio.get_running_loop().call_later(PATIENCE, self._lose_patience, client)

    def _grant_room(self) -> None:
        if self.current not in self._proven or self._closing or self.held:
            return  # a batch is taken only where its runner is known to start
        free = sum(slot.borrower is None for slot in self.slots)
        soonest = self._soonest()
        room = free + (1 if soonest <= SOON else 0)
        while self._waiting_for_room and len(self._with_room) < room:
            client = self._waiting_for_room.popleft()
            self._with_room.add(client)
            client.send({"room": True})
        if self._waiting_for_room:
            self._look_again(soonest)

    def _look_again(self, soonest: float) -> None:
        """Comes back when a slot is about to fall free."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if SOON < soonest < float("inf"):
            loop = asyncio.get_running_loop()
            self._look = loop.call_later(min(max(soonest - SOON, 0.02), 60.0), self._come_back)

    def _come_back(self) -> None:
        self._look = None
        self._serve()

    def _soonest(self) -> float:
        """Seconds until the first lent slot should fall free; infinite when nobody can tell."""
        if self._mean is None:
            return float("inf")
        return min(
            (self._remaining(slot, self._mean) for slot in self.slots if slot.borrower), default=float("inf")
        )

    def _remaining(self, slot: Slot, mean: float) -> float:
        """From the mean of recent jobs. A job that ran far over it says nothing about its end."""
        if slot.job is None:
            return (slot.left + 1) * mean
        elapsed = asyncio.get_running_loop().time() - slot.job.clock
        if elapsed > 2 * mean + SOON:
            return float("inf")
        return max(0.0, mean - elapsed) + slot.left * mean
