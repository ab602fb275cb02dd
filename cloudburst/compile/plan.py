"""The plan as data: what exists, what is computed, what would be done and why. People's text is rendered from
its JSON form (schemas/plan.schema.json) and from nothing else.

Made in two steps, so that the first screen never waits: `outline` is arithmetic and a preview, at once at any
size; `count` walks every job. Both are pure: what is recorded comes in through `Recorded`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from .. import __version__
from ..diagnostics import Diagnostic, Path, Problem, dotted
from ..spec.ensemble import Ensemble, InfluxSink, Sink, Table, TableSink
from . import money
from .actions import WORKER_PATH, LineOf, Mark, uploading, writing
from .actions import Action as Action
from .advice import advice, option_form, options
from .difference import Causes, Share, Tagger, ids_of, shares
from .estimates import ANYWHERE, Effort, Tally, effort_form, expect
from .fleet import Change, Verb
from .jobs import Jobs
from .keeping import sample_forms
from .lockfile import Dependencies
from .money import Estimate
from .payload import Payload
from .prices import Listed, listed_form
from .rental import Rented as Rented
from .rental import estimate_of, rental_form
from .repeats import Coincidence, Seen, coincidences
from .shown import Chosen, Known, Shown, shown
from .shown import Recorded as Recorded
from .space import Arithmetic, units_in

FORMAT_VERSION = "1.3"
MOST_COUNTED = 10_000_000
"""Rows that are walked one by one; of more only the arithmetic is said."""

_AT_ONCE = 4096
_FILES_NAMED = 4
_TAGS = 256
"""A tag is the number of a cause and, times this, of a block: of the last one stands for those after it."""

Progress = Callable[[int, int], None]
"""Called now and then with rows walked and rows in all."""


def _nowhere(_path: Path) -> None:
    return None


_STATES = ("jobs", "done", "failed", "stale", "kept", "to_do")


@dataclass(frozen=True)
class Counts:
    """Jobs by state; rows with one id are one job. `rows` are those considered.

    `stale` were computed by other worker code and are computed again, as `to_do` are for the first time; `kept` were so
    computed and shall stay.
    With `is_exact` False there were too many rows to walk: then every row passes for a job to do.
    """

    rows: int
    jobs: int
    done: int
    failed: int
    stale: int
    to_do: int
    kept: int = 0
    is_exact: bool = True

    @classmethod
    def unknown(cls, rows: int) -> Self:
        """Of rows too many to walk."""
        return cls(rows, jobs=rows, done=0, failed=0, stale=0, to_do=rows, is_exact=False)

    def to_json(self) -> dict[str, int | None]:
        """What was not counted is null, whatever stands in for it here."""
        numbers = {name: getattr(self, name) for name in _STATES}
        return {"rows": self.rows, **{name: n if self.is_exact else None for name, n in numbers.items()}}


@dataclass(frozen=True)
class Edited:
    """What was applied last, `before`, and what is different since: in the file, and in which files of the worker's
    code (`dependencies` stands for its lock). `sinks` are those it wrote; `digest` is over all of its jobs, None
    where only some were planned."""

    before: Jobs
    causes: Causes
    code: tuple[str, ...] = ()
    sinks: tuple[Sink, ...] | None = None
    digest: Digest | None = None


@dataclass(frozen=True)
class Digest:
    """sha256 over every selected job in order, or, above `MOST_COUNTED` rows, over the normal form."""

    sha256: str
    over: Literal["jobs", "normal form"]


@dataclass(frozen=True)
class InputUsed:
    name: str
    kind: Literal["file", "tree"]
    size: int
    sha256: str
    pattern: str


@dataclass(frozen=True)
class FilesUsed:
    """An axis whose values are files; `size` of all together, in bytes, `sha256` over theirs in order."""

    name: str
    block: str
    pattern: str
    count: int
    size: int
    sha256: str


@dataclass(frozen=True)
class Surroundings:
    """What of the world the plan speaks of. `lock_file` is a file name, `payload` None when it was not packed,
    `rental` None where nothing is rented or nobody looked, `listed` has list prices then; `libraries` are the
    versions of what drew samples."""

    spec: str
    lock_file: str
    dependencies: Dependencies
    payload: Payload | None
    inputs: tuple[InputUsed, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    rental: Rented | None = None
    listed: Listed | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    files: tuple[FilesUsed, ...] = ()


@dataclass(frozen=True)
class Plan:
    """`counts` and `digest` are None in an outline. `rows` are those considered, all or a selection.
    `chosen` are rows asked for by themselves. `coincidences` are examples of rows that are one job, and why. `tally` is
    what is left and what ended, `effort` what follows from it (None: nothing is left, or no duration is known), for
    `slots` jobs at a time (None: not known). `estimate` is what rented machines will cost; None where none are needed."""

    ensemble: Ensemble
    around: Surroundings
    total: int
    rows: range
    arithmetic: tuple[Arithmetic, ...]
    preview: tuple[Shown, ...]
    actions: tuple[Action, ...]
    counts: Counts | None = None
    digest: Digest | None = None
    estimate: Estimate | None = None
    coincidences: tuple[Coincidence, ...] = ()
    keep_stale: bool = False
    tally: Tally = field(default_factory=Tally)
    effort: Effort | None = None
    slots: int | None = None
    chosen: Chosen | None = None

    @property
    def counted(self) -> Counts:
        """Its counts; while nothing is counted, every row passes for a job to do."""
        return self.counts if self.counts is not None else Counts.unknown(self.rows.stop - self.rows.start)

    @property
    def is_selection(self) -> bool:
        return self.rows != range(self.total)

    @property
    def has_something_to_do(self) -> bool:
        return any(action.mark != "=" for action in self.actions)

    @property
    def refusal(self) -> Problem | None:
        """Why its machines must not be rented: they are sure to cost more than `max_cost`. To take results home,
        or to give machines back, is never refused; nor is anything by list prices."""
        if self.estimate is None or self.around.rental is None:
            return None
        if not (self.estimate.to_do or self.asks_for_money):
            return None
        return money.refused(self.estimate, self.ensemble.cluster.max_cost)

    @property
    def warning(self) -> Problem | None:
        """Where `max_cost` is likely to end the study before its jobs are done, and is not refused for that."""
        if self.estimate is None or not self.estimate.to_do or self.refusal is not None:
            return None
        return money.warned(self.estimate, self.ensemble.cluster.max_cost)

    @property
    def asks_for_money(self) -> bool:
        """Whether applying it makes the study cost more an hour than it does now."""
        rental = self.around.rental
        return self.estimate is not None and rental is not None and rental.is_dearer_after

    def to_json(self) -> dict[str, Any]:
        """As schemas/plan.schema.json says."""
        return {
            "format_version": FORMAT_VERSION,
            "made_by": f"CloudBurst {__version__}",
            "study": self.ensemble.name,
            "spec": self.around.spec,
            "rows": self.total,
            "selected": [self.rows.start, self.rows.stop] if self.is_selection else None,
            "arithmetic": [arithmetic_form(block) for block in self.arithmetic],
            "units": _units(self.ensemble),
            "samples": sample_forms(self.ensemble, self.around.libraries),
            "preview": [vars(shown) | {"parameters": dict(shown.parameters)} for shown in self.preview],
            "chosen": self.chosen.to_json() if self.chosen else None,
            "dependencies": _dependencies_form(self.around),
            "payload": _payload_form(self.ensemble, self.around),
            "inputs": [dict(vars(used)) for used in self.around.inputs],
            "files": [dict(vars(used)) for used in self.around.files],
            "tables": list(_tables_form(self.ensemble)),
            "cluster": _cluster_form(self),
            "effort": _effort_form(self),
            "results": [_sink_form(sink) for sink in self.ensemble.results],
            "keep_stale": self.keep_stale,
            "counts": self.counts.to_json() if self.counts else None,
            "coincidences": [coincidence.to_json() for coincidence in self.coincidences],
            "digest": dict(vars(self.digest)) if self.digest else None,
            "actions": [dict(vars(action)) for action in self.actions],
            "warnings": [diagnostic.to_json() for diagnostic in self.around.warnings],
        }


# ── the first step ───────────────────────────────────────────────────────────────────────────
def outline(
    ensemble: Ensemble,
    jobs: Jobs,
    around: Surroundings,
    selected: tuple[int | None, int | None] | None = None,
) -> Plan:
    """Arithmetic and preview. `selected` is a stretch of rows with the meaning of a slice.

    Raises RowError when a previewed row has no job.
    """
    total = jobs.count
    rows = range(*slice(*(selected or (None, None))).indices(total))
    return Plan(
        ensemble=ensemble,
        around=around,
        total=total,
        rows=rows,
        arithmetic=jobs.space.arithmetic,
        preview=tuple(shown(jobs[index], ensemble) for index in _worth_a_look(rows)),
        actions=_locking(around, _nowhere),
    )


def _worth_a_look(rows: range) -> list[int]:
    """The first three, the middle one, the last two."""
    count = rows.stop - rows.start  # len() stops at what a machine word holds
    places = {0, 1, 2, count // 2, count - 2, count - 1}
    return [rows.start + place for place in sorted(places) if 0 <= place < count]


# ── the second step ──────────────────────────────────────────────────────────────────────────
def count(
    plan: Plan,
    jobs: Jobs,
    recorded: Recorded | None,
    frozen: Callable[[], Mapping[str, Any]],
    progress: Progress = lambda _done, _all: None,
    *,
    edited: Edited | None = None,
    line_of: LineOf = _nowhere,
    keep_stale: bool = False,
    ended: Mapping[str, float] | None = None,
    slots: int | None = None,
    sent: str | None = None,
) -> Plan:
    """The plan with its jobs counted, by state and by id, its digest and all its actions.

    `recorded` is None when nothing was ever computed. `frozen` gives the study in normal form and is asked only
    when there are more rows than are walked. With `edited`, jobs to do are told by what in the file is their
    cause, and those that left the study are counted. With `keep_stale` results of other worker code stay. With
    `ended`, the seconds of jobs by id, it says what those left will take, `slots` of them at a time. `sent` is the
    sha256 of the worker's code that was applied last. Some 13 bytes of memory a row, as many again for those of
    before. Raises RowError when a row has no job.
    """
    ended = ended or {}
    number = plan.rows.stop - plan.rows.start
    if number > MOST_COUNTED:
        digest = Digest(_digest_of_form(frozen(), plan.rows), "normal form")
        tally = Tally({ANYWHERE: number}, {ANYWHERE: tuple(ended.values())})
        return _counted(plan, _Found(Counts.unknown(number), sent=sent), digest, line_of, tally, slots)
    gaining = Tagger(edited.causes.gained if edited else ())
    blocks = [block.name for block in plan.ensemble.blocks]
    walked = _walk(jobs, plan.rows, gaining, _Timed(blocks, ended), progress)
    digest, ids = walked.digest, walked.ids
    payload = plan.around.payload
    look = _Look(recorded, payload.digest if payload else "", keep_stale)
    found = _by_state(number, ids, gaining, look)
    found = replace(found, sent=sent)
    if edited:
        found = replace(found, code=edited.code, sinks=edited.sinks)
    if edited and edited.causes.lost and recorded and not plan.is_selection:
        found = replace(found, left=_left(ids, edited, recorded))
    if edited and not found.is_work and not plan.is_selection:
        found = replace(found, moved=_moved(jobs, edited, digest))
    repeats = ids.repeats() if found.counts.jobs < number else ()
    alike = coincidences(
        plan.ensemble, jobs, [(plan.rows[first], plan.rows[again]) for first, again in repeats]
    )
    tally = Tally({blocks[one]: jobs for one, jobs in sorted(found.by_block.items())}, walked.timed.by_block)
    counted = _counted(plan, found, digest, line_of, tally, slots)
    return replace(counted, coincidences=alike, keep_stale=keep_stale)


@dataclass(frozen=True)
class _Found:
    """`to_do` and `left` are told by cause: jobs never computed, and computed ones that no row has any more.

    `moved` says what is another in the table though no result is; `by_block` has what is to be computed, by the number
    of its block.
    """

    counts: Counts
    to_do: tuple[Share, ...] = ()
    left: tuple[Share, ...] = ()
    code: tuple[str, ...] = ()
    sinks: tuple[Sink, ...] | None = None
    moved: str | None = None
    sent: str | None = None
    by_block: Mapping[int, int] = field(default_factory=dict)

    @property
    def is_work(self) -> bool:
        """Whether results become others."""
        counts = self.counts
        return bool(counts.to_do or counts.stale or self.left)


class _Timed:
    """Jobs that ended, found among the rows as these come by, each with the block of its first row."""

    def __init__(self, blocks: Sequence[str], ended: Mapping[str, float]) -> None:
        self.number = {name: min(number, _TAGS - 1) for number, name in enumerate(blocks)}
        self._blocks = blocks
        self._pending = dict(ended)
        self.wants_any = bool(ended)
        self._found: defaultdict[int, list[float]] = defaultdict(list)

    def look(self, id: str, block: int) -> None:
        if id in self._pending:
            self._found[block].append(self._pending.pop(id))

    @property
    def by_block(self) -> dict[str, tuple[float, ...]]:
        """Those found nowhere are `ANYWHERE`."""
        found = {self._blocks[block]: tuple(seconds) for block, seconds in sorted(self._found.items())}
        return found | ({ANYWHERE: tuple(self._pending.values())} if self._pending else {})


@dataclass(frozen=True)
class _Walked:
    digest: Digest
    ids: Seen
    timed: _Timed


def _counted(
    plan: Plan, found: _Found, digest: Digest, line_of: LineOf, tally: Tally, slots: int | None
) -> Plan:
    actions = (*_locking(plan.around, line_of), *_computing(plan, found, line_of))
    return replace(
        plan,
        counts=found.counts,
        digest=digest,
        actions=actions,
        tally=tally,
        effort=expect(tally),
        slots=slots,
    )


def _digest_of_form(frozen: Mapping[str, Any], rows: range) -> str:
    """Without what changes no job: where it is computed, and where results go."""
    normal = {key: part for key, part in frozen["normal"].items() if key not in ("cluster", "results")}
    frozen = {**frozen, "normal": normal}
    text = json.dumps([rows.start, rows.stop, frozen], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _walk(jobs: Jobs, rows: range, gaining: Tagger, timed: _Timed, progress: Progress) -> _Walked:
    seen = hashlib.sha256(f"{rows.start}\n".encode())
    ids, tells, blocks, looks = Seen(), bool(gaining.told), timed.number, timed.wants_any
    for walked, job in enumerate(jobs.walk(rows.start, rows.stop), 1):
        seen.update(f"{job.id} {json.dumps(job.argv)}\n".encode() if job.argv else f"{job.id}\n".encode())
        block = blocks[job.row.block]
        ids.add(job.id, _TAGS * block + (gaining.tag(job.row) if tells else 0))
        if looks:
            timed.look(job.id, block)
        if walked % _AT_ONCE == 0:
            progress(walked, rows.stop - rows.start)
    return _Walked(Digest(seen.hexdigest(), "jobs"), ids, timed)


@dataclass(frozen=True)
class _Look:
    """How jobs are looked up."""

    recorded: Recorded | None
    payload: str
    keep_stale: bool

    def states(self, ids: Sequence[str]) -> Mapping[str, Known]:
        if self.recorded is None:
            return {}
        return self.recorded.states(ids, self.payload, keep_stale=self.keep_stale)


def _by_state(rows: int, ids: Seen, gaining: Tagger, look: _Look) -> _Found:
    jobs = 0
    states: Counter[Known] = Counter()
    to_do: Counter[int] = Counter()
    by_block: Counter[int] = Counter()
    for group in ids.in_groups():
        jobs += len(group)
        known = look.states(list(group))
        states.update(known.values())
        to_do.update(tag % _TAGS for job, tag in group.items() if job not in known)
        by_block.update(tag // _TAGS for job, tag in group.items() if known.get(job) in (None, "stale"))
    done, failed, stale = states["done"], states["failed"], states["stale"]
    counts = Counts(rows, jobs, done, failed, stale, to_do=to_do.total(), kept=states["kept"])
    return _Found(counts, shares(to_do, gaining), by_block=by_block)


def _moved(jobs: Jobs, edited: Edited, digest: Digest) -> str | None:
    """Why the table is another though every result is there: its rows, their order, or its columns. Where what was
    applied last was a selection, its rows are walked."""
    before = edited.before
    if before.count != jobs.count:
        return f"{jobs.count:,} rows instead of {before.count:,}"
    then = edited.digest or _digest_of(before)
    if then != digest:
        return "rows stand in another order"
    return "other columns" if before.space.names != jobs.space.names else None


def _digest_of(jobs: Jobs) -> Digest:
    """Of every job of a study, in order."""
    untimed = _Timed([block.block.name for block in jobs.space.blocks], {})
    return _walk(jobs, range(jobs.count), Tagger(()), untimed, lambda _done, _all: None).digest


def _left(ids: Seen, edited: Edited, recorded: Recorded) -> tuple[Share, ...]:
    """Computed jobs of the study as it was applied last that are in no row now."""
    losing = Tagger(edited.causes.lost)
    left: Counter[int] = Counter()
    before = ids_of(edited.before, losing)
    for there, here in zip(before.heaps(), ids.heaps(), strict=True):
        gone = {job.hex(): tag for job, tag in there.items() if job not in here}
        left.update(gone[job] for job in recorded.states(list(gone), ""))
    return shares(left, losing)


# ── the third, where machines are rented ─────────────────────────────────────────────────────
def with_rental(
    plan: Plan,
    rental: Rented,
    *,
    again: int = 0,
    line_of: LineOf = _nowhere,
) -> Plan:
    """A counted plan with what has to happen to its machines, and what they will cost.

    `again` failed jobs are computed anew besides. Where no machine stands and nothing is to be computed, none is
    rented. `line_of` finds the line of a path.
    """
    effort = expect(plan.tally, again=again)
    around = replace(plan.around, rental=rental)
    plan = replace(plan, around=around, effort=effort, slots=rental.slots)
    to_do = again + _left_to_do(plan)
    if not (to_do or rental.standing):
        return plan
    estimated = estimate_of(rental, plan.ensemble.cluster, to_do=to_do, effort=effort)
    renting = tuple(_renting(change, line_of(change.cause)) for change in rental.changes)
    return replace(plan, estimate=estimated, actions=(*renting, *plan.actions))


def with_listed(plan: Plan, listed: Listed) -> Plan:
    """The same while nobody may ask the provider: by list prices, as if nothing stood and nothing were spent."""
    around = replace(plan.around, listed=listed)
    plan = replace(plan, around=around, slots=listed.slots)
    to_do = _left_to_do(plan)
    if not to_do:
        return plan
    return replace(plan, estimate=listed.estimate(plan.ensemble.cluster, to_do=to_do, effort=plan.effort))


def _left_to_do(plan: Plan) -> int:
    return plan.counts.to_do + plan.counts.stale if plan.counts else 0


_MARKS: Mapping[Verb, Mark] = {"create": "+", "resize": "~", "replace": "~", "power on": "~", "remove": "-"}


def _renting(change: Change, line: int | None) -> Action:
    return Action(
        mark=_MARKS[change.verb],
        verb=change.verb,
        address=change.name,
        reason=change.reason,
        size=change.size,
        hourly=float(change.hourly),
        path=dotted(change.cause),
        line=line,
    )


# ── actions ──────────────────────────────────────────────────────────────────────────────────
def _locking(around: Surroundings, line_of: LineOf) -> tuple[Action, ...]:
    dependencies = around.dependencies
    if dependencies.state == "locked":
        return ()
    mark: Literal["+", "~"] = "+" if dependencies.state == "missing" else "~"
    return (Action(mark, "lock", around.lock_file, dependencies.reason).at(WORKER_PATH, line_of),)


def _computing(plan: Plan, found: _Found, line_of: LineOf) -> Iterator[Action]:
    counts, address = found.counts, f"rows[{plan.rows.start}:{plan.rows.stop}]"
    yield from _uploading(plan, found, line_of)
    if not counts.is_exact:
        yield Action("+", "run", address, f"{counts.rows:,} rows, too many to look up which are computed")
    yield from (_running(share, address, line_of) for share in found.to_do)
    if counts.stale:
        yield Action("~", "run again", address, _stale(counts.stale, found.code), jobs=counts.stale)
    yield from (_leaving_out(share, line_of) for share in found.left)
    results = plan.ensemble.results
    yield from writing(results, found.sinks, found.moved, anew=found.is_work, line_of=line_of)
    if counts.kept:
        reason = f"{_jobs(counts.kept)} of other worker code, as asked (--keep-stale)"
        yield Action("=", "keep", address, reason, jobs=counts.kept)
    if counts.failed:
        yield Action(
            "=", "leave", address, f"{counts.failed:,} failed (cloudburst retry)", jobs=counts.failed
        )


def _uploading(plan: Plan, found: _Found, line_of: LineOf) -> Iterator[Action]:
    """Machines elsewhere are sent the code before the first job; this one has it."""
    payload = plan.around.payload
    if plan.ensemble.cluster.provider == "local" or payload is None or found.sent == payload.digest:
        return
    if found.counts.to_do or found.counts.stale:
        is_known = plan.around.dependencies.state == "locked"
        yield uploading(payload.digest if is_known else None, found.sent, line_of)


def _running(share: Share, address: str, line_of: LineOf) -> Action:
    because = _because(share)
    reason = f"{_jobs(share.jobs)}: {because}" if because else f"{_jobs(share.jobs)} to do"
    return _placed(Action("+", "run", address, reason, jobs=share.jobs), share, line_of)


def _stale(number: int, code: Sequence[str]) -> str:
    """Named are the files that changed since what was applied last, where that is known."""
    reason = f"{_jobs(number)} computed by other worker code or other dependencies"
    if not code:
        return reason
    more = f" and {len(code) - _FILES_NAMED:,} more" if len(code) > _FILES_NAMED else ""
    return f"{reason}: changed {'is' if len(code) == 1 else 'are'} {', '.join(code[:_FILES_NAMED])}{more}"


def _leaving_out(share: Share, line_of: LineOf) -> Action:
    because = _because(share)
    what = f"{_jobs(share.jobs)} that {'is' if share.jobs == 1 else 'are'} computed and in no row any more"
    reason = f"{what}{f': {because}' if because else ''}; kept in the ledger, should they come back"
    return _placed(Action("-", "leave out", "the table", reason, jobs=share.jobs), share, line_of)


def _because(share: Share) -> str:
    return "; ".join(cause.text for cause in share.causes)


def _placed(action: Action, share: Share, line_of: LineOf) -> Action:
    """With its place, where one thing in the file is the cause."""
    if len(share.causes) != 1:
        return action
    return action.at(share.causes[0].path, line_of)


def _jobs(number: int) -> str:
    return f"{number:,} job{'' if number == 1 else 's'}"


# ── parts of the JSON form ───────────────────────────────────────────────────────────────────
def _tables_form(ensemble: Ensemble) -> Iterator[dict[str, Any]]:
    """`rows` are those of the file, before a `where`."""
    for block in ensemble.blocks:
        for source in block.sources:
            if isinstance(source, Table):
                rows = len(source.rows)
                yield {"block": block.name, "file": source.file, "rows": rows, "sha256": source.sha256}


def _units(ensemble: Ensemble) -> dict[str, str]:
    """By parameter; where blocks differ, the first one's."""
    units: dict[str, str] = {}
    for block in ensemble.blocks:
        units = {**units_in(block), **units}
    return units


def arithmetic_form(block: Arithmetic) -> dict[str, Any]:
    """How the rows of a block come about, as schemas/plan.schema.json says."""
    return {
        "block": block.block,
        "factors": [dict(vars(factor)) for factor in block.factors],
        "product": block.product,
        "merged": block.merged,
        "excluded": block.excluded,
        "untaken": block.untaken,
        "shuffled": block.shuffled,
        "count": block.count,
    }


def _cluster_form(plan: Plan) -> dict[str, Any]:
    cluster, rental, listed = plan.ensemble.cluster, plan.around.rental, plan.around.listed
    return {
        "provider": cluster.provider,
        "slots": cluster.slots,
        "rented": cluster.is_rented,
        "rental": rental_form(rental, cluster, plan.estimate) if rental else None,
        "listed": listed_form(listed, cluster, plan.estimate) if listed else None,
    }


def _effort_form(plan: Plan) -> dict[str, Any] | None:
    effort, cluster = plan.effort, plan.ensemble.cluster
    if effort is None:
        return None
    listed = plan.around.listed
    prices = plan.around.rental or (listed if listed and listed.hourly is not None else None)
    found = (
        options(effort, cluster.workers, plan.slots, prices.manager, prices.worker)
        if prices and plan.slots and cluster.workers
        else ()
    )
    return {
        **effort_form(effort, plan.ensemble.worker.needs.cpus, plan.slots),
        "workers": [option_form(one, cluster.ttl) for one in found],
        "advice": advice(found) if found else None,
    }


def _dependencies_form(around: Surroundings) -> dict[str, Any]:
    dependencies = around.dependencies
    lock = dependencies.lock
    return {
        "state": dependencies.state,
        "reason": dependencies.reason,
        "lock": around.lock_file,
        "made_from": (lock.made_from or None) if lock else None,
        "python": lock.python if lock else None,
        "packages": len(lock.packages) if lock else None,
    }


def _payload_form(ensemble: Ensemble, around: Surroundings) -> dict[str, Any] | None:
    """Without a lock that fits, the zip is not the one that will be sent, and has no digest to show."""
    payload = around.payload
    if payload is None:
        return None
    return {
        "directory": ensemble.worker.directory,
        "digest": payload.digest if around.dependencies.state == "locked" else None,
        "size": payload.size,
        "files": len(payload.files),
    }


def _sink_form(sink: Sink) -> dict[str, str | None]:
    if isinstance(sink, InfluxSink):
        return {"kind": "influxdb", "database": sink.database, "url": sink.url}
    return {"kind": "table" if isinstance(sink, TableSink) else "files", "path": sink.written}
