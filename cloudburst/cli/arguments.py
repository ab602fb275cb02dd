"""What commands take: the study, `--json`, rows and jobs; one spelling for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import UsageError
from .views.screen import Screen

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_FILE = "ensemble.yaml"

SOMETHING_TO_DO = 3
"""The exit code of `plan --detailed-exitcode`."""

pass_screen = click.make_pass_decorator(Screen)


def json_option(command: F) -> F:
    """`--json`. The program has seen it already (program.py), since errors have to obey it too."""
    return click.option("--json", is_flag=True, expose_value=False, help="Answer in JSON.")(command)


def local_option(command: F) -> F:
    """`--local`, as the parameter `local`."""
    return click.option("--local", is_flag=True, help="On this machine, whatever machines the file names.")(
        command
    )


def yes_option(command: F) -> F:
    """`--yes`, as the parameter `yes`."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)


def keep_stale_option(command: F) -> F:
    """`--keep-stale`, as the parameter `keep_stale`."""
    return click.option(
        "--keep-stale",
        is_flag=True,
        help="Keep results of other worker code instead of computing them again.",
    )(command)


def study_argument(command: F) -> F:
    """`[FILE]`, as the parameter `file`."""
    return click.argument("file", default=DEFAULT_FILE, type=click.Path(path_type=Path))(command)


def studies_argument(command: F) -> F:
    """`[FILE]…`, as the parameter `files`: at least one."""
    return click.argument(
        "files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path), callback=_or_the_default
    )(command)


def _or_the_default(
    _context: click.Context, _argument: click.Parameter, files: tuple[Path, ...]
) -> tuple[Path, ...]:
    """Each once, in the order given."""
    return tuple(dict.fromkeys(files)) or (Path(DEFAULT_FILE),)


def study_option(command: F) -> F:
    """`-f FILE`, as the parameter `file`, for commands whose argument is a JOB."""
    return click.option(
        "-f",
        "--file",
        default=DEFAULT_FILE,
        show_default=True,
        type=click.Path(path_type=Path),
        help="The study.",
    )(command)


def study_file(file: Path) -> Path:
    """The file if it is there. Raises UsageError with what to do when it is not."""
    if file.is_file():
        return file
    if file.is_dir():
        inside = file / DEFAULT_FILE
        hint = f"did you mean {inside}?" if inside.is_file() else f"there is no {DEFAULT_FILE} in it"
        raise UsageError(f"{file} is a directory", hint)
    if str(file) == DEFAULT_FILE:
        raise UsageError(
            f"there is no {DEFAULT_FILE} here",
            "`cloudburst init` writes one; or say which file, as the last argument",
        )
    raise UsageError(f"there is no file {file}", _near(file))


def _near(file: Path) -> str:
    try:
        others = sorted(p.name for p in file.parent.iterdir() if p.suffix in (".yaml", ".yml"))
    except OSError:
        return f"there is no directory {file.parent} either"
    near = get_close_matches(file.name, others, n=1)
    if near:
        return f"did you mean {file.parent / near[0]}?"
    return (
        f"{file.parent.resolve()} has {', '.join(others)}" if others else "`cloudburst init` writes a study"
    )


_ROWS = re.compile(r"(\d*)(:?)(\d*)").fullmatch


def _rows(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> tuple[int, int | None] | None:
    """`A:B`, rows A up to, not including, B; either may be left out, and `7` is row 7 alone."""
    if text is None:
        return None
    found = _ROWS(text)
    if found is None or not text:
        raise click.BadParameter(
            f"{text!r} is not a range of rows; write 0:3 for the first three, or 17 for one"
        )
    first, colon, last = found.groups()
    start = int(first or 0)
    stop = (int(last) if last else None) if colon else start + 1
    if stop is not None and stop <= start:
        raise click.BadParameter(f"{text!r} has no rows in it; the second number is the first row left out")
    return start, stop


def rows_option(command: F) -> F:
    """`--rows A:B`, as the parameter `rows`: (first, one past the last or None), or None."""
    return click.option(
        "--rows",
        callback=_rows,
        metavar="A:B",
        help="Only these rows of the plan, from 0: 0:3 is the first three.",
    )(command)


def where_option(command: F) -> F:
    """`--where EXPR`, as the parameter `where`: an expression over a row, as text, or None."""
    return click.option(
        "--where", metavar="EXPR", help="Only where this holds: \"demand > 1 and pump == 'P3'\"."
    )(command)


KINDS = ("error", "crash", "timeout", "memory", "lost")
"""How a job can fail, as schemas/row.schema.json says."""


@dataclass(frozen=True)
class Asked:
    """Which of the failed jobs are meant, as it was written; without a study it means nothing yet."""

    rows: tuple[int, int | None] | None = None
    where: str | None = None
    kinds: tuple[str, ...] = ()
    error: str = ""

    @property
    def anything(self) -> bool:
        return self != Asked()


def choice_options(command: F) -> F:
    """`--rows --where --kind --error`, which failed jobs are meant, together as the parameter `asked`."""

    @wraps(command)
    def packed(*arguments: Any, rows: Any, where: Any, kinds: Any, error: Any, **others: Any) -> Any:
        return command(*arguments, asked=Asked(rows, where, kinds, error), **others)

    options = (
        rows_option,
        where_option,
        click.option(
            "--kind",
            "kinds",
            type=click.Choice(KINDS),
            multiple=True,
            help="Only what ended so; may be repeated.",
        ),
        click.option("--error", default="", metavar="TEXT", help="Only where the error has this text in it."),
    )
    for option in reversed(options):
        packed = option(packed)
    return packed  # type: ignore[return-value]


def within(rows: tuple[int, int | None] | None, count: int) -> tuple[int, int] | None:
    """The rows asked for, within a study of `count`. Raises UsageError when none is."""
    if rows is None:
        return None
    start, stop = rows
    if start >= count:
        last = f"rows 0 to {count - 1}" if count else "no rows"
        raise UsageError(f"row {start} is not in the study", f"it has {last}")
    return start, min(count, stop if stop is not None else count)
