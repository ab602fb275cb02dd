"""The way from a command to whoever computes the study now: a controller on this machine, or a swarm's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import CloudBurstError, ControllerError, ProviderError
from ..run import run_lock, secrets
from ..run.controller_client import ControllerClient
from ..run.observe import Study
from ..run.places import find_runtime_directory
from ..run.replica import pull
from .views.screen import Screen

if TYPE_CHECKING:
    from ..run.file_store import FileStore

PATIENCE = 5.0
"""Seconds a controller has to answer; it does so in milliseconds, or is just starting or ending."""


@dataclass(frozen=True)
class Way:
    """`controller` is None while nobody computes the study. For a swarm `files` is its file store and
    `where` its machine, as people know it; `away` says why there is no way to it now."""

    controller: ControllerClient | None = None
    files: FileStore | None = None
    where: str = ""
    away: str = ""


@contextmanager
def reached(study: Study) -> Iterator[Way]:
    """Good inside the `with`. Machines that cannot be reached are no error: see `away`."""
    if study.ensemble.cluster.provider == "local":
        yield Way(_local_controller(study))
        return
    with ExitStack() as held:
        yield _swarm(study, held)


@contextmanager
def brought_home(study: Study, screen: Screen) -> Iterator[Way]:
    """As `reached`, once what a swarm has computed is recorded here; a note says when it is not."""
    with reached(study) as way:
        if way.where and way.controller:
            way = _brought(study, way)
        if way.away:
            screen.note(f"{way.away}; this is what this machine has")
        yield way


def _local_controller(study: Study) -> ControllerClient | None:
    if run_lock.current_holder(study.places.lock) is None:
        return None
    directory = find_runtime_directory(study.places.root)
    try:
        token = secrets.read(study.places.secrets, secrets.API_TOKEN)
    except CloudBurstError:  # it is only just starting
        return None
    return (
        ControllerClient(f"unix:{directory}/controller.sock", token, timeout=PATIENCE) if directory else None
    )


def _swarm(study: Study, held: ExitStack) -> Way:
    from ..run.clusters import connected

    try:
        found = held.enter_context(connected(study))
    except ProviderError as error:
        what = "its machines" if study.ensemble.cluster.is_rented else "the swarm"
        return Way(away=f"{what} cannot be reached: {error.message}")
    return Way(found.controller, found.files, found.where) if found else Way()


def _brought(study: Study, way: Way) -> Way:
    assert way.controller is not None  # noqa: S101 - for the type checker
    try:
        pull(study, way.controller)
    except (ControllerError, ProviderError) as error:
        return replace(way, away=error.message)
    return way


def fetched(study: Study, way: Way, screen: Screen) -> None:
    """Series and files that are only on the machines come here; a note says when they cannot."""
    if way.files is None or way.away:
        return
    from ..run.objects import fetch_objects

    try:
        fetch_objects(study, way.files)
    except CloudBurstError as error:
        screen.note(f"series and files are not all here: {error.message}")


def make_safe(study: Study, way: Way, screen: Screen) -> None:
    """Of rented machines everything is fetched, and they are told so: then they need not wait for it any more."""
    if not study.ensemble.cluster.is_rented or way.controller is None or way.files is None or way.away:
        return
    from ..run import safekeeping

    try:
        safekeeping.make_safe(study, way.controller, way.files)
    except CloudBurstError as error:
        screen.note(f"series and files are not all here yet: {error.message}")
