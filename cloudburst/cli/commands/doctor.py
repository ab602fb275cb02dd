"""`cloudburst doctor`: whether this machine has what CloudBurst needs."""

from __future__ import annotations

from pathlib import Path

import click

from .. import checkup
from ..arguments import DEFAULT_FILE, json_option, pass_screen, study_argument, study_file
from ..views import findings
from ..views.screen import Screen


@click.command()
@study_argument
@json_option
@pass_screen
def command(screen: Screen, file: Path) -> int:
    """Look at this machine, and at the study when there is one: a line each, with a way out.

    Exit code 1 when something would keep a study from running.
    """
    given = str(file) != DEFAULT_FILE
    study = study_file(file) if given or file.is_file() else None
    found = []
    for finding in checkup.look(study):
        found.append(finding)
        screen.say(findings.line(finding.to_json(), screen.paint))
    problems = sum(finding.state == "problem" for finding in found)
    screen.document({"problems": problems, "findings": [finding.to_json() for finding in found]})
    screen.say(findings.closing(problems))
    return 1 if problems else 0
