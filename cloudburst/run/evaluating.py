"""Points of a study, asked for one batch after another and computed by its own workers into its own ledger.

What was computed before, as a row of the study or as a point, is not computed again. The study's tables, the plans
that were applied and the rows it has are not touched. The cluster is started for the first point that has to be
computed, and stays up between the batches: an optimiser asks a thousand times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from types import TracebackType
from typing import Self

from ..compile.draws import Draws
from ..compile.jobs import Job
from ..compile.normal import thaw
from ..compile.points import Point, block_of, normal_of_points, rows_of_points
from ..errors import CloudBurstError, StudyBusy
from ..spec import build
from . import replica, run_lock
from .clusters import Cluster, Endpoints, make_cluster
from .controller_client import ControllerClient
from .events import OnEvent, StopSignal
from .follow import LOOK_EVERY, Status, follow
from .handing_over import controller_of, files_of, raise_if_broken, upload
from .ledger import Ledger
from .observe import Study, rows_in_their_place, with_lock
from .ownership import check_ownership, take_ownership
from .places import prepare
from .promised import promised_variables
from .results import Outcome, Result, join
from .sending import needed_files

FIRST_LOOKS = tuple(0.01 * 1.3**step for step in range(12))
"""Seconds between the first looks at the controller: a short job is not waited for longer than it takes."""

Waiting = Callable[[StopSignal], contextlib.AbstractContextManager[object]]
"""Around every wait for jobs: how a wish to stop reaches the signal (`stopping.stoppable`)."""


@dataclass(frozen=True)
class Asked:
    """One batch of points. `block` may be None where the study has one; each point gives `replicates` rows where that
    is given. With `retry`, what failed before is computed again. `insist`: go on however many fail."""

    points: Sequence[Point]
    block: str | None = None
    replicates: int | None = None
    retry: bool = False
    insist: bool = False


def study_of(study: Study, asked: Asked) -> Study:
    """The study that is these points and nothing else. Raises UsageError for a point that cannot be one."""
    block = block_of(study.ensemble, asked.block)
    paths = [one.name for one in study.files.found]
    rows = rows_of_points(study.ensemble, block, asked.points, replicates=asked.replicates, files=paths)
    return _with_rows(study, normal_of_points(study.loaded.normal, block, rows))


def _some_of(study: Study, numbers: Sequence[int]) -> Study:
    """Of a study of points, those with these numbers."""
    (block,) = study.loaded.normal["parameters"]
    rows = block["points"]["rows"]
    points = {**block["points"], "rows": [rows[number] for number in numbers]}
    return _with_rows(study, {**study.loaded.normal, "parameters": [{**block, "points": points}]})


def _with_rows(study: Study, normal: dict[str, object]) -> Study:
    ensemble = build(normal)
    bare = replace(
        study,
        loaded=replace(study.loaded, ensemble=ensemble, normal=normal),
        ensemble=ensemble,
        draws=Draws(),
        packed=study.payload,
    )
    return replace(bare, jobs=thaw(bare.frozen))


class Session:
    """The study's machines, held for one batch of points after another; a context manager.

    Not to be shared between threads. Raises StudyBusy on entering when another process works on the study, and what
    `apply` raises. `waiting` is entered around every wait.
    """

    def __init__(self, study: Study, on_event: OnEvent, waiting: Waiting) -> None:
        self._study = study
        self._on_event = on_event
        self._waiting = waiting
        self._stop = StopSignal()
        self._held = contextlib.ExitStack()
        self._cluster: Cluster | None = None
        self._endpoints: Endpoints | None = None
        self._sent: set[str] = set()
        self._has_asked = False

    @property
    def study(self) -> Study:
        """With the lock that its jobs are computed with."""
        return self._study

    def __enter__(self) -> Self:
        promised_variables(self._study.ensemble)
        check_ownership(self._study.places)
        prepare(self._study.places)
        with contextlib.ExitStack() as held:
            lock = held.enter_context(run_lock.hold(self._study.places.lock, study=self._study.ensemble.name))
            take_ownership(self._study.places)
            self._study = with_lock(self._study, self._on_event)
            self._cluster = make_cluster(self._study, lock, self._on_event, self._stop)
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the cluster, or lets go of one that outlives us."""
        with self._held, self._waiting(self._stop):
            if self._cluster is not None:
                self._cluster.stop(now=self._stop.level >= 2)
            self._cluster = self._endpoints = None

    # ── a batch ──────────────────────────────────────────────────────────────────────────────
    def evaluate(self, asked: Asked) -> list[Result]:
        """A result for every row of the points, in their order; a job that failed is one, too.

        Raises UsageError and SpecError for points that have no job, KeyboardInterrupt once what was running when the
        user stopped it is recorded, ProviderError where no node can work, and CloudBurstError when too many
        failed, unless `asked` insists.
        """
        if self._cluster is None or self._stop.level:
            raise CloudBurstError(
                "this session has ended", "open another one: `with study.session() as session:`"
            )
        with rows_in_their_place(self._study):
            points = study_of(self._study, asked)
            jobs = list(points.jobs)
        self._learn()
        again = self._failed(jobs) if asked.retry else frozenset()
        missing = self._missing(jobs, again)
        if missing:
            self._compute(_some_of(points, missing), tuple(sorted(again)), asked)
        return list(join(jobs, self._outcomes, self._study.payload.digest))

    def _outcomes(self, ids: Sequence[str]) -> dict[str, Outcome]:
        if not self._study.places.ledger.exists():
            return {}
        with Ledger.open(self._study.places.ledger, self._study.ensemble.name) as ledger:
            return ledger.outcomes(ids, self._study.payload.digest)

    def _known(self, jobs: Sequence[Job]) -> dict[str, str]:
        """How each job ended with today's code; the others are absent."""
        results = join(jobs, self._outcomes, self._study.payload.digest)
        return {one.job.id: one.status for one in results if one.status in ("done", "failed")}

    def _failed(self, jobs: Sequence[Job]) -> frozenset[str]:
        return frozenset(job for job, status in self._known(jobs).items() if status == "failed")

    def _missing(self, jobs: Sequence[Job], again: frozenset[str]) -> list[int]:
        """Which rows are to be computed, each job once."""
        known = self._known(jobs)
        first: dict[str, int] = {}
        for number, job in enumerate(jobs):
            if job.id in again or job.id not in known:
                first.setdefault(job.id, number)
        return list(first.values())

    # ── computing ────────────────────────────────────────────────────────────────────────────
    def _compute(self, points: Study, again: tuple[str, ...], asked: Asked) -> None:
        with self._waiting(self._stop):
            controller = self._ready(points)
            controller.put_study(points.frozen, points.order, retry=again or None)
            status = self._follow(controller, insist=asked.insist)
            if self._is_elsewhere:
                replica.pull(self._study, controller)
        if self._stop.level:
            raise KeyboardInterrupt
        raise_if_broken(status)
        if status["state"] == "paused":
            raise CloudBurstError(str(status["reason"]), "what was computed until then is recorded")

    def _follow(self, controller: ControllerClient, *, insist: bool) -> Status:
        """The last status. Who insists goes on where many jobs fail: that is a result, too."""
        assert self._cluster is not None  # noqa: S101 - for the type checker
        while True:
            status = follow(
                self._cluster,
                controller,
                on_event=self._on_event,
                stop=self._stop,
                write_tables=lambda: None,
                outlives_us=self._cluster.outlives_us,
                pauses=chain(FIRST_LOOKS, repeat(LOOK_EVERY)),
            )
            if status.get("state") != "paused" or self._stop.level or not insist:
                return status
            controller.resume()

    @property
    def _is_elsewhere(self) -> bool:
        return self._cluster is not None and self._cluster.outlives_us

    def _learn(self) -> None:
        """A cluster that stands may know more than this machine: it is asked once, before anything is computed."""
        if self._has_asked or self._cluster is None:
            return
        if self._is_elsewhere and self._cluster.stands():
            self._start()
        self._has_asked = True

    def _start(self) -> Endpoints:
        if self._endpoints is not None:
            return self._endpoints
        assert self._cluster is not None  # noqa: S101 - for the type checker
        self._endpoints = self._cluster.start()
        if self._is_elsewhere:
            controller = controller_of(self._endpoints)
            self._leave_alone(controller)
            replica.pull(self._study, controller)
            replica.push(self._study, controller)
        return self._endpoints

    def _leave_alone(self, controller: ControllerClient) -> None:
        """A controller computes one thing at a time. Raises StudyBusy."""
        status = controller.status()
        if status["state"] in ("starting", "running", "pausing"):
            raise StudyBusy(
                f"its machines compute {status['to_do']:,} jobs of the study {self._study.ensemble.name}",
                "`cloudburst watch` shows how far they are; wait for them, or `cloudburst cancel`",
            )

    def _ready(self, points: Study) -> ControllerClient:
        """The controller, once the file store has what these points need."""
        endpoints = self._start()
        needed = needed_files(points, None, ())
        digests = {content.digest for _, content in points.objects(needed)}
        if not digests <= self._sent:
            upload(points, files_of(endpoints), needed, self._on_event)
            self._sent |= digests
        return controller_of(endpoints)
