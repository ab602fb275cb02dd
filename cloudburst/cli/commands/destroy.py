"""`cloudburst destroy`: take down what is left of a study; keeps its results unless told otherwise."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import UsageError
from ..arguments import json_option, pass_screen, study_argument, study_file
from ..views.screen import Screen


@click.command()
@study_argument
@click.option("--discard", is_flag=True, help="What is computed too: the ledger, series and returned files.")
@click.option("--purge", is_flag=True, help="All of that, and the tables and files written from it.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@pass_screen
def command(screen: Screen, file: Path, discard: bool, purge: bool, yes: bool) -> int:
    """Remove what can be made again: queue, logs, credentials, packed code. Keeps what is computed.

    Your ensemble file, your code and the lock are never touched.
    """
    from ...errors import SpecError
    from ...run.destroy import Depth, destroy, plan_removal
    from ...run.places import places
    from ...spec import load
    from ..views import removals

    loaded = load(study_file(file))
    if loaded.ensemble is None:
        raise SpecError(loaded.diagnostics)
    place = places(file, loaded.ensemble.name)
    depth: Depth = "purge" if purge else "discard" if discard else "keep"
    planned = plan_removal(loaded.ensemble, place, depth)
    if planned and not yes:
        for line in removals.lines(planned, "would remove"):
            screen.note(line)
        if not _agreed(screen):
            screen.note("nothing was removed")
            return 1
    removed = destroy(loaded.ensemble, place, depth)
    screen.document(
        {"study": loaded.ensemble.name, "removed": [removals.to_json(removal) for removal in removed]}
    )
    for line in removals.lines(removed, "removed"):
        screen.say(line)
    if depth == "keep" and place.ledger.exists():
        screen.say(
            "what is computed is kept: `cloudburst results` shows it, `cloudburst apply` goes on from it"
        )
    return 0


def _agreed(screen: Screen) -> bool:
    if screen.as_json or not screen.can_ask:
        raise UsageError("destroy asks first, and there is nobody to ask", "give --yes")
    return screen.ask("Remove that?")
