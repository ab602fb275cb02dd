"""`cloudburst completion SHELL`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ..arguments import json_option, pass_screen
from ..program import COMPLETE_VARIABLE, PROGRAM, program
from ..views.screen import Screen

WHERE = {
    "bash": 'eval "$(cloudburst completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(cloudburst completion zsh)"   in ~/.zshrc',
    "fish": "cloudburst completion fish > ~/.config/fish/completions/cloudburst.fish",
}


@click.command(epilog="\b\n" + "\n".join(f"{shell}: {line}" for shell, line in WHERE.items()))
@click.argument("shell", type=click.Choice(tuple(WHERE)))
@json_option
@pass_screen
def command(screen: Screen, shell: str) -> None:
    """Print the completion script of SHELL."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.BadParameter(f"this version of click completes nothing in {shell}")
    script = kind(program, {}, PROGRAM, COMPLETE_VARIABLE).source()
    screen.data({"shell": shell, "script": script})
    screen.say(script)
