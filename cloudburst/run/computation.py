"""One study being computed: looks at the plan, sends, records, notices what is lost, and says how far it is.

All of it in one thread, turn by turn. What to send and what is lost is decided in `dispatch`,
`sizing`, `brake` and `recovery`; this carries it out between the queue and the ledger.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..compile.files import named_in
from .alarm import Alarm
from .brake import Brake
from .dispatch import Dispatch, Packed, Todo
from .ledger import Last, Ledger, Loss
from .nodes import Nodes
from .queue import Queue, Refusal, digest_of
from .recovery import LEASE, PATIENCE, Watch
from .sizing import Ahead, Pace, Rate, batch_jobs, wants_more
from .stream import Ended, Event, Finished, Returned, lost_outcome, read_event
from .study import Study
from .tallies import Tallies
from .work import Work

log = logging.getLogger(__name__)

START = "0-0"
"""Before every entry of a stream."""

LOOKED_UP = 256
"""Rows looked at together."""

SENT_AT_ONCE = 50
"""Batches of one transaction: what a turn may spend on sending."""


@dataclass(frozen=True)
class Timing:
    """Seconds. `wait` for outcomes in a turn, `gather` at least between two commits, `look` at the
    plan in a turn, `send` in a turn, `sweep` between two looks for lost batches, `nodes` between two
    looks at them; `lease` and `patience` as in recovery.py."""

    wait: float = 0.2
    gather: float = 0.05
    look: float = 0.05
    send: float = 0.2
    sweep: float = 3.0
    nodes: float = 0.5
    lease: float = LEASE
    patience: float = PATIENCE


class Computation:
    """Made for a study that begins (`new`) or goes on after the controller was away.

    Every method may raise QueueError or LedgerError; after that the next `turn` goes on where it
    can, and `reconnected` is to be called when the queue answers again.
    """

    def __init__(
        self,
        study: Study,
        work: Work,
        queue: Queue,
        ledger: Ledger,
        timing: Timing,
        tallies: Tallies | None = None,
    ) -> None:
        runs = study.assignment.rows or ((0, work.jobs.count),)
        self.study = study
        self._jobs = work.jobs
        self._files = work.files
        within = (range(start, min(stop, work.jobs.count)) for start, stop in runs)
        self._rows = [rows for rows in within if rows]
        self._queue = queue
        self._ledger = ledger
        self._timing = timing
        self._order = digest_of(study.assignment.order)
        losses: dict[tuple[str, int], int] = {}
        for loss in ledger.losses(study.payload):
            losses[(loss.id, loss.attempt)] = losses.get((loss.id, loss.attempt), 0) + 1
        self._dispatch = Dispatch(work.rules, sum(map(len, self._rows)), study.mark, study.asked, losses)
        self._brake = Brake(work.max_failures, first=ledger.last_line() == study.mark)
        self._ahead = self._look_ahead()
        self._pace = Pace()
        self._rate = Rate()
        self._watch = Watch(timing.lease, timing.patience)
        self._alarm = Alarm()
        self._tallies = tallies or Tallies()
        self._names = _batch_names()
        self._holders: dict[str, str] = {}
        self._read_up_to = START
        self._run_id = ""
        self._nodes = Nodes()
        self._paused: str | None = None
        self._broken = ""
        self._heard = False  # of an outcome
        self._disk = ""
        self._strange_entries = 0
        self._next_sweep = self._next_nodes = self._next_commit = 0.0
        self._seconds: float | None = None

    # ── beginning, and beginning again ───────────────────────────────────────────────────────
    def begin(self, *, new: bool, same_nodes: bool = False) -> None:
        """Make the queue ready and adopt what is under way in it.

        For a new study what only waits is taken back, and what runs for another order is revoked. `same_nodes`: those
        known are at work for this very order.
        """
        self._run_id = self._queue.run_id()
        self._queue.announce(self.study.assignment.order)
        if new:
            self._queue.take_back()
            self._queue.resume()
            if not same_nodes:
                self._queue.forget_nodes()
            self._ledger.begin(self.study.payload)
        self._paused = self._queue.pause_reason()
        taken = self._adopt()
        if not new:  # we were away, and perhaps the queue too
            self._watch.spare(time.monotonic(), taken)
        self.drain()

    def _adopt(self) -> frozenset[str]:
        """Those among the batches found that somebody has taken.

        The list of what waits is read first: a batch only ever moves from it to the records.
        """
        waiting = self._queue.waiting()
        found = dict.fromkeys(waiting)
        found.update(dict.fromkeys(sorted(self._queue.records() | self._queue.held())))
        messages = self._queue.messages(found)
        for batch, message in messages.items():
            if message.batch["order"] == self._order:
                self._dispatch.adopt(batch, map(self._todo, message.batch["jobs"]), message.size)
        self._end([batch for batch in found if not self._dispatch.is_live(batch)])
        log.info("%d batches are under way", len(self._dispatch.batches))
        return frozenset(self._dispatch.batches).difference(waiting)

    @staticmethod
    def _todo(job: Mapping[str, Any]) -> Todo:
        return Todo(job["id"], job["row"], job["attempt"])

    def _end(self, batches: Sequence[str]) -> None:
        """Nobody is to work on these any more."""
        self._queue.revoke(batches)
        self._queue.forget(batches)

    def reconnected(self) -> None:
        """The queue was away. What a new server does not know is told again; losses have to wait."""
        self._watch.be_patient(time.monotonic(), self._holders)
        if self._paused is not None:
            self.pause(self._paused)
        run_id = self._queue.run_id()
        if run_id == self._run_id:
            return
        log.warning("the queue's server was started anew")
        self._queue.announce(self.study.assignment.order)
        self._read_up_to = START
        self._mend()
        self._run_id = run_id

    def _mend(self) -> None:
        """A server that lost its last second offers batches again that are over, or partly so."""
        waiting = self._queue.waiting()
        self._end([batch for batch in waiting if not self._dispatch.is_live(batch)])
        for batch, message in self._queue.messages(waiting).items():
            ids = {job["id"] for job in message.batch["jobs"]}
            self._queue.mark_done(batch, ids - self._dispatch.ids_of(batch))

    # ── a turn ───────────────────────────────────────────────────────────────────────────────
    def turn(self) -> None:
        """A little of everything; returns within a fraction of a second."""
        if self._ahead:
            self._consume(wait=0.0)
            self._look_at_plan()
        else:
            self._let_gather()
            self._consume(wait=0.0 if self.is_over else self._timing.wait)
        now = time.monotonic()
        if now >= self._next_nodes:
            self._next_nodes = now + self._timing.nodes
            self._nodes = Nodes(tuple(self._queue.nodes()))
            self._tallies.note_nodes(now, len(self._nodes.states))
        if now >= self._next_sweep:
            self._next_sweep = now + self._timing.sweep
            self._sweep()
        self._send()

    def drain(self) -> None:
        """Record everything the stream holds."""
        while self._consume(wait=0.0):
            pass

    # ── recording ────────────────────────────────────────────────────────────────────────────
    def _consume(self, *, wait: float) -> bool:
        """Read, record, and only then delete what was read; False when there was nothing."""
        entries = self._queue.read(self._read_up_to, wait=wait)
        if not entries:
            return False
        events = [self._checked(entry.id, read_event(entry.data)) for entry in entries]
        self._ledger.record(event.outcome for event in events if isinstance(event, Ended))
        self._next_commit = time.monotonic() + self._timing.gather
        self._heard = True
        before = self._dispatch.tally.ended
        over = [batch for event in events if event and (batch := self._apply(event))]
        if more := self._dispatch.tally.ended - before:
            self._rate.note(time.monotonic(), more)
        self._read_up_to = entries[-1].id
        self._queue.trim(self._read_up_to)
        self._queue.clear(over)
        return True

    def _let_gather(self) -> None:
        """A commit costs the disk as much for one outcome as for a hundred: let some come together."""
        time.sleep(max(0.0, self._next_commit - time.monotonic()))

    def _checked(self, entry: str, event: Event | None) -> Event | None:
        if event is None:
            log.error("entry %s of the stream of outcomes is not what was agreed; dropped", entry)
            self._strange_entries += 1
        return event

    def _apply(self, event: Event) -> str | None:
        """Take note of what is recorded; the batch when it is over by this."""
        if isinstance(event, Ended):
            self._note_end(event.batch, event.outcome)
        elif isinstance(event, Returned):
            self._dispatch.returned(event.batch, event.ids)
        else:
            return self._note_finished(event)
        return None

    def _note_end(self, batch: str | None, outcome: Mapping[str, Any]) -> None:
        if outcome["payload"] != self.study.payload:
            return
        verdict = self._dispatch.ended(batch, outcome)
        if not verdict.counts:
            return
        self._pace.note(outcome["seconds"] or 0.0)
        self._tallies.note(outcome)
        if verdict.elsewhere:
            self._queue.mark_done(verdict.elsewhere, [outcome["id"]])
        self._brake_if_needed(outcome)

    def absorb(self, outcomes: Iterable[Mapping[str, Any]]) -> None:
        """These came from another ledger and are recorded: whoever is about to run one of them skips it.

        What is not under way is looked up before it is sent, in any case.
        """
        for outcome in outcomes:
            if outcome["payload"] == self.study.payload:
                verdict = self._dispatch.ended(None, outcome)
                if verdict.elsewhere:
                    self._queue.mark_done(verdict.elsewhere, [outcome["id"]])

    def _brake_if_needed(self, outcome: Mapping[str, Any]) -> None:
        if outcome["status"] == "done":
            self._brake.note_done()
            return
        tally = self._dispatch.tally
        reason = self._brake.note_failed(outcome["id"], outcome["error"])
        reason = reason or self._brake.judge(tally.failed, tally.jobs)
        if reason and self._paused is None:
            self.pause(reason)

    def _note_finished(self, event: Finished) -> str:
        """A batch that ends without a word about some of its jobs is treated as lost with all of them."""
        silent = self._dispatch.ids_of(event.batch)
        if silent:
            log.error("batch %s ended without an outcome for %d of its jobs", event.batch, len(silent))
        self._lose(event.batch, silent)
        self._holders.pop(event.batch, None)
        return event.batch

    # ── looking at the plan ──────────────────────────────────────────────────────────────────
    def _look_ahead(self) -> Iterator[tuple[int, str]] | None:
        """(row, id) of every selected row, in plan order; None when there is none."""
        if not self._rows:
            return None
        return (
            (row, job.id)
            for rows in self._rows
            for row, job in zip(rows, self._jobs[rows.start : rows.stop], strict=True)
        )

    def _look_at_plan(self) -> None:
        """For a moment: which rows are left to do, and how many are the same job."""
        until = time.monotonic() + self._timing.look
        while self._ahead and time.monotonic() < until:
            try:
                some = list(itertools.islice(self._ahead, LOOKED_UP))
            except Exception as error:
                self._break(error)
                return
            known = self._known([job for _, job in some])
            for row, job in some:
                self._dispatch.look_at(row, job, known.get(job))
            if len(some) < LOOKED_UP:
                self._ahead = None

    def _known(self, ids: Sequence[str]) -> Mapping[str, Last]:
        return self._ledger.last_attempts(
            ids, self.study.payload, keep_stale=self.study.assignment.keep_stale
        )

    def _break(self, error: Exception) -> None:
        """A row that cannot be made was not seen by the plan's checks; nothing more can be sent."""
        log.error("the plan cannot be expanded", exc_info=error)
        self._ahead = None
        self._broken = f"a row of the plan cannot be made: {error}"

    # ── sending ──────────────────────────────────────────────────────────────────────────────
    def _send(self) -> None:
        """Top the queue up. What is sent counts as under way at once: if it did not arrive, the next
        sweeps find it nowhere."""
        if self._paused is not None or self._broken or self._disk:
            return
        slots = max(1, self._nodes.slots)
        messages = self._queue.depth()
        self._note_waiting(messages)
        first: list[Mapping[str, Any]] = []
        sending: list[Mapping[str, Any]] = []
        until = time.monotonic() + self._timing.send
        while len(first) + len(sending) < SENT_AT_ONCE and time.monotonic() < until:
            hurry = self._dispatch.is_in_a_hurry
            ahead = Ahead(messages + len(sending), self._dispatch.under_way, self._dispatch.size)
            if not wants_more(ahead, self._pace.mean, slots, hurry=hurry):
                break
            packed = self._fill(batch_jobs(self._pace.mean, slots, self._dispatch.remaining))
            if packed is None:
                break
            if packed:
                batch = next(self._names)
                self._dispatch.sent(batch, packed)
                (first if hurry else sending).append(self._message(batch, packed))
        self._enqueue(sending, first)

    def _enqueue(self, sending: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]]) -> None:
        try:
            self._queue.enqueue(sending, first=first)
        except Refusal:
            for message in (*first, *sending):
                self._dispatch.over(message["batch"], first=message in first)
            raise

    def _note_waiting(self, messages: int) -> None:
        self._tallies.note_waiting(messages)
        self._alarm.note(time.monotonic(), messages, self._dispatch.tally.ended, self._nodes)

    def _fill(self, at_most: int) -> Sequence[Packed] | None:
        """The next batch; None when there is nothing to send. The ledger has the last word on each job."""
        try:
            packed = self._dispatch.fill(self._jobs.__getitem__, at_most)
        except Exception as error:
            self._break(error)
            return None
        if not packed:
            return None
        known = self._known([one.todo.id for one in packed])
        return [
            one
            for one in packed
            if (last := known.get(one.todo.id)) is None or not self._dispatch.skip(one.todo, last)
        ]

    def _message(self, batch: str, packed: Iterable[Packed]) -> Mapping[str, Any]:
        message = {
            "format": 1,
            "batch": batch,
            "order": self._order,
            "jobs": [one.message for one in packed],
        }
        named = named_in(message["jobs"]) & self._files.keys() if self._files else ()
        return {**message, "files": {one: self._files[one] for one in sorted(named)}} if named else message

    # ── what is lost ─────────────────────────────────────────────────────────────────────────
    def _sweep(self) -> None:
        if self._queue.run_id() != self._run_id:
            self.reconnected()
        self._disk = self._queue.disk_problem()
        if self._disk:  # no holder can renew its lease, and nothing can be revoked
            self._watch.be_patient(time.monotonic(), self._holders)
            return
        live = self._dispatch.batches
        seen = self._queue.look(live)
        self._holders.update(seen.holders)
        lost = self._watch.lost(live, seen, time.monotonic())
        if lost:
            self._queue.revoke(lost)
            doing = self._queue.doing(lost)
            self.drain()  # what they recorded before they were lost, or a moment ago
            gone = [batch for batch in lost if self._dispatch.is_live(batch)]
            for batch in gone:
                self._lose(batch, doing[batch])
            self._queue.forget(lost)
            self._tallies.note_lost(len(gone))
            if gone:
                log.warning("lost: %s", ", ".join(gone))
        live = self._dispatch.batches
        self._queue.forget(self._watch.strays(self._queue.records(), live))
        self._holders = {batch: who for batch, who in self._holders.items() if self._dispatch.is_live(batch)}

    def _lose(self, batch: str, doing: Iterable[str]) -> None:
        """Note who was lost with which job; a job that was lost too often has failed by that."""
        now, worker, payload = time.time(), self._holders.get(batch, ""), self.study.payload
        lost = self._dispatch.over(batch, frozenset(doing), first=True)
        if not lost.blamed:
            return
        losses = self._dispatch.losses
        ends = [
            lost_outcome(x, payload, losses=losses[(x.id, x.attempt)], worker=worker, now=now)
            for x in lost.given_up
        ]
        self._ledger.record(ends, [Loss(x.id, payload, x.attempt, worker, now) for x in lost.blamed])
        for end in ends:
            self._note_end(None, end)

    # ── pausing ──────────────────────────────────────────────────────────────────────────────
    @property
    def is_held(self) -> bool:
        """Whether a worker has a batch in its hands, or is about to."""
        batches = self._dispatch.batches
        seen = self._queue.look(batches)
        return bool(seen.holders or seen.taken.intersection(batches))

    def pause(self, reason: str) -> None:
        """Nothing more is started. Workers finish the job at hand and hand the rest back."""
        log.info("pausing: %s", reason)
        self._paused = reason
        self._queue.pause(reason)
        for batch in self._queue.take_back():
            self._dispatch.over(batch)
        self._note_waiting(0)

    def cancel(self, reason: str, *, now: bool) -> None:
        """As `pause`; `now`: jobs that run are ended, and are to be done again. What is over stays over."""
        if self._dispatch.is_over:
            return
        self.pause(reason)
        if now:
            batches = self._dispatch.batches
            self._queue.revoke(batches)
            self.drain()  # what ended a moment ago
            for batch in batches:
                self._dispatch.over(batch)
            self._queue.forget(batches)

    @property
    def is_over(self) -> bool:
        """Nothing is left to do, and nothing is waited for."""
        return self._dispatch.is_over

    @property
    def stands_still(self) -> bool:
        """Paused or broken: it does not go on by itself."""
        return self._state()[0] in {"pausing", "paused", "broken"}

    def resume(self) -> None:
        log.info("going on")
        self._queue.resume()
        self._paused = None
        self._brake.release(self._dispatch.tally.failed)

    # ── saying how far it is ─────────────────────────────────────────────────────────────────
    def status(self) -> dict[str, Any]:
        """schemas/status.schema.json; takes the same time whatever the size of the study."""
        tally = self._dispatch.tally
        rate = self._rate.per_second(time.monotonic())
        running = min(self._nodes.busy, self._dispatch.under_way)
        state, reason = self._state()
        if state == "finished" and self._seconds is None:
            self._seconds = self._ended() - self.study.began
        return {
            "format": 1,
            "state": state,
            "reason": reason,
            "rows": tally.rows,
            "jobs": tally.jobs,
            "done": tally.done,
            "failed": tally.failed,
            "to_do": tally.to_do,
            "recorded": tally.recorded,
            "running": running,
            "queued": self._dispatch.under_way - running,
            "rate": round(rate, 3),
            "seconds_left": round(tally.to_do / rate, 1) if rate and tally.to_do else None,
            "seconds": round(self._seconds or time.time() - self.study.began, 3),
            "slots": {"busy": self._nodes.busy, "total": self._nodes.slots},
            "nodes": [dict(node) for node in self._nodes.states],
            "problems": self._problems(),
        }

    def _ended(self) -> float:
        """Now, or for a controller that found it finished when it was started again, when that was."""
        if self._heard:
            return time.time()
        return self._ledger.last_end(self.study.mark) or time.time()

    def _state(self) -> tuple[str, str]:
        if self._dispatch.is_over:
            return "finished", ""
        if self._broken:
            return "broken", self._broken
        if self._paused is not None:
            return ("pausing" if self._dispatch.batches else "paused"), self._paused
        if broken := self._nodes.broken_for(self._order):
            return "broken", broken
        return ("running" if self._nodes.any_ready else "starting"), ""

    def _problems(self) -> list[str]:
        problems = [self._alarm.sentence(time.monotonic()), self._disk]
        problems += self._nodes.problems_for(self._order)
        if self._strange_entries:
            problems.append(
                f"{self._strange_entries} messages of workers could not be read; the controller's log says more"
            )
        return [problem for problem in problems if problem]


def read_all(queue: Queue, ledger: Ledger) -> None:
    """Record what workers of an earlier run left in the stream, before a new run begins."""
    after = START
    while entries := queue.read(after):
        events = [read_event(entry.data) for entry in entries]
        ledger.record(event.outcome for event in events if isinstance(event, Ended))
        after = entries[-1].id
        queue.trim(after)


def _batch_names() -> Iterator[str]:
    """`b-000017-3f2a…`: no two alike, though every controller counts from 0."""
    mine = secrets.token_hex(4)
    return (f"b-{number:06d}-{mine}" for number in itertools.count())
