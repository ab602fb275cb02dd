"""Opening the study a command is about: reads it, says its warnings, and finds its ledger."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..diagnostics import Diagnostic
from ..errors import SpecError
from ..run.observe import Study, read_study
from ..run.places import Places, places
from ..spec import load
from .arguments import DEFAULT_FILE, study_file
from .views import mistakes
from .views.screen import Screen

if TYPE_CHECKING:
    from ..run.ledger import Ledger


def open_study(screen: Screen, file: Path, *, need_payload: bool = True, local: bool | None = None) -> Study:
    """The study in `file`; its warnings are said on the second stream.

    `local`: on this machine, whatever machines the file names. None is right for commands that only
    look: they go to the machines it names, if this version can have such. Raises UsageError when
    there is no such file, SpecError when it has errors.
    """
    study = read_study(study_file(file), need_payload=need_payload, local=bool(local), looking=local is None)
    _warn(screen, study.diagnostics)
    return study


def places_of(file: Path) -> Places:
    """Where the study in `file` keeps its things, whatever its worker and inputs are like now.

    Raises UsageError when there is no such file, SpecError when it cannot be understood.
    """
    loaded = load(study_file(file), looking=True)
    if loaded.ensemble is None:
        raise SpecError(loaded.diagnostics)
    return places(file, loaded.ensemble.name)


def _warn(screen: Screen, diagnostics: Sequence[Diagnostic]) -> None:
    """Under `--json`, plan and validate have them in their document; other commands are not about them."""
    if diagnostics and not screen.as_json:
        mistakes.show_diagnostics(diagnostics, screen)
        screen.note("")


@contextmanager
def recorded(study: Study) -> Iterator[Ledger | None]:
    """The ledger for reading; None while nothing was ever computed."""
    if not study.places.ledger.exists():
        yield None
        return
    from ..run.ledger import Ledger

    with Ledger.open(study.places.ledger, study.ensemble.name) as ledger:
        yield ledger


def after_command(file: Path) -> str:
    """The study as it has to be written after a command: nothing for the default, else with a space in front."""
    return "" if str(file) == DEFAULT_FILE else f" {shlex.quote(str(file))}"


def as_option(file: Path) -> str:
    """The same for commands whose argument is a JOB."""
    return f" -f{after_command(file)}" if after_command(file) else ""
