"""Which rows are one job, and why: ids as they come by, and a few of those that come again.

Rows with one id are computed once and reported for each. A plan counts them exactly and explains some.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..spec.ensemble import Block, Ensemble, Replicates, Sample, Value
from ..words import listed
from .filters import axes
from .identity import canonical
from .jobs import Job, Jobs

MOST_REMEMBERED = 1_000_000
"""Among so many rows at the beginning examples of rows with one id are looked for; a byte each."""

MOST_COMPARED = 200
MOST_TOLD = 5


class Seen:
    """Ids of 20 hex digits, each told once, in twelve bytes an id instead of the hundred a set takes.

    They are only put aside, by their first byte; which ones repeat is found out a heap at a time. Each
    has a tag, a number from 0 to 65535; of rows with one id the first one's counts.
    """

    def __init__(self) -> None:
        self._heaps = [bytearray() for _ in range(256)]
        self._tags = [array("H") for _ in range(256)]
        self._order = bytearray()

    def add(self, id: str, tag: int = 0) -> None:
        data = bytes.fromhex(id)
        self._heaps[data[0]] += data
        self._tags[data[0]].append(tag)
        if len(self._order) < MOST_REMEMBERED:
            self._order.append(data[0])

    def heaps(self) -> Iterator[dict[bytes, int]]:
        """Every id once with its tag, in 256 heaps by the first byte."""
        for heap, tags in zip(self._heaps, self._tags, strict=True):
            ids = list(_ids(heap))
            yield dict(zip(reversed(ids), reversed(tags), strict=True))

    def in_groups(self) -> Iterator[dict[str, int]]:
        """Every id once with its tag, in 256 groups whose ids lie close together: what is sorted by id, such as the
        index of a ledger, is then read once and not searched."""
        for heap in self.heaps():
            yield {data.hex(): tag for data, tag in heap.items()}

    def repeats(self) -> list[tuple[int, int]]:
        """Pairs of rows with one id, as places in the order they came by: the first with its next, and with its last.

        Of some `MOST_COMPARED` ids, from all heaps alike: ids are as good as random.
        """
        found: list[tuple[int, int]] = []
        most = MOST_COMPARED
        for byte, heap in enumerate(self._heaps):
            if most <= 0:
                break
            remembered = heap[: 10 * self._order.count(byte)]
            told = _repeated(remembered, most)
            most -= len(told)
            rows = list(_places(self._order, byte)) if told else []
            for first, again, last in told:
                found += dict.fromkeys([(rows[first], rows[again]), (rows[first], rows[last])])
        return sorted(found)


def _ids(heap: bytes | bytearray) -> Iterator[bytes]:
    return (bytes(heap[place : place + 10]) for place in range(0, len(heap), 10))


def _repeated(heap: bytes | bytearray, most: int) -> list[tuple[int, int, int]]:
    """Of at most so many ids that repeat: their first, second and last places in the heap."""
    places: dict[bytes, tuple[int, int, int]] = {}
    for place, id_ in enumerate(_ids(heap)):
        first, again, _ = places.get(id_, (place, place, place))
        places[id_] = (first, place if again == first else again, place)
    repeated = [found for found in places.values() if found[0] != found[2]]
    return repeated[:most]


def _places(order: bytes | bytearray, byte: int) -> Iterator[int]:
    """Where a byte stands, one after another."""
    place = order.find(byte)
    while place >= 0:
        yield place
        place = order.find(byte, place + 1)


# ── why ──────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Coincidence:
    """Two rows that are one job: `rows` and their `blocks`, the job's `id`, and `because`, a sentence's end."""

    rows: tuple[int, int]
    blocks: tuple[str, str]
    id: str
    because: str

    def to_json(self) -> dict[str, Any]:
        return {"rows": list(self.rows), "blocks": list(self.blocks), "id": self.id, "because": self.because}


def coincidences(ensemble: Ensemble, jobs: Jobs, pairs: Iterable[tuple[int, int]]) -> tuple[Coincidence, ...]:
    """An example for each reason, at most `MOST_TOLD`; `pairs` are rows with one id. Raises RowError."""
    examples: dict[_Reason, tuple[Job, Job]] = {}
    names: dict[_Reason, set[str]] = {}
    for first, again in pairs:
        one, other = jobs[first], jobs[again]
        reason, telling = _reason(ensemble.blocks, jobs, one, other)
        examples.setdefault(reason, (one, other))
        names.setdefault(reason, set()).update(telling)
    told = list(examples.items())[:MOST_TOLD]
    return tuple(
        _coincidence(
            ensemble.blocks, reason, one, other, [name for name in jobs.space.names if name in names[reason]]
        )
        for reason, (one, other) in told
    )


@dataclass(frozen=True)
class _Reason:
    """What two rows with one id have to do with each other. Pairs alike in this are told as one.

    `files` are parameters whose values are two files with one content, `former` those that one of them has as
    they `was` before they were parameters, and the other has not.
    """

    kind: Literal["the job takes less", "a when leaves out", "the same values"]
    blocks: tuple[str, str]
    files: tuple[str, ...] = ()
    former: tuple[str, ...] = ()


def _reason(blocks: Sequence[Block], jobs: Jobs, one: Job, other: Job) -> tuple[_Reason, list[str]]:
    """With the parameters it is about."""
    between = (one.row.block, other.row.block)
    written = _differing(one.row.values, other.row.values)
    differing = _differing(jobs.values_of(one.row), jobs.values_of(other.row))
    files = tuple(name for name in written if name not in differing)
    former = tuple(_former(jobs, one, other))
    differing = [name for name in differing if name not in former]
    if differing:
        return _Reason("the job takes less", between, files, former), differing
    if files or former:
        return _Reason("the same values", between, files, former), []
    absent = [name for block in blocks if block.name in between for name in _absent(block, one)]
    if absent:
        return _Reason("a when leaves out", between), absent
    return _Reason("the same values", between), []


def _former(jobs: Jobs, one: Job, other: Job) -> Iterator[str]:
    """Parameters that only one of them has, and as they were before they were parameters."""
    for here, there in ((one, other), (other, one)):
        yield from (name for name in jobs.as_before(here.row) if name not in there.row.values)


def _coincidence(
    blocks: Sequence[Block], reason: _Reason, one: Job, other: Job, names: Sequence[str]
) -> Coincidence:
    told = (_SENTENCES[reason.kind](names), _alike(reason.files), _as_before(reason.former))
    because = "; ".join(filter(None, told))
    first, second = reason.blocks
    if first != second:
        because = "; ".join(filter(None, (f"blocks {first} and {second} both give it", because)))
    elif not because:
        because = _said_twice(next(block for block in blocks if block.name == first))
    return Coincidence((one.row.index, other.row.index), reason.blocks, one.id, because)


def _said_twice(block: Block) -> str:
    """Where only a sample gives values, it is the sample that comes to a point again."""
    methods = [source.method for source in block.sources if isinstance(source, Sample)]
    if methods and all(isinstance(source, Sample | Replicates) for source in block.sources):
        return f"the {methods[0]} sample of block {block.name} comes to the same point again"
    return f"block {block.name} gives the same values twice"


_SENTENCES: Mapping[str, Callable[[Sequence[str]], str]] = {
    "the job takes less": lambda names: f"the job does not take {_listed(names)}, and nothing else differs",
    "a when leaves out": lambda names: f"`when` leaves out {_listed(names)}, and the rest is the same",
    "the same values": lambda _names: "",
}


def _alike(files: Sequence[str]) -> str:
    return f"the files of {_listed(files)} have the same content" if files else ""


def _as_before(former: Sequence[str]) -> str:
    return f"one has {_listed(former)} as it `was`, the other without" if former else ""


def _differing(here: Mapping[str, Value], there: Mapping[str, Value]) -> list[str]:
    """Parameters that only one of the rows has, or whose values are two."""
    return [
        name
        for name in dict.fromkeys([*here, *there])
        if name not in here or name not in there or canonical(here[name]) != canonical(there[name])
    ]


def _absent(block: Block, job: Job) -> list[str]:
    conditional = [axis for source in block.sources for axis in axes(source) if axis.when is not None]
    return [axis.name for axis in conditional if axis.name not in job.row.values]


def _listed(names: Sequence[str]) -> str:
    return listed((f"`{name}`" for name in names), most=3)
