"""`cloudburst destroy`: take down what is left of a study; keeps its results unless told otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from ...run.events import Event
from ..arguments import json_option, local_option, pass_screen, study_argument, study_file, yes_option
from ..views.screen import Screen

if TYPE_CHECKING:
    from ...run.destroy import Removal, StandingAfar

SOMETHING_LEFT = 1


@click.command()
@study_argument
@click.option("--discard", is_flag=True, help="What is computed too: the ledger, series and returned files.")
@click.option("--purge", is_flag=True, help="All of that, and the tables and files written from it.")
@click.option("--snapshots", is_flag=True, help="Of rented machines: the snapshots made of them, too.")
@yes_option
@local_option
@json_option
@pass_screen
def command(
    screen: Screen, file: Path, discard: bool, purge: bool, snapshots: bool, yes: bool, local: bool
) -> int:
    """Remove what can be made again: queue, logs, credentials, packed code. Keeps what is computed.

    From a swarm what is computed is fetched first (not with --discard), and then all of the study is removed there.
    Rented machines are given back with everything that was made for them, until nothing is left: exit code 1, with
    ids and prices, when something is. With --local its machines are left alone, and rented ones are billed on.
    Your ensemble file, your code and the lock are never touched.
    """
    from ...errors import SpecError
    from ...run.destroy import Depth, destroy, plan_removal, standing_afar
    from ...run.places import places
    from ...spec import load
    from ..giving_back import estate_of, take_down
    from ..study import open_study
    from ..views import removals
    from ..views.telling import telling

    loaded = load(study_file(file), local=local, looking=True)
    if loaded.ensemble is None:
        raise SpecError(loaded.diagnostics)
    place = places(file, loaded.ensemble.name)
    depth: Depth = "purge" if purge else "discard" if discard else "keep"
    cluster = loaded.ensemble.cluster
    if snapshots and not cluster.is_rented:
        raise UsageError("--snapshots is about rented machines", "this study rents none")
    planned = plan_removal(loaded.ensemble, place, depth)
    with standing_afar(loaded.ensemble, place) as afar:
        if (planned or afar) and not yes:
            estate = estate_of(cluster, afar) if afar else None
            for line in _shown(screen, planned, afar, estate):
                screen.note(line)
            if not _agreed(screen):
                screen.note("nothing was removed")
                return 1
        taken = left = None
        if afar is not None:
            study = open_study(screen, file) if depth == "keep" else None
            with telling(screen) as teller:
                on_event = _to_nobody if screen.as_json else teller.tell
                taken, left = take_down(cluster, afar, study, on_event, snapshots=snapshots)
    if left is not None:
        return _tell_what_is_left(screen, left)
    removed = destroy(loaded.ensemble, place, depth)
    screen.document(
        {
            "study": loaded.ensemble.name,
            "removed": [removals.to_json(removal) for removal in removed],
            "swarm": removals.afar_to_json(afar, taken) if afar and taken else None,
            "left": None,
        }
    )
    for line in removals.lines(removed, "removed", afar):
        screen.say(line)
    for kept in taken.kept if taken else ():
        screen.say(f"left: {kept}")
    if depth == "keep" and place.ledger.exists():
        screen.say(
            "what is computed is kept: `cloudburst results` shows it, `cloudburst apply` goes on from it"
        )
    return 0


def _shown(
    screen: Screen, planned: Sequence[Removal], afar: StandingAfar | None, estate: dict[str, Any] | None
) -> Iterator[str]:
    """What would be removed; rented machines one by one, with what they cost."""
    from ..views import orphans, removals

    yield from removals.lines(planned, "would remove", afar)
    if estate is not None:
        yield from orphans.of_study(estate, time.time(), width=screen.width, paint=screen.error_paint)


def _tell_what_is_left(screen: Screen, left: dict[str, Any]) -> int:
    """Nothing on this machine is removed then: what it takes to come back is among it."""
    from ..views import orphans

    study = left["left"]["study"]
    screen.document({"study": study, "removed": [], "swarm": None, "left": left})
    for line in orphans.left_lines(left, screen.error_paint):
        screen.note(line)
    screen.note("`cloudburst destroy` tries again; what is computed is kept")
    return SOMETHING_LEFT


def _to_nobody(_event: Event) -> None:
    """With --json the answer is one document."""


def _agreed(screen: Screen) -> bool:
    if screen.as_json or not screen.can_ask:
        raise UsageError("destroy asks first, and there is nobody to ask", "give --yes")
    return screen.ask("Remove that?")
