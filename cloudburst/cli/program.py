"""The program: its commands in a table, loaded when called, and how each kind of ending ends."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from keyword import iskeyword
from typing import Any

import click

from .. import __version__
from ..errors import CloudBurstError, UsageError
from .views.screen import ReaderGone, Screen

PROGRAM = "cloudburst"
COMPLETE_VARIABLE = "_CLOUDBURST_COMPLETE"
INTERRUPTED = 130

# What `cloudburst --help` shows. A command is the file of that name in commands/, imported when called.
COMMANDS: Mapping[str, Mapping[str, str]] = {
    "Write a study": {
        "init": "Write a commented ensemble.yaml and a worker directory that runs.",
        "validate": "Check ensemble.yaml and say every mistake with its line.",
        "schema": "Print the JSON Schema of ensemble.yaml, for editors.",
        "lock": "Pin the worker's dependencies into the lock beside ensemble.yaml.",
        "explain": "Show where every value of a row comes from.",
    },
    "Run it": {
        "plan": "Show what apply would compute. Touches nothing.",
        "probe": "Compute a few rows here, to know what the rest will take.",
        "show": "Show what a plan file says, or which plans were applied.",
        "apply": "Compute what is not computed yet, and write the table.",
        "status": "Say how far the study is.",
        "watch": "Show how it goes, until it ends.",
        "cancel": "Start no job any more; what is computed stays.",
        "open": "Open the status page, Grafana or another page in the browser.",
        "retry": "Compute failed jobs again.",
        "run-job": "Run one job here, in the foreground.",
    },
    "Share it": {
        "export": "Write the whole study, with its results, into one file.",
        "import": "Bring in a study that somebody exported, or add it to the one here.",
    },
    "See what came out": {
        "results": "Write the results as CSV, JSON lines or SQLite.",
        "failures": "List the failed jobs with their parameters.",
        "logs": "Show what one job printed and how it ended.",
    },
    "Keep house": {
        "list": "List the studies below here: how far, what runs, what is billed.",
        "destroy": "Take down what runs and remove what can be made again.",
        "orphans": "Find machines that any study left in the account.",
        "doctor": "Check that this machine has what CloudBurst needs.",
        "completion": "Print the completion script of a shell.",
    },
}


class Program(click.Group):
    """Finds its commands in COMMANDS instead of holding them."""

    def list_commands(self, _: click.Context) -> list[str]:
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__package__}.commands.{_file_of(cmd_name)}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not ctx.resilient_parsing:
            raise _no_such_command(name, self.list_commands(ctx))
        return name, command, args[1:]

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


def _file_of(command: str) -> str:
    """`run-job` is in run_job.py; what Python keeps for itself has a line behind it: import_.py."""
    name = command.replace("-", "_")
    return f"{name}_" if iskeyword(name) else name


def _no_such_command(name: str, commands: Sequence[str]) -> UsageError:
    if name.startswith("-"):
        return UsageError(f"{PROGRAM} has no option {name}", f"`{PROGRAM} --help` lists what there is")
    near = get_close_matches(name, commands, n=1)
    hint = f"did you mean `{PROGRAM} {near[0]}`?" if near else f"`{PROGRAM} --help` lists the commands"
    return UsageError(f"there is no command {name}", hint)


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"`{PROGRAM} COMMAND --help` says more. Start with `{PROGRAM} init`.",
)
@click.version_option(__version__, prog_name=PROGRAM)
@click.pass_context
def program(context: click.Context) -> None:
    """One file says a whole simulation study; plan shows it, apply makes it so."""
    if context.invoked_subcommand is None:
        context.obj.say(context.get_help())


# ── how it ends ──────────────────────────────────────────────────────────────────────────────
def run(argv: Sequence[str] | None = None) -> int:
    """One command; the exit code of docs/commands.md. Nothing leaves here as an exception."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if COMPLETE_VARIABLE in os.environ:
        return _complete(os.environ[COMPLETE_VARIABLE])
    screen = Screen(sys.stdout, sys.stderr, as_json=_asks_json(arguments))
    try:
        code = _invoke(arguments, screen)
        screen.flush()
    except ReaderGone:
        code = 0
    except BrokenPipeError as error:  # the same, where click wrote (help); or a bug, on any other pipe
        code = 0 if screen.reader_is_gone() else _bug(error, screen)
    except (KeyboardInterrupt, click.Abort):
        code = INTERRUPTED
    except CloudBurstError as error:
        code = _mistake(error, screen)
    except click.ClickException as error:
        code = _mistake(_in_our_words(error), screen)
    except Exception as error:
        code = _bug(error, screen)
    screen.hang_up()
    return code


def _asks_json(arguments: Sequence[str]) -> bool:
    """Before anything is parsed: a wrong command line is answered in JSON too."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def _invoke(arguments: list[str], screen: Screen) -> int:
    try:
        with program.make_context(PROGRAM, arguments, obj=screen) as context:
            ended: Any = program.invoke(context)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    return ended if isinstance(ended, int) else 0


def _in_our_words(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else PROGRAM
    if isinstance(error, click.NoSuchOption):
        near = error.possibilities
        hint = f"did you mean {near[0]}?" if near else f"`{where} --help` lists its options"
        return UsageError(f"{where} has no option {error.option_name}", hint)
    message = error.format_message().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], f"`{where} --help` says what it takes")


def _mistake(error: CloudBurstError, screen: Screen) -> int:
    from .views import mistakes

    with contextlib.suppress(ReaderGone):
        mistakes.show(error, screen)
    return error.exit_code


def _bug(error: Exception, screen: Screen) -> int:
    from .views import mistakes

    with contextlib.suppress(ReaderGone):
        mistakes.show_bug(error, screen)
    return 1


def _complete(instruction: str) -> int:
    """The shell asks what could come next (`cloudburst completion` prints the script that asks)."""
    from click.shell_completion import shell_complete

    return shell_complete(program, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
