"""`cloudburst destroy`: take down what is left of a study; keeps its results unless told otherwise."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import UsageError
from ...run.events import Event
from ..arguments import json_option, local_option, pass_screen, study_argument, study_file
from ..views.screen import Screen


@click.command()
@study_argument
@click.option("--discard", is_flag=True, help="What is computed too: the ledger, series and returned files.")
@click.option("--purge", is_flag=True, help="All of that, and the tables and files written from it.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@local_option
@json_option
@pass_screen
def command(screen: Screen, file: Path, discard: bool, purge: bool, yes: bool, local: bool) -> int:
    """Remove what can be made again: queue, logs, credentials, packed code. Keeps what is computed.

    From a swarm what is computed is fetched first (not with --discard), and then all of the study is removed there.
    With --local its machines are left alone. Your ensemble file, your code and the lock are never touched.
    """
    from ...errors import SpecError
    from ...run.destroy import Depth, destroy, plan_removal, standing_afar
    from ...run.places import places
    from ...spec import load
    from ..study import open_study
    from ..views import removals
    from ..views.telling import telling

    loaded = load(study_file(file), local=local, looking=True)
    if loaded.ensemble is None:
        raise SpecError(loaded.diagnostics)
    place = places(file, loaded.ensemble.name)
    depth: Depth = "purge" if purge else "discard" if discard else "keep"
    planned = plan_removal(loaded.ensemble, place, depth)
    with standing_afar(loaded.ensemble, place) as afar:
        if (planned or afar) and not yes:
            for line in removals.lines(planned, "would remove", afar):
                screen.note(line)
            if not _agreed(screen):
                screen.note("nothing was removed")
                return 1
        taken = None
        if afar is not None:
            study = open_study(screen, file) if depth == "keep" else None
            with telling(screen) as teller:
                taken = afar.take_down(study, _to_nobody if screen.as_json else teller.tell)
    removed = destroy(loaded.ensemble, place, depth)
    screen.document(
        {
            "study": loaded.ensemble.name,
            "removed": [removals.to_json(removal) for removal in removed],
            "swarm": removals.afar_to_json(afar, taken) if afar and taken else None,
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


def _to_nobody(_event: Event) -> None:
    """With --json the answer is one document."""


def _agreed(screen: Screen) -> bool:
    if screen.as_json or not screen.can_ask:
        raise UsageError("destroy asks first, and there is nobody to ask", "give --yes")
    return screen.ask("Remove that?")
