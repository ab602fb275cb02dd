"""`cloudburst validate`: every mistake at once, each with its line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..arguments import json_option, pass_screen, studies_argument, study_file
from ..views.screen import Screen


@click.command()
@studies_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(("human", "github")),
    help="github: annotations beside the lines (chosen by itself in GitHub Actions).",
)
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@json_option
@pass_screen
def command(screen: Screen, files: tuple[Path, ...], form: str | None, strict: bool) -> int:
    """Check each file, its worker directory and how they fit together. Computes and writes nothing.

    Exit code 2 when there is an error; warnings alone are 0, unless --strict.
    """
    from ...run.observe import diagnose
    from ..views import diagnostics as view

    studies = [study_file(file) for file in files]
    found = {file: [diagnostic.to_json() for diagnostic in diagnose(file)] for file in studies}
    forms = [one for of_one in found.values() for one in of_one]
    valid = view.valid(forms, strict=strict)
    if screen.as_json:
        screen.document(view.document(forms, strict=strict))
    elif (form or _default_form()) == "github":
        if forms:
            screen.say(view.github(_from_the_root(forms)))
    else:
        for file in (file for file, of_one in found.items() if not of_one):
            screen.say(screen.paint.green(f"{file}: no mistakes found"))
        if forms:
            screen.say(view.render_all(forms, paint=screen.paint, width=screen.width))
    return 0 if valid else 2


def _default_form() -> str:
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "human"


def _from_the_root(forms: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """With files as GitHub names them: from the root of the repository, wherever the command was called."""
    root = os.environ.get("GITHUB_WORKSPACE")
    return [one | {"file": _below(root, one["file"])} if root else one for one in forms]


def _below(root: str, file: str) -> str:
    absolute = Path(os.path.abspath(file))
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else file
