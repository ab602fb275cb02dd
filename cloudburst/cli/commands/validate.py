"""`cloudburst validate`: every mistake at once, each with its line."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..arguments import json_option, pass_screen, study_argument, study_file
from ..views.screen import Screen


@click.command()
@study_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(("human", "github")),
    help="github: annotations beside the lines (chosen by itself in GitHub Actions).",
)
@json_option
@pass_screen
def command(screen: Screen, file: Path, form: str | None) -> int:
    """Check the file, the worker directory and how they fit together. Computes and writes nothing.

    Exit code 2 when there is an error; warnings alone are 0.
    """
    from ...diagnostics import has_errors
    from ...run.observe import diagnose
    from ..views import diagnostics as view

    found = diagnose(study_file(file))
    forms = [diagnostic.to_json() for diagnostic in found]
    if screen.as_json:
        screen.document(view.document(forms))
    elif (form or _default_form()) == "github":
        if forms:
            screen.say(view.github(forms))
    elif forms:
        screen.say(view.render_all(forms, paint=screen.paint, width=screen.width))
    else:
        screen.say(screen.paint.green(f"{file}: no mistakes found"))
    return 2 if has_errors(found) else 0


def _default_form() -> str:
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "human"
