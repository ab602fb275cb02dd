"""`cloudburst lock`: pin the worker's dependencies."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, pass_screen, study_argument
from ..views.screen import Screen

NOTHING = "no requirements found in the worker directory"


@click.command()
@study_argument
@json_option
@pass_screen
def command(screen: Screen, file: Path) -> None:
    """Pin exact versions of what the worker needs, with hashes, into the lock beside FILE.

    `apply` does it by itself when the lock is missing or older than what it was made from. Give
    the lock to git: the same versions are then used everywhere, and next year.
    """
    from ...run.locking import make_lock
    from ..study import open_study
    from ..views.words import count

    study = open_study(screen, file, need_payload=False)
    worker, places = study.ensemble.worker, study.places
    directory = places.spec.parent / worker.directory
    lock = make_lock(directory, worker.entrypoint, worker.python, places.lock_file, say=screen.note)
    target = file.with_name(places.lock_file.name)
    screen.document(
        {
            "lock": str(target),
            "python": lock.python,
            "made_from": lock.made_from,
            "packages": list(lock.packages),
        }
    )
    what = (
        f"{count(len(lock.packages), 'package')} for what {lock.made_from} asks"
        if lock.made_from
        else NOTHING
    )
    screen.say(f"wrote {target}: Python {lock.python}, {what}")
