"""`cloudburst status`: how far the study is, whether anything runs or not."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, pass_screen, study_argument
from ..views.screen import Screen


@click.command()
@study_argument
@json_option
@pass_screen
def command(screen: Screen, file: Path) -> None:
    """Say how far the study is: what runs now, and what is recorded.

    Of a study on a swarm what was computed there is recorded here first; else nothing is touched.
    """
    from ..reach import brought_home
    from ..standing import standing
    from ..study import open_study
    from ..views import status

    study = open_study(screen, file)
    with brought_home(study, screen) as way:
        document = standing(study, way)
    screen.document(document)
    for line in status.lines(document, width=screen.width, paint=screen.paint):
        screen.say(line)
