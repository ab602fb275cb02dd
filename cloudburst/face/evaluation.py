"""Points in, outputs out: what an optimiser or a calibration asks of a study."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from ..errors import CloudBurstError, UsageError
from ..run import evaluating
from ..run.evaluating import Asked
from ..run.events import StopSignal
from ..run.observe import Study
from ..run.results import Result, first_line
from ..run.sinks.formats import Column, Kind, kind_of, wider
from ..run.sinks.table import flat
from ..run.stopping import letting_go, stoppable
from ..spec.schema import nearest
from ..words import count, listed
from . import frames
from .errors import told
from .progress import Teller, telling
from .rows import Rows, points, rows_of

if TYPE_CHECKING:
    import pandas

OnFailure = Literal["raise", "nan"]

_TOLD = 3
"""Parameters of a failed job in its sentence."""


@dataclass(frozen=True)
class Failure:
    """A job that failed: the place of its row among those given (from 0), the `replicate` where there are several, and
    what `cloudburst logs` knows it by. `kind` is error, crash, timeout, memory or lost."""

    row: int
    replicate: int | None
    id: str
    kind: str
    error: str


class JobsFailed(CloudBurstError):
    """Some of the jobs failed; `failures` are all of them, `outputs` what `on_failure="nan"` would have returned."""

    def __init__(self, message: str, hint: str, failures: tuple[Failure, ...], outputs: Any) -> None:
        super().__init__(message, hint)
        self.failures = failures
        self.outputs = outputs


class Session:
    """The study's workers, kept warm between one `evaluate` and the next. Use it with `with`.

    What the file and the worker's code say is read when it begins. While it lasts no other process works on the study.
    """

    def __init__(self, study: Study, *, progress: bool = True) -> None:
        self._study = study
        self._progress = progress
        self._held = contextlib.ExitStack()
        self._teller: Teller | None = None
        self._machines: evaluating.Session | None = None

    def __enter__(self) -> Self:
        with told(), contextlib.ExitStack() as held:
            teller = held.enter_context(telling(self._progress))
            self._teller = teller
            self._machines = held.enter_context(evaluating.Session(self._study, teller.tell, self._waiting))
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._machines = None
        self._held.close()

    def _waiting(self, stop: StopSignal) -> contextlib.AbstractContextManager[object]:
        say = self._teller.say if self._teller is not None else _unsaid
        return stoppable(say, letting_go(self._study.ensemble.cluster), stop=stop, ends=())

    @overload
    def evaluate(
        self,
        rows: pandas.DataFrame,
        *,
        outputs: Sequence[str] | None = None,
        replicates: int | None = None,
        block: str | None = None,
        on_failure: OnFailure = "raise",
        retry: bool = False,
    ) -> pandas.DataFrame: ...

    @overload
    def evaluate(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        outputs: Sequence[str] | None = None,
        replicates: int | None = None,
        block: str | None = None,
        on_failure: OnFailure = "raise",
        retry: bool = False,
    ) -> Rows: ...

    def evaluate(
        self,
        rows: Any,
        *,
        outputs: Sequence[str] | None = None,
        replicates: int | None = None,
        block: str | None = None,
        on_failure: OnFailure = "raise",
        retry: bool = False,
    ) -> Any:
        """The outputs of one job for each row of parameters, in the same order. As `Study.evaluate`."""
        with told():
            if self._machines is None:
                raise CloudBurstError(
                    "this session has not begun, or has ended", "with study.session() as session: …"
                )
            _check(outputs, on_failure)
            asked = Asked(points(rows), block, replicates, retry, insist=on_failure == "nan")
            results = self._machines.evaluate(asked)
            found = _Found(results, replicates, outputs)
            made = found.as_frame(rows) if frames.is_frame(rows) else found.as_rows()
            if found.failures and on_failure == "raise":
                raise _failed(results, found.failures, made)
            return made


def _unsaid(_text: str) -> None:
    """Before there is anybody to tell."""


def _check(outputs: object, on_failure: object) -> None:
    if on_failure not in ("raise", "nan"):
        raise UsageError(f"on_failure={on_failure!r} is nothing that can be done", 'one of "raise" and "nan"')
    if isinstance(outputs, str):
        raise UsageError("outputs are a list of names", f"outputs=[{outputs!r}]")


class _Found:
    """What came of some points: a column for each output, a row for each job."""

    def __init__(
        self, results: Sequence[Result], replicates: int | None, wanted: Sequence[str] | None
    ) -> None:
        self._replicates = replicates
        self._returned = [
            flat(one.outcome["result"] or {}) if one.outcome and one.status == "done" else {}
            for one in results
        ]
        self.failures = tuple(_failures(results, replicates))
        self._columns = self._chosen(self._kinds(), wanted)

    def _kinds(self) -> dict[str, Kind | None]:
        kinds: dict[str, Kind | None] = {}
        for returned in self._returned:
            for name, value in returned.items():
                kinds[name] = wider(kinds.get(name), kind_of(value))
        return kinds

    def _chosen(self, kinds: Mapping[str, Kind | None], wanted: Sequence[str] | None) -> tuple[Column, ...]:
        """An output that nothing returned is a column of NaN. A number that is missing is one, too, so that whole numbers
        among which one is missing are numbers."""
        names = list(kinds if wanted is None else wanted)
        for name in names:
            if kinds and name not in kinds:
                near = nearest(name, kinds)
                raise UsageError(
                    f"the jobs return no `{name}`",
                    f"did you mean `{near}`?" if near else f"they return {listed(kinds)}",
                )
        return tuple(Column(name, self._kind(name, kinds.get(name))) for name in names)

    def _kind(self, name: str, kind: Kind | None) -> Kind:
        if kind is None:
            return "number"
        gaps = any(returned.get(name) is None for returned in self._returned)
        return "number" if kind == "integer" and gaps else kind

    @property
    def _cells(self) -> list[list[Any]]:
        names = [column.name for column in self._columns]
        return [[returned.get(name) for name in names] for returned in self._returned]

    @property
    def _about(self) -> dict[str, Any]:
        return {"failures": [asdict(failure) for failure in self.failures]}

    def as_rows(self) -> Rows:
        return rows_of(self._cells, self._columns, about=self._about)

    def as_frame(self, given: pandas.DataFrame) -> pandas.DataFrame:
        index = given.index if self._replicates is None else frames.repeated(given.index, self._replicates)
        return frames.frame(self._cells, self._columns, about=self._about, index=index)


def _failures(results: Sequence[Result], replicates: int | None) -> Iterable[Failure]:
    for place, one in enumerate(results):
        if one.status == "failed" and one.outcome is not None:
            row, replicate = (place, None) if replicates is None else divmod(place, replicates)
            kind, error = str(one.outcome["kind"]), first_line(one.outcome["error"])
            yield Failure(row, replicate, one.job.id, kind, error)


def _failed(results: Sequence[Result], failures: Sequence[Failure], made: Any) -> JobsFailed:
    first = failures[0]
    values = next(one.job.row.values for one in results if one.job.id == first.id)
    told_of = listed((f"{name}={value}" for name, value in values.items()), most=_TOLD)
    what = "the job" if len(results) == 1 else f"{len(failures):,} of {count(len(results), 'job')}"
    message = f"{what} failed; row {first.row} ({told_of}): {first.error or first.kind}"
    hint = f'on_failure="nan" goes on without; `cloudburst logs {first.id[:8]}` shows all it printed, retry=True computes it again'
    return JobsFailed(message, hint, tuple(failures), made)
