"""`cloudburst init`: a commented ensemble.yaml and a worker directory that runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ...errors import CloudBurstError, UsageError
from .. import starter
from ..arguments import json_option, pass_screen
from ..views.screen import Screen


@click.command()
@click.argument("directory", default=".", metavar="[DIR]", type=click.Path(path_type=Path))
@json_option
@pass_screen
def command(screen: Screen, directory: Path) -> None:
    """Write a study that runs as it is into DIR (default: here).

    An ensemble.yaml whose comments say what can stand in it, and a worker directory with a small
    function of the standard library. Files that are there already are never overwritten.
    """
    study = starter.study_name(directory.resolve().name)
    files = {directory / path: text for path, text in starter.files(study).items()}
    there = [path for path in files if path.exists()]
    if there:
        raise UsageError(
            f"{there[0]} is there already, and nothing was written",
            "`cloudburst init NEW_DIR` starts a study elsewhere",
        )
    _write(files)
    screen.document({"study": study, "files": [str(path) for path in files]})
    for path in files:
        screen.say(f"wrote {path}")
    away = "" if directory.resolve() == Path.cwd() else f"cd {shlex.quote(str(directory))} && "
    screen.say(f"\nNext: {away}cloudburst plan")


def _write(files: dict[Path, str]) -> None:
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise CloudBurstError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
