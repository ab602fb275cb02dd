"""A study as an object: what the commands do, from Python."""

from __future__ import annotations

import os
import warnings as python_warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from ..compile.points import block_of, names_of_points
from ..diagnostics import Diagnostic
from ..errors import CloudBurstError, ControllerError, ProviderError, SpecError, UsageError
from ..run import apply as applying
from ..run import observe, replica
from ..run.clusters import connected
from ..run.events import Summary
from ..run.ledger import Ledger
from ..run.outputs import about
from ..run.planning import counted_plan, with_machines
from ..run.results import join
from ..run.sinks.formats import only
from ..run.sinks.table import open_sheet
from ..run.stopping import letting_go, stoppable
from .errors import told
from .evaluation import OnFailure, Session
from .planned import Plan
from .progress import telling
from .rows import Rows, table

if TYPE_CHECKING:
    import pandas

RowRange = tuple[int, int] | range | None
"""From and up to, as `--rows` has them; None: all rows."""


def load(path: str | os.PathLike[str] = "ensemble.yaml", *, local: bool = False) -> Study:
    """The study that an ensemble file describes. Computes nothing and writes nothing.

    `local`: on this machine, whatever machines the file names, as `--local` does.
    Raises SpecError with every mistake of the file and its place, CloudBurstError where there is no such file.
    """
    return Study(path, local=local)


class Study:
    """A study on this machine. Every method reads the file and the worker's code anew, as a command does: edit them and
    call again. Every mistake is a CloudBurstError whose text is a sentence; `hint` says what to do."""

    def __init__(self, path: str | os.PathLike[str], *, local: bool = False) -> None:
        self._path = Path(path)
        self._local = local
        self._last = self._read()

    def __repr__(self) -> str:
        return f"<cloudburst.Study {self.name}: {self.path}>"

    @property
    def name(self) -> str:
        """`name` of the file, as it was last read."""
        return self._last.ensemble.name

    @property
    def path(self) -> Path:
        """The ensemble file, absolute."""
        return self._last.places.spec

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What was noticed when the file was last read and stops nothing; `warning.line` is its sentence."""
        return self._last.diagnostics

    def parameters(self, block: str | None = None) -> list[str]:
        """What a row of `evaluate` may give, in the order of the table; of a study with several blocks `block` says which.

        Derived values are not among them, replicates' seeds are.
        """
        with told():
            return list(names_of_points(block_of(self._last.ensemble, block)).given)

    def _read(self, *, looking: bool = False) -> observe.Study:
        with told():
            self._last = observe.read_study(self._path, local=self._local, looking=looking)
        return self._last

    # ── plan and apply ───────────────────────────────────────────────────────────────────────
    def plan(self, *, rows: RowRange = None, keep_stale: bool = False, offline: bool = False) -> Plan:
        """What `apply` would do; touches nothing. Of rented machines what they would cost, unless `offline`.

        `rows` as in `apply`. Raises SpecError, LedgerError, and Unreachable when the account cannot be asked.
        """
        study = self._read()
        with told():
            counted = counted_plan(study, _range(rows), keep_stale=keep_stale)
            return Plan.of(counted if offline else with_machines(study, counted))

    def apply(
        self,
        *,
        rows: RowRange = None,
        retry: Literal["all"] | Sequence[str] | None = None,
        keep_stale: bool = False,
        yes: bool = False,
        progress: bool = True,
    ) -> Summary:
        """Compute what is not computed yet, and write the tables.

        `rows` are from and up to, as (0, 3) or range(3); `retry` names failed jobs by their ids to be computed again;
        with `keep_stale` results of other worker code stay; `yes` agrees to rent machines. Jobs that fail are counted
        in the Summary. Ctrl-C, or the notebook's stop button, starts no new job and lets running ones finish, pressed
        again it stops now; then KeyboardInterrupt is raised, and applying again goes on.

        Raises StudyBusy, LockingFailed, ProviderError and their kin, CloudBurstError when too many jobs failed for it
        to go on, and UsageError when machines would be rented and nobody agreed.
        """
        study, selected = self._read(), _range(rows)
        cluster = study.ensemble.cluster
        again = retry if retry is None or retry == "all" else tuple(retry)
        with told():
            if cluster.is_rented:
                _agree(study, selected, keep_stale=keep_stale, yes=yes)
            with telling(progress) as teller, stoppable(teller.say, letting_go(cluster), ends=()) as stop:
                ended = applying.apply(
                    study, rows=selected, retry=again, on_event=teller.tell, stop=stop, keep_stale=keep_stale
                )
            if ended.state in ("stopped", "let go"):
                raise KeyboardInterrupt
            if ended.state == "paused":
                raise CloudBurstError(
                    f"the study paused: {ended.reason}", "mend it, then apply again; what is computed is kept"
                )
            return ended

    # ── results ──────────────────────────────────────────────────────────────────────────────
    def results(self, *, columns: Sequence[str] | None = None) -> pandas.DataFrame | Rows:
        """The table: a row for every row of the plan, in its order, computed or not.

        A DataFrame where pandas is installed, else `Rows`, a list of dicts. Columns are those of the CSV table, with
        types: whole numbers, numbers, truth values, texts, `started` as moments in UTC, lists and maps as they are. A
        cell that a row does not have is missing (`<NA>`, NaN, None). `columns` chooses some, in that order.

        Raises SpecError, LedgerError, and UsageError for a column there is not.
        """
        study = self._read(looking=True)
        with told():
            _bring_home(study)
            digest = study.payload.digest
            with study.recorded() as recorded:
                ledger = recorded if isinstance(recorded, Ledger) else None
                found = join(study.jobs, lambda ids: ledger.outcomes(ids, digest) if ledger else {}, digest)
                with observe.rows_in_their_place(study), open_sheet(found, about=about(study)) as sheet:
                    return table(sheet if columns is None else only(sheet, columns))

    # ── points ───────────────────────────────────────────────────────────────────────────────
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
        yes: bool = False,
        progress: bool = True,
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
        yes: bool = False,
        progress: bool = True,
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
        yes: bool = False,
        progress: bool = True,
    ) -> Any:
        """The outputs of one job for each row of parameters, in the same order, computed by the study's workers.

        `rows` is a DataFrame (outputs come back as one, with its index) or a list of dicts (a list of dicts comes back).
        A row gives the parameters of a row of the study (`parameters`), with values of its own; those under `fixed` may be left
        out, derived ones are derived. Each job is known by what it receives: what the study or an earlier call computed
        is not computed again. The study's table stays as it is.

        `outputs` chooses columns, and has them even where every job fails. `replicates` computes each row so many times,
        with the seeds the study would give it (a DataFrame's index gets a second level, `replicate`); without it a row
        without a seed is the study's replicate 0. `block` says whose `fixed` and `derive` hold where the study has several blocks.
        `on_failure` is "raise" (JobsFailed, once all have ended) or "nan" (missing values, and `attrs["failures"]`);
        with `retry` jobs that failed before are computed again. `yes` agrees to rent machines.

        For many calls open a `session`, which keeps the workers. Raises UsageError for a name or a value that no row
        can have, SpecError where an expression fails on a row, KeyboardInterrupt and the rest as `apply`.
        """
        with self.session(yes=yes, progress=progress) as session:
            return session.evaluate(
                rows, outputs=outputs, replicates=replicates, block=block, on_failure=on_failure, retry=retry
            )

    def session(self, *, yes: bool = False, progress: bool = True) -> Session:
        """The study's workers for many calls of `evaluate`: `with study.session() as session: session.evaluate(…)`.

        They start with the first job that has to be computed and stay up until the `with` ends. Raises StudyBusy on
        entering when another process works on the study.
        """
        study = self._read()
        with told():
            if study.ensemble.cluster.is_rented and not yes:
                raise UsageError(
                    "points are computed on the machines the file names, which are rented and cost money",
                    "yes=True agrees; cloudburst.load(path, local=True) computes them on this machine",
                )
        return Session(study, progress=progress)


def _range(rows: RowRange) -> tuple[int, int] | None:
    if rows is None:
        return None
    if isinstance(rows, range):
        if rows.step != 1:
            raise UsageError(f"{rows} leaves rows out", "rows are a stretch, such as range(0, 20)")
        rows = (rows.start, max(rows.start, rows.stop))
    if not 0 <= rows[0] <= rows[1]:
        raise UsageError(f"rows={rows} is no stretch of rows", "from and up to, such as (0, 20)")
    return rows


def _bring_home(study: observe.Study) -> None:
    """What machines elsewhere have computed is recorded here first. That they cannot be reached is a warning."""
    if study.ensemble.cluster.provider == "local":
        return
    try:
        with connected(study) as found:
            if found is not None:
                replica.pull(study, found.controller)
    except (ProviderError, ControllerError) as error:
        python_warnings.warn(f"{error.message}; this is what this machine has", stacklevel=3)


def _agree(study: observe.Study, rows: tuple[int, int] | None, *, keep_stale: bool, yes: bool) -> None:
    """As the command asks before it rents. Raises SpecError above max_cost, UsageError where nobody agreed."""
    plan = with_machines(study, counted_plan(study, rows, keep_stale=keep_stale))
    if plan.refusal and plan.around.rental is not None and plan.around.rental.standing:
        _bring_home(study)  # they may have less left to do than it seems
        plan = with_machines(study, counted_plan(study, rows, keep_stale=keep_stale))
    if plan.refusal:
        raise SpecError(study.loaded.document.place([plan.refusal]))
    if plan.asks_for_money and not yes:
        raise UsageError(
            "this rents machines, which costs money, and nobody has agreed to it",
            "study.apply(yes=True) agrees; study.plan() says what it costs",
        )
