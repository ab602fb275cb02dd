"""`cloudburst watch`: look on while the study is computed, from any terminal and any machine."""

from __future__ import annotations

from pathlib import Path

import click

from ..arguments import json_option, pass_screen, study_argument
from ..views.screen import Screen


@click.command()
@study_argument
@json_option
@pass_screen
def command(screen: Screen, file: Path) -> int:
    """Show how the study goes until it ends: progress, nodes, failures, what is wrong.

    Ctrl-C ends the watching and nothing else. Exit code 4 when jobs failed, 1 when it stands still.
    """
    from ..reach import brought_home
    from ..standing import standing
    from ..study import after_command, open_study
    from ..views import status
    from ..views.watch import window
    from ..watching import exit_code, until_ctrl_c, watch

    study = open_study(screen, file)
    with until_ctrl_c() as ended, window(screen, after_command(file)) as shown:
        watch(study, shown.show, shown.say, ended)
    if ended.is_set():
        screen.note("the study goes on; `cloudburst watch` comes back")
        return exit_code(None)
    with brought_home(study, screen) as way:
        document = standing(study, way)
    screen.data({"event": "standing", **document})
    for line in status.lines(document, width=screen.width, paint=screen.paint):
        screen.say(line)
    return exit_code(document)
