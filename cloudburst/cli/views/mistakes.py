"""What went wrong, said once: a sentence and a way out, as text or as JSON. Never a traceback for a mistake."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from typing import Any

from ... import __version__
from ...diagnostics import Diagnostic
from ...errors import CloudBurstError, SpecError
from .diagnostics import render_all
from .paint import Paint
from .screen import Screen


def show(error: CloudBurstError, screen: Screen) -> None:
    """On the second stream; a SpecError with each of its diagnostics."""
    if screen.as_json:
        screen.complain_json(to_json(error))
    elif isinstance(error, SpecError):
        show_diagnostics(error.diagnostics, screen)
    else:
        screen.complain(sentence(error.message, error.hint, screen.error_paint))


def show_diagnostics(diagnostics: Iterable[Diagnostic], screen: Screen) -> None:
    forms = [diagnostic.to_json() for diagnostic in diagnostics]
    screen.complain(render_all(forms, paint=screen.error_paint, width=screen.width))


def sentence(message: str, hint: str, paint: Paint) -> str:
    text = f"{paint.red('error')}: {message}"
    return f"{text}\n  {paint.cyan('hint')}: {indented(hint)}" if hint else text


def indented(text: str) -> str:
    """What a tool said stands under the hint, not beside what we say."""
    return text.strip().replace("\n", "\n    ")


def to_json(error: CloudBurstError) -> dict[str, Any]:
    document: dict[str, Any] = {
        "error": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    if isinstance(error, SpecError):
        document["diagnostics"] = [d.to_json() for d in error.diagnostics]
    return document


def show_bug(error: BaseException, screen: Screen) -> None:
    """A mistake of ours: everything that helps to mend it, and where to take it."""
    text = "".join(traceback.format_exception(error)).rstrip()
    if screen.as_json:
        screen.complain_json(
            {"error": f"a bug in CloudBurst: {error!r}", "hint": REPORT, "exit_code": 1, "traceback": text}
        )
        return
    screen.complain(text)
    screen.complain(
        sentence(f"this is a bug in CloudBurst {__version__}, not in your study", REPORT, screen.error_paint)
    )


REPORT = (
    "please report it with the lines above and what `cloudburst doctor` prints, as an issue of the project; "
    "what is computed is safe in the ledger"
)
