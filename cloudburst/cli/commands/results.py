"""`cloudburst results`: the table, or one series of every row, in the form one needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from ..arguments import json_option, pass_screen, study_argument
from ..views.screen import Screen

FORMATS = ("csv", "jsonl", "sqlite")


def _names(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",")) if text else ()


@click.command()
@study_argument
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write to this file instead: .csv, .jsonl or .sqlite."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Instead of what the suffix of --out says."
)
@click.option("--series", metavar="NAME", help="One series of every row as a long table, one line a point.")
@click.option(
    "--to",
    type=click.Choice(("influxdb",)),
    help="Send what the study's own influxdb sinks lack, now and from this machine.",
)
@click.option("--columns", callback=_names, metavar="A,B,…", help="Only these columns, in this order.")
@json_option
@pass_screen
def command(
    screen: Screen,
    file: Path,
    out: Path | None,
    form: str | None,
    series: str | None,
    to: str | None,
    columns: tuple[str, ...],
) -> None:
    """Write the results: a line for every row of the plan, computed or not.

    To the screen as CSV (JSON lines with --json), to a file with --out, or with --to into the databases
    that the file names.
    """
    from ...errors import UsageError
    from ...run.outputs import about, finder
    from ...run.results import Result, join
    from ...run.series import open_long
    from ...run.sinks.table import open_sheet
    from ..reach import brought_home, make_safe
    from ..sending import send
    from ..sheets import deliver
    from ..study import open_study, recorded
    from ..views.words import count

    study = open_study(screen, file)
    if to:
        if out or form or series or columns:
            raise UsageError(
                "--to sends whole results: it goes with none of --out --format --series --columns"
            )
        send(study, screen)
        return
    digest = study.payload.digest
    stale = 0

    def counted(results: Iterable[Result]) -> Iterator[Result]:
        nonlocal stale
        for result in results:
            stale += result.status == "stale"
            yield result

    with brought_home(study, screen) as way, recorded(study) as ledger:
        results = counted(
            join(study.jobs, lambda ids: ledger.outcomes(ids, digest) if ledger else {}, digest)
        )
        if series:
            opened = open_long(results, series, finder(study, way.files), about(study))
        else:
            opened = open_sheet(results, about=about(study))
        with opened as sheet:
            rows = deliver(screen, sheet, out=out, form=form, columns=columns)
        make_safe(study, way, screen)
    if stale:
        what = "are left out" if series else "are marked `stale`"
        screen.note(f"{count(stale, 'row')} of other code {what}; `cloudburst apply` computes them again")
    if out is not None:
        screen.document({"file": str(out), "rows": rows})
        screen.say(f"wrote {count(rows, 'row')} to {out}")
