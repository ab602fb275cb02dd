"""What an edit of a study changes: which rows come, go and stay, and what in the file is the cause.

Compared are the nouns of two versions, not their texts: a comment, another order of keys, the cluster or the
sinks change no row and are no cause. Exact where it counts (jobs by id), honest where it explains: a cause that
can be told by looking at a row (a value gained, a block that is new) is; the others are named together.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from ..diagnostics import Path, dotted
from ..spec import progressions
from ..spec.ensemble import (
    Axis,
    Block,
    Bounded,
    Cases,
    Counted,
    Ensemble,
    Known,
    Listed,
    Oat,
    Points,
    Replicates,
    Sample,
    Stepped,
    Table,
    Take,
    Value,
    Values,
)
from .filters import axes, kept_rows
from .former import has
from .identity import canonical
from .jobs import Jobs
from .repeats import Seen
from .space import Row, label, names_of

MOST_VALUES = 100_000
"""Longer lists are not compared value by value."""

_SHOWN = 3

Progress = Callable[[int, int], None]
"""Called now and then with rows walked and rows in all."""

_AT_ONCE = 4096


# ── causes ───────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Cause:
    """One thing that two versions of a study say differently.

    `path` is where the newer one says it; of what is gone, the nearest thing around it tells the line. `text` is
    a clause: "demand gained 1.3". It covers the rows of `block` (None: of all blocks) that have one of `points` for
    `names` (with `all_but`: none of them), or a replicate from `replicates` on; with none of these, which rows it is the cause of cannot be
    told by looking at them.
    """

    path: Path
    text: str
    block: str | None = None
    names: tuple[str, ...] = ()
    points: frozenset[str] = frozenset()
    all_but: bool = False
    replicates: int | None = None
    whole_block: bool = False

    @property
    def is_told_by_row(self) -> bool:
        return self.whole_block or bool(self.names) or self.replicates is not None

    def covers(self, row: Row) -> bool:
        if self.block is not None and row.block != self.block:
            return False
        if self.names:
            return (_point(self.names, row.values) in self.points) is not self.all_but
        if self.replicates is not None:
            return row.replicate is not None and row.replicate >= self.replicates
        return self.whole_block


@dataclass(frozen=True)
class Causes:
    """Those of an edit, in the order of the newer file: of rows that come, and of rows that go.

    A value that is gone and one that is new are told apart by it; what changes rows in both ways is in both.
    """

    gained: tuple[Cause, ...] = ()
    lost: tuple[Cause, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost)


def _point(names: Sequence[str], values: Mapping[str, Value]) -> str:
    """The canonical text of these values: of one its own, of several that of a map, empty where none is there.

    It is made for every row of a study, mostly of one value.
    """
    if len(names) == 1:
        return canonical(values[names[0]]) if names[0] in values else ""
    return canonical({name: values[name] for name in names if name in values})


def causes(
    before: Ensemble,
    after: Ensemble,
    contents: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
) -> Causes:
    """What differs between two versions of a study and may change its rows or jobs.

    `contents` are the sha256 of inputs and files by name, before and after. Raises RowError when the `where` of a
    table fails on one of its rows.
    """
    gained: list[Cause] = []
    lost: list[Cause] = []
    both: list[Cause] = [*_of_the_study(before, after), *_of_contents(*contents)]
    old_blocks = {block.name: block for block in before.blocks}
    new_blocks = {block.name: block for block in after.blocks}
    for name, block in new_blocks.items():
        if name not in old_blocks:
            gained.append(Cause(block.path, f"block {name} is new", name, whole_block=True))
            continue
        of_block = _of_block(old_blocks[name], block)
        gained += of_block.gained
        lost += of_block.lost
    for name in old_blocks.keys() - new_blocks.keys():
        lost.append(Cause(("parameters",), f"block {name} is gone", name, whole_block=True))
    return Causes((*both, *gained), (*both, *lost))


def _of_the_study(before: Ensemble, after: Ensemble) -> Iterator[Cause]:
    """What every job has in common."""
    one, other = before.worker, after.worker
    if one.entrypoint != other.entrypoint:
        yield Cause(
            ("worker", "entrypoint"), f"the entrypoint went from {one.entrypoint} to {other.entrypoint}"
        )
    if one.command != other.command:
        yield Cause(("worker", "command"), "the command is another")
    if before.seed != after.seed:
        yield Cause(("seed",), f"the study's seed went from {before.seed} to {after.seed}")
    if (before.job is None) != (after.job is None):
        yield Cause(("job",), "the job template is new" if before.job is None else "the job template is gone")
    elif before.job != after.job:
        for path, text in islice(_edits(before.job, after.job, ("job",)), _SHOWN):
            yield Cause(path, text)


def _edits(before: Any, after: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Where two templates differ, as far down as both are maps."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            if key not in before or key not in after:
                what = "is new" if key in after else "is gone"
                yield (*path, key), f"the job's {_key((*path, key))} {what}"
            elif before[key] != after[key]:
                yield from _edits(before[key], after[key], (*path, key))
    else:
        yield path, f"the job's {_key(path)} is another"


def _key(path: Path) -> str:
    return f"`{'.'.join(map(str, path[1:]))}`" if len(path) > 1 else "template"


def _of_contents(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Cause]:
    changed = [name for name in after if name in before and after[name] != before[name]]
    for name in changed[:_SHOWN]:
        yield Cause(("inputs", name), f"{name} has other content")
    if len(changed) > _SHOWN:
        yield Cause(("inputs",), f"so do {len(changed) - _SHOWN:,} more files")


# ── of one block ─────────────────────────────────────────────────────────────────────────────
def _of_block(before: Block, after: Block) -> Causes:
    found = _Comparing(before, after)
    found.values_by_name()
    found.former()
    found.tuples()
    found.samples()
    found.replicates()
    found.the_rest()
    return Causes(tuple(found.gained), tuple(found.lost))


class _Comparing:
    """Two versions of one block; gathers what differs."""

    def __init__(self, before: Block, after: Block) -> None:
        self.before, self.after = before, after
        self.gained: list[Cause] = []
        self.lost: list[Cause] = []

    def _add(self, path: Path, text: str, *, whole: bool = False) -> None:
        """A cause of rows that come as well as of those that go."""
        cause = Cause(path, text, self.after.name, whole_block=whole)
        self.gained.append(cause)
        self.lost.append(cause)

    def _points(self, names: tuple[str, ...], old: _Points, new: _Points, what: str) -> None:
        """What a source that gives `names` gained and lost; `what` people call it."""
        came = [point for point in new.texts if point not in old.texts]
        went = [point for point in old.texts if point not in new.texts]
        if came:
            path = new.path if len(came) > 1 else new.texts[came[0]]
            text = f"{what} gained {new.shown(came, names)}"
            self.gained.append(Cause(path, text, self.after.name, names, frozenset(came)))
        if went:
            text = f"{what} lost {old.shown(went, names)}"
            self.lost.append(Cause(new.path, text, self.after.name, names, frozenset(went)))

    def values_by_name(self) -> None:
        """`fixed` and single axes: a value that moves from one into the other keeps its rows."""
        old, new = _known(self.before), _known(self.after)
        gone = [name for name in old if name not in new]
        for name, (values, path) in new.items():
            if name not in old:
                if not _gives(self.before, name):
                    self._new(path, f"{name} is new", (name,))
            elif old[name][0] != values:
                self._values(name, old[name][0], values, path)
        for name in gone:
            if not _gives(self.after, name):
                self._gone(name)

    def _new(self, path: Path, text: str, names: tuple[str, ...]) -> None:
        """Parameters that were in no row. Rows in which each is what it `was` are the jobs they were."""
        former = _former(self.after, names)
        if former is None:
            self._add(path, text, whole=True)
        else:
            said = ", ".join(map(_short, former.values()))
            cause = Cause(path, f"{text} (was: {said})", self.after.name, names, _kept(former), all_but=True)
            self.gained.append(cause)
            if not _comes(self.after, names):
                self.lost.append(Cause(path, text, self.after.name, whole_block=True))

    def _gone(self, name: str) -> None:
        """A parameter that is in no row any more; the rows in which it is what it `was` stay."""
        former, path, text = _former(self.before, (name,)), self.after.path, f"{name} is gone"
        if former is None:
            self._add(path, text, whole=True)
        else:
            self.lost.append(Cause(path, text, self.after.name, (name,), _kept(former), all_but=True))

    def former(self) -> None:
        """What parameters were: saying otherwise changes the ids of the rows that have just that value."""
        old, new = _formers(self.before), _formers(self.after)
        for name in dict.fromkeys([*new, *old]):
            if not (_has_name(self.before, name) and _has_name(self.after, name)):
                continue
            points = frozenset(texts[name] for texts in (old, new) if name in texts)
            if name in old and name in new and len(points) == 1:
                continue
            what = "another" if name in old and name in new else "new" if name in new else "gone"
            axis = _axes_of(self.after).get(name)
            path = self.after.path if axis is None else (*axis.path, "was") if axis.was else axis.path
            cause = Cause(path, f"`was` of {name} is {what}", self.after.name, (name,), points)
            self.gained.append(cause)
            self.lost.append(cause)

    def _values(self, name: str, old: Values, new: Values, path: Path) -> None:
        if isinstance(old, Bounded) or isinstance(new, Bounded) or _longest(old, new) > MOST_VALUES:
            self._add(path, f"{name} went from {_written(old)} to {_written(new)}")
            return
        self._points((name,), _Points.of_axis(name, old, path), _Points.of_axis(name, new, path), name)

    def tuples(self) -> None:
        """Groups of `zip`, `cases` and tables: rows of several values each."""
        old, new = _tuples(self.before), _tuples(self.after)
        for what, (names, points) in new.items():
            if what not in old and not any(_has_name(self.before, name) for name in names):
                self._new(points.path, f"{what} is new", names)
            elif what not in old:
                self._add(points.path, f"{what} is new", whole=True)
            elif old[what][0] != names:
                self._add(points.path, f"{what} has other names", whole=True)
            else:
                self._points(names, old[what][1], points, what)
        for what in old.keys() - new.keys():
            self._add(self.after.path, f"{what} is gone", whole=True)

    def samples(self) -> None:
        for old, new in _pairs(self.before, self.after, Sample):
            if old is None or new is None:
                path = new.path if new else (*self.after.path, "sample")
                self._add(path, f"the sample is {'new' if new else 'gone'}", whole=True)
            elif old != new:
                for path, text in _of_sample(old, new):
                    self._add(path, text)

    def replicates(self) -> None:
        for old, new in _pairs(self.before, self.after, Replicates):
            if old is None or new is None:
                path = new.path if new else (*self.after.path, "replicates")
                self._add(path, f"replicates are {'new' if new else 'gone'}", whole=True)
            elif (old.name, old.paired) != (new.name, new.paired):
                self._add(new.path, "replicates are seeded otherwise", whole=True)
            elif old.n != new.n:
                text = f"replicates went from {old.n:,} to {new.n:,}"
                cause = Cause((*new.path, "n"), text, self.after.name, replicates=min(old.n, new.n))
                (self.gained if new.n > old.n else self.lost).append(cause)

    def the_rest(self) -> None:
        before, after = self.before, self.after
        for old, new in _pairs(before, after, Oat):
            if old != new:
                self._add(new.path if new else after.path, "the one-at-a-time design is another", whole=True)
        for name, path in _differing(_expressions(before), _expressions(after), (*after.path, "derive")):
            self._add(path, f"{name} is derived otherwise")
        for name, path in _differing(_whens(before), _whens(after), (*after.path, "grid")):
            self._add(path, f"the `when` of {name} is another")
        self._excludes()
        if before.take != after.take or (before.shuffle != after.shuffle and after.take != Take()):
            self._add((*after.path, "take"), f"`take` is another in block {after.name}")

    def _excludes(self) -> None:
        old = {_exclusion(one): one.path for one in self.before.exclude}
        new = {_exclusion(one): one.path for one in self.after.exclude}
        where, name = (*self.after.path, "exclude"), self.after.name
        for text, path in new.items():
            if text not in old:
                self.lost.append(Cause(path, f"exclude gained {text}", name))
        for text in old.keys() - new.keys():
            self.gained.append(Cause(where, f"exclude lost {text}", name))


def _exclusion(entry: Any) -> str:
    return (
        str(entry.where)
        if entry.match is None
        else json.dumps(entry.match, ensure_ascii=False, sort_keys=True)
    )


def _pairs(before: Block, after: Block, kind: type[Any]) -> Iterator[tuple[Any, Any]]:
    """The one source of a kind that either has; paths and units are no difference."""
    old = next((source for source in before.sources if isinstance(source, kind)), None)
    new = next((source for source in after.sources if isinstance(source, kind)), None)
    if old is not None or new is not None:
        yield old, new


def _known(block: Block) -> dict[str, tuple[Values, Path]]:
    """What a single name is given by `fixed` or an axis of its own."""
    found: dict[str, tuple[Values, Path]] = {
        one.name: (Listed((one.value,)), one.path) for one in block.fixed
    }
    singles = (source for source in block.sources if isinstance(source, Axis))
    return found | {axis.name: (axis.values, axis.path) for axis in singles}


def _gives(block: Block, name: str) -> bool:
    """Whether a source of several names gives it: then that is what is compared."""
    return any(name in names_of(source) for source in block.sources if not isinstance(source, Axis))


def _formers(block: Block) -> dict[str, str]:
    """Of each parameter with a `was` the point a row has with that value."""
    found = _axes_of(block).items()
    return {name: _point((name,), {name: axis.was.value}) for name, axis in found if axis.was}


def _former(block: Block, names: tuple[str, ...]) -> dict[str, Value] | None:
    """What each of these names `was`; None unless each of them is said to have been something."""
    found = _axes_of(block)
    was = {name: axis.was.value for name in names if (axis := found.get(name)) is not None and axis.was}
    return was if len(was) == len(names) else None


def _comes(block: Block, names: tuple[str, ...]) -> bool:
    """Whether each of these has what it `was` in some row, as far as that can be told without looking at rows."""
    found = (_axes_of(block)[name] for name in names)
    return all(
        isinstance(a.values, Bounded) or (a.was is not None and has(a.values, a.was.value)) for a in found
    )


def _axes_of(block: Block) -> dict[str, Axis]:
    return {axis.name: axis for source in block.sources for axis in axes(source)}


def _kept(former: Mapping[str, Value]) -> frozenset[str]:
    """The points of rows that are the jobs they were: as they were, or absent for a `when`."""
    names = tuple(former)
    return frozenset((_point(names, former), _point(names, {})))


def _has_name(block: Block, name: str) -> bool:
    return name in _known(block) or _gives(block, name)


def _expressions(block: Block) -> dict[str, tuple[Any, Path]]:
    return {one.name: (one.expression, one.path) for one in block.derive}


def _whens(block: Block) -> dict[str, tuple[Any, Path]]:
    found = (axis for source in block.sources for axis in axes(source))
    return {axis.name: (axis.when, axis.path) for axis in found if axis.when is not None}


def _differing(
    old: Mapping[str, tuple[Any, Path]], new: Mapping[str, tuple[Any, Path]], around: Path
) -> Iterator[tuple[str, Path]]:
    for name in dict.fromkeys([*new, *old]):
        if name not in new:
            yield name, (*around, name)
        elif name not in old or old[name][0] != new[name][0]:
            yield name, new[name][1]


# ── values ───────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Points:
    """What a source gives, each point by its canonical text with its place in the file."""

    texts: Mapping[str, Path]
    path: Path

    @classmethod
    def of_axis(cls, name: str, values: Known, path: Path) -> _Points:
        column = progressions.column(values)
        listed = isinstance(values, Listed)
        texts = {
            _point((name,), {name: column[place]}): (*path, place) if listed else path
            for place in range(progressions.count(values))
        }
        return cls(texts, path)

    @classmethod
    def of_rows(cls, names: Sequence[str], rows: Iterable[Mapping[str, Value]], path: Path) -> _Points:
        return cls({_point(names, row): (*path, place) for place, row in enumerate(rows)}, path)

    def shown(self, points: Sequence[str], names: Sequence[str]) -> str:
        """`1.3`, `a, b and 7 more`, `3 rows`: single values are shown, rows are counted."""
        if len(names) > 1:
            return f"{len(points):,} row{'' if len(points) == 1 else 's'}"
        said = [_short(json.loads(point or "null")) for point in points[:_SHOWN]]
        more = len(points) - len(said)
        if more:
            return f"{', '.join(said)} and {more:,} more"
        return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]


def _short(value: Value) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _longest(*values: Known) -> int:
    return max(map(progressions.count, values))


def _written(values: Values) -> str:
    if isinstance(values, Listed):
        return f"{len(values.values):,} values"
    bounds = f"{values.start} … {values.stop}"
    if isinstance(values, Stepped) or (isinstance(values, Bounded) and values.step is not None):
        return f"{bounds} by {values.step}"
    assert isinstance(values, Counted | Bounded)  # noqa: S101  what is left of the union
    return f"{bounds} in {values.count}"


def _tuples(block: Block) -> dict[str, tuple[tuple[str, ...], _Points]]:
    """Sources of several names at once, by what people call them."""
    found: dict[str, tuple[tuple[str, ...], _Points]] = {}
    for source in block.sources:
        if isinstance(source, Table):
            found[source.file] = _together(source.columns, kept_rows(source), source.path)
        elif isinstance(source, Cases | Points):
            found[label(source)] = _together(names_of(source), source.rows, source.path)
        elif not isinstance(source, Axis | Sample | Replicates | Oat):
            rows = _walked_together(source.axes)
            if rows is not None:
                found[f"the zip of {label(source)}"] = _together(names_of(source), rows, source.path)
    return found


def _together(
    names: tuple[str, ...], rows: Iterable[Mapping[str, Value]], path: Path
) -> tuple[tuple[str, ...], _Points]:
    return names, _Points.of_rows(names, rows, path)


def _walked_together(group: Sequence[Axis]) -> list[dict[str, Value]] | None:
    """The rows of a zip; None where its values hang on others."""
    columns: list[tuple[str, progressions.Column]] = []
    count = MOST_VALUES
    for axis in group:
        if isinstance(axis.values, Bounded):
            return None
        columns.append((axis.name, progressions.column(axis.values)))
        count = min(count, progressions.count(axis.values))
    return [{name: column[place] for name, column in columns} for place in range(count)]


# ── samples ──────────────────────────────────────────────────────────────────────────────────
def _of_sample(before: Sample, after: Sample) -> Iterator[tuple[Path, str]]:
    what = f"the {after.method} sample"
    if before.method != after.method:
        yield (*after.path, "method"), f"the sample's method went from {before.method} to {after.method}"
    if before.n != after.n:
        yield (*after.path, "n"), f"n of {what} went from {before.n:,} to {after.n:,}"
    if before.seed != after.seed:
        yield (*after.path, "seed"), f"the seed of {what} is another"
    old = {draw.name: draw for draw in before.draws}
    new = {draw.name: draw for draw in after.draws}
    for name in dict.fromkeys([*new, *old]):
        if name not in old:
            yield new[name].path, f"{what} gained {name}"
        elif name not in new:
            yield (*after.path, "of"), f"{what} lost {name}"
        elif _drawn(old[name]) != _drawn(new[name]):
            yield new[name].path, f"{name} is drawn otherwise"
    if list(old) != list(new) and old.keys() == new.keys() and after.method not in ("random", "lhs"):
        yield (*after.path, "of"), f"the names of {what} stand in another order"
    for field in ("correlate", "options"):
        if getattr(before, field) != getattr(after, field):
            key = field if field == "correlate" else _first_option(before.options, after.options)
            yield (*after.path, key), f"`{key}` of {what} is another"


def _drawn(draw: Any) -> list[Any]:
    return [getattr(draw, one.name) for one in fields(draw) if one.name not in ("path", "unit")]


def _first_option(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    return next(key for key in [*after, *before] if before.get(key) != after.get(key))


# ── which rows ───────────────────────────────────────────────────────────────────────────────
class Tagger:
    """Gives a row the number of the cause that covers it, from 1; 0 where no single one can be told.

    Those that say most go first: a value before a whole block.
    """

    def __init__(self, found: Sequence[Cause]) -> None:
        told = [cause for cause in found if cause.is_told_by_row]
        self.told = (*[one for one in told if not one.whole_block], *[one for one in told if one.whole_block])
        self.others = tuple(cause for cause in found if not cause.is_told_by_row)
        self.told = self.told[:254]  # a tag is a byte; nobody reads so many

    def tag(self, row: Row) -> int:
        return next((number for number, cause in enumerate(self.told, 1) if cause.covers(row)), 0)

    def causes(self, tag: int) -> tuple[Cause, ...]:
        """Of rows with this tag: the one that covers them, or all those that may be."""
        return (self.told[tag - 1],) if tag else self.others


@dataclass(frozen=True)
class Share:
    """Jobs that come or go for the same causes; without causes nothing in the file explains them."""

    jobs: int
    causes: tuple[Cause, ...]


@dataclass(frozen=True)
class Difference:
    """Two versions of a study, by jobs. `rows` are those of each version, jobs those of both together."""

    rows: tuple[int, int]
    added: int
    removed: int
    kept: int
    gained: tuple[Share, ...]
    lost: tuple[Share, ...]


def compare(
    before: Jobs, after: Jobs, found: Causes, progress: Progress = lambda _done, _all: None
) -> Difference:
    """Every job of both versions, compared by id. Some 12 bytes of memory a row. Raises RowError."""
    rows = (before.count, after.count)
    losing, gaining = Tagger(found.lost), Tagger(found.gained)
    old = ids_of(before, losing, lambda done, _all: progress(done, sum(rows)))
    new = ids_of(after, gaining, lambda done, _all: progress(rows[0] + done, sum(rows)))
    removed: Counter[int] = Counter()
    added: Counter[int] = Counter()
    kept = 0
    for one, other in zip(old.heaps(), new.heaps(), strict=True):
        removed.update(tag for job, tag in one.items() if job not in other)
        added.update(tag for job, tag in other.items() if job not in one)
        kept += len(one.keys() & other.keys())
    return Difference(
        rows, added.total(), removed.total(), kept, shares(added, gaining), shares(removed, losing)
    )


def shares(counted: Mapping[int, int], tagger: Tagger) -> tuple[Share, ...]:
    """Jobs by tag as jobs by cause, in the order of the causes; what no cause covers is last."""
    tags = sorted(counted, key=lambda tag: tag or 256)
    return tuple(Share(counted[tag], tagger.causes(tag)) for tag in tags if counted[tag])


def ids_of(jobs: Jobs, tagger: Tagger, progress: Progress = lambda _done, _all: None) -> Seen:
    """Every id, each with the number of its cause. Raises RowError."""
    seen, count, tells = Seen(), jobs.count, bool(tagger.told)
    for place, job in enumerate(jobs, 1):
        seen.add(job.id, tagger.tag(job.row) if tells else 0)
        if place % _AT_ONCE == 0:
            progress(place, count)
    return seen


# ── the JSON form ────────────────────────────────────────────────────────────────────────────
def difference_form(difference: Difference, line_of: Callable[[Path], int | None]) -> dict[str, Any]:
    """As schemas/comparison.schema.json has it: jobs that come, go and stay, with causes and their lines."""
    return {
        "rows": list(difference.rows),
        "added": difference.added,
        "removed": difference.removed,
        "kept": difference.kept,
        "gained": [_share_form(share, line_of) for share in difference.gained],
        "lost": [_share_form(share, line_of) for share in difference.lost],
    }


def _share_form(share: Share, line_of: Callable[[Path], int | None]) -> dict[str, Any]:
    told = [
        {"text": cause.text, "path": dotted(cause.path), "line": line_of(cause.path)}
        for cause in share.causes
    ]
    return {"jobs": share.jobs, "causes": told}
