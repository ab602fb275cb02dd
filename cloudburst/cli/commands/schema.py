"""`cloudburst schema`: the JSON Schema of ensemble.yaml and of everything `--json` prints."""

from __future__ import annotations

from difflib import get_close_matches

import click

from ... import assets
from ...errors import UsageError
from ..arguments import json_option, pass_screen
from ..views.screen import Screen


@click.command()
@click.argument("name", default="ensemble", metavar="[NAME]")
@click.option("--path", is_flag=True, help="Print where the file is instead of what is in it.")
@json_option
@pass_screen
def command(screen: Screen, name: str, path: bool) -> None:
    """Print the schema NAME (default: ensemble, what may stand in ensemble.yaml).

    The others describe what `--json` prints and what the programs tell each other: plan, status,
    row and so on.
    """
    file = assets.schema(name)
    if not file.is_file():
        names = sorted(p.name.removesuffix(".schema.json") for p in file.parent.glob("*.schema.json"))
        near = get_close_matches(name, names, n=1)
        raise UsageError(
            f"there is no schema {name}",
            f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}",
        )
    if path:
        screen.data({"path": str(file)})
        screen.say(str(file))
    else:
        screen.raw(file.read_text("utf-8").rstrip("\n") + "\n")
