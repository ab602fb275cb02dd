"""Taking a study down: ends what still runs of it, and removes what can be made again.

What is computed (the ledger, series, returned files) stays, unless it is asked for too. From a swarm it
is fetched first, and then nothing of the study is left there (dismantle.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from ..errors import CloudBurstError, ControllerError, FileStoreError, ProviderError, Unreachable
from ..spec.ensemble import Ensemble, InfluxSink, TableSink
from . import run_lock
from .events import OnEvent, StopSignal
from .observe import Study
from .places import Places, find_runtime_directory
from .safekeeping import fetch_everything

if TYPE_CHECKING:
    from .dismantle import Dismantled, Remains
    from .giving_back import RentedAfar
    from .swarm import Swarm

Depth = Literal["keep", "discard", "purge"]
"""`keep` what is computed; `discard` it; `purge` the tables and files written from it as well."""


@dataclass(frozen=True)
class Removal:
    """One thing that goes. `size` in bytes; `computed` when it cannot be made again without computing."""

    path: Path
    what: str
    size: int
    computed: bool


def plan_removal(ensemble: Ensemble, places: Places, depth: Depth) -> tuple[Removal, ...]:
    """What `destroy` would remove; only what is there. Touches nothing."""
    listed = (*_made_again(ensemble, places), *(_computed(ensemble, places, depth)))
    return tuple(
        Removal(path, what, _size(path), computed) for path, what, computed in listed if _exists(path)
    )


def _made_again(ensemble: Ensemble, places: Places) -> Iterator[tuple[Path, str, bool]]:
    yield places.queue, "the queue's memory", False
    yield places.logs, "logs of the parts", False
    yield from _credentials(ensemble, places)
    yield places.files / "payload", "packed code and inputs", False
    yield places.root / "study.json", "what the controller was told", False
    runtime = find_runtime_directory(places.root)
    if runtime is not None:
        yield runtime, "sockets", False


def _credentials(ensemble: Ensemble, places: Places) -> Iterator[tuple[Path, str, bool]]:
    """The keys of rented machines stay for as long as those may stand: with `--local` nobody looked."""
    machines = places.secrets / "machines"
    if ensemble.cluster.is_rented:
        yield places.root / "rentals.json", "what its machines have cost", False
    if ensemble.cluster.is_rented or not machines.exists():
        yield places.secrets, "credentials", False
        return
    for one in sorted(places.secrets.iterdir()):
        if one != machines:
            yield one, "credentials", False


def _computed(ensemble: Ensemble, places: Places, depth: Depth) -> Iterator[tuple[Path, str, bool]]:
    if depth == "keep":
        return
    for suffix in ("", "-wal", "-shm"):
        yield places.ledger.with_name(places.ledger.name + suffix), "the ledger: every recorded outcome", True
    yield places.files, "series and files that jobs returned", True
    yield places.plans, "the plans that were applied", True
    if depth == "purge":
        for sink in ensemble.results:
            if not isinstance(sink, InfluxSink):
                what = "a table" if isinstance(sink, TableSink) else "files written from the store"
                yield places.spec.parent / sink.written, what, True


def destroy(ensemble: Ensemble, places: Places, depth: Depth) -> tuple[Removal, ...]:
    """Do it; what was removed. Raises StudyBusy while somebody works on the study."""
    if not places.root.is_dir():
        removals = plan_removal(ensemble, places, depth)
        for removal in removals:
            _remove(removal.path)
        return removals
    with run_lock.hold(places.lock, study=ensemble.name):
        removals = plan_removal(ensemble, places, depth)
        for removal in removals:
            _remove(removal.path)
        if depth != "keep":
            places.lock.unlink(missing_ok=True)
    _drop_if_empty(places.files, places.root)
    return removals


# ── elsewhere ──
class Kinds(Protocol):
    """Names of things by kind: `("service", ("cb-waves_queue", …))`."""

    def by_kind(self) -> Iterator[tuple[str, tuple[str, ...]]]: ...


class Taken(Protocol):
    """`removed` is what is gone; `kept` says, in sentences, what was left on purpose."""

    @property
    def removed(self) -> Kinds: ...
    @property
    def kept(self) -> tuple[str, ...]: ...


class StandingAfar(Protocol):
    """What of a study is on other machines. Good inside the `with` of `standing_afar`."""

    @property
    def where(self) -> str: ...
    @property
    def remains(self) -> Kinds: ...
    def take_down(self, study: Study | None, on_event: OnEvent) -> Taken:
        """Remove it, once what is computed there is here: `study` None means that nobody wants it."""
        ...


# ── on a swarm ───────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Afar:
    """What of a study is on its swarm, reached. Good inside the `with` of `standing_afar`.

    `_dissolve` takes the swarm itself apart, where it was made for the study, and says what was left.
    """

    where: str
    remains: Remains
    _swarm: Swarm
    _places: Places
    _dissolve: Callable[[OnEvent], tuple[str, ...]] | None = None

    def take_down(self, study: Study | None, on_event: OnEvent) -> Dismantled:
        """Remove it, once what is computed there is here: `study` None means that nobody wants it.

        Raises StudyBusy, and ProviderError when results cannot be fetched (nothing is removed then) or
        something could not be removed.
        """
        from .dismantle import Dismantled

        self._places.root.mkdir(parents=True, exist_ok=True)
        with run_lock.hold(self._places.lock, study=self._places.study):
            kept = self._take_down_stack(study, on_event)
            if self._dissolve is not None:
                kept += self._dissolve(on_event)
            return Dismantled(self.remains, kept)

    def _take_down_stack(self, study: Study | None, on_event: OnEvent) -> tuple[str, ...]:
        """What was left, in sentences."""
        from .dismantle import dismantle

        if not self.remains.of_stack:
            return ()
        if study is not None:
            self._bring_home(study, on_event)
        return dismantle(self._swarm, self._places.study, on_event).kept

    def _bring_home(self, study: Study, on_event: OnEvent) -> None:
        from .providers.swarm import connect

        try:
            there = connect(self._swarm, self._places.study, self._places)
            if there is not None:
                fetch_everything(study, there, on_event)
            elif self.remains.volumes:
                raise ProviderError("its controller does not stand")
        except (ControllerError, FileStoreError, ProviderError) as error:
            raise ProviderError(
                f"what {self._places.study} has computed cannot be fetched from {self.where}: {error.message}",
                "`cloudburst apply` mends the stack; `cloudburst destroy --discard` gives its results up",
            ) from error


@contextmanager
def standing_afar(ensemble: Ensemble, places: Places) -> Iterator[StandingAfar | None]:
    """None for a study of this machine, and where nothing of it is left. Raises ProviderError, Unreachable
    when there is no way to the machine now."""
    if ensemble.cluster.provider == "local":
        yield None
        return
    try:
        with _FIND[ensemble.cluster.provider](ensemble, places) as afar:
            yield afar
    except Unreachable as error:
        raise Unreachable(
            error.message,
            "when those machines are gone for good, `cloudburst destroy --local` removes what is here",
        ) from error


@contextmanager
def _on_swarm(ensemble: Ensemble, places: Places) -> Iterator[Afar | None]:
    from . import rollout
    from .contexts import find_docker
    from .dismantle import survey
    from .providers.swarm import PATIENCE, managed

    with managed(find_docker(ensemble.cluster.options), places, patience=PATIENCE) as swarm:
        rollout.check(swarm)
        remains = survey(swarm, ensemble.name)
        yield Afar(swarm.link.where, remains, swarm, places) if remains else None


@contextmanager
def _on_hosts(ensemble: Ensemble, places: Places) -> Iterator[Afar | None]:
    """The stack, and the swarm that was made for it."""
    from .dismantle import Remains, survey
    from .providers.ssh import reached_hosts

    with reached_hosts(ensemble, places, StopSignal()) as hosts:
        swarm = hosts.manager
        remains = survey(swarm, ensemble.name) if swarm.standing().manages else Remains()
        remains = replace(remains, swarms=hosts.swarm_of_study())
        dissolve = hosts.dissolve
        yield Afar(swarm.link.where, remains, swarm, places, dissolve) if remains else None


@contextmanager
def _rented(ensemble: Ensemble, places: Places) -> Iterator[RentedAfar | None]:
    """All that the study has in the account, its machines among it."""
    from .giving_back import rented_afar

    with rented_afar(ensemble, places) as afar:
        yield afar


_FIND: dict[str, Callable[[Ensemble, Places], AbstractContextManager[StandingAfar | None]]] = {
    "swarm": _on_swarm,
    "ssh": _on_hosts,
    "digitalocean": _rented,
}


# ── here ─────────────────────────────────────────────────────────────────────────────────────
def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise CloudBurstError(
            f"cannot remove {error.filename or path}: {(error.strerror or str(error)).lower()}"
        ) from error


def _drop_if_empty(*directories: Path) -> None:
    for directory in directories:
        if directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir())
    return path.lstat().st_size
