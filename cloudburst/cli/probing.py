"""A probe from end to end: some rows are shown, computed and told of, and what follows from them for the rest."""

from __future__ import annotations

from pathlib import Path

from ..compile.plan import Plan
from ..run.observe import Study, outline_study, read_study
from ..run.planning import count_plan
from ..run.probe import Probed, probe, spread
from ..run.stopping import stoppable
from .computing import FINISHED_WITH_FAILURES, INTERRUPTED
from .study import after_command
from .views import failures as failed_view
from .views import probe as view
from .views.counting import counting
from .views.screen import Screen
from .views.telling import telling


def probed(screen: Screen, file: Path, study: Study, number: int | None) -> int:
    """The exit code. `study` is as on this machine; the rest is estimated for the machines the file names."""
    rows = spread(study.jobs.space, number)
    for line in view.chosen(rows, study.jobs.count, width=screen.width):
        screen.note(line)
    with telling(screen) as teller, stoppable(teller.say) as stop:
        ended = probe(study, rows, on_event=teller.tell, stop=stop)
    plan = _planned(screen, study)
    forms = [failed_view.failure(result) for result in ended.failed]
    document = {**ended.to_json(), "failures": forms, "effort": plan.to_json()["effort"]}
    screen.data({"event": "probe", **document})
    for line in view.lines(document, file=after_command(file), width=screen.width, paint=screen.paint):
        screen.say(line)
    return _exit_code(ended)


def _planned(screen: Screen, study: Study) -> Plan:
    """Read anew: the lock may be new, and the machines are those of the file. Nobody is asked what they cost."""
    again = read_study(study.places.spec, looking=True)
    with counting(screen) as progress:
        return count_plan(again, outline_study(again), progress)


def _exit_code(ended: Probed) -> int:
    if ended.state == "stopped":
        return INTERRUPTED
    if ended.failed:
        return FINISHED_WITH_FAILURES
    return 1 if ended.state == "paused" else 0
