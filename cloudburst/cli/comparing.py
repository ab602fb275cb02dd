"""`plan --against REV`: what the file changes since a git revision, for whoever reviews it."""

from __future__ import annotations

from ..compile.difference import difference_form
from ..run.against import compare_with
from ..run.observe import Study, rows_in_their_place
from .arguments import SOMETHING_TO_DO
from .views import comparison as view
from .views.counting import counting
from .views.screen import Screen

FORMAT_VERSION = "1.0"


def compared(screen: Screen, study: Study, revision: str, *, detailed_exitcode: bool) -> int:
    """Says it; the exit code."""
    with counting(screen) as progress, rows_in_their_place(study):
        found = compare_with(study, revision, progress)
    document = {
        "format_version": FORMAT_VERSION,
        "study": study.ensemble.name,
        "spec": study.places.spec.name,
        "against": revision,
        "revision": found.revision,
        **difference_form(found.difference, lambda path: study.loaded.document.span(path).line),
        "code": list(found.code),
    }
    screen.document(document)
    for line in view.lines(document, width=screen.width, paint=screen.paint):
        screen.say(line)
    differs = found.difference.added or found.difference.removed or found.code
    return SOMETHING_TO_DO if detailed_exitcode and differs else 0
