"""`cloudburst results --to influxdb`: filling a study's own sinks from this machine, without computing anything."""

from __future__ import annotations

from ..errors import CloudBurstError, UsageError
from ..run import run_lock
from ..run.observe import Study
from ..run.places import prepare
from ..run.promised import promised_sinks
from .reach import brought_home
from .views.screen import Screen
from .views.words import count


def send(study: Study, screen: Screen) -> None:
    """Raises UsageError when there is no sink that can be reached from here, CloudBurstError when one is left
    with less than all, StudyBusy while the study is computed here: then it is fed anyway.
    """
    from ..run.feeding import feed_all

    written = promised_sinks(study.ensemble)
    if not written:
        raise UsageError(
            "the file names no InfluxDB that can be reached from here",
            "`results: - influxdb: {database: …, url: http://localhost:8086}`; a swarm's own is fed there",
        )
    prepare(study.places)
    with (
        run_lock.hold(study.places.lock, study=study.ensemble.name),
        brought_home(study, screen) as way,
    ):
        filled = feed_all(
            study,
            written,
            files=way.files,
            on_trouble=lambda label, trouble: screen.note(f"{label}: {trouble}; trying again"),
        )
    if not filled:
        screen.note("nothing was computed yet: `cloudburst apply`")
    screen.document({"sinks": [sink.to_json() for sink in filled]})
    for sink in filled:
        screen.say(f"{sink.label}: {count(sink.points, 'point')} stored")
        if sink.note:
            screen.note(sink.note)
    lacking = [sink for sink in filled if sink.waiting or sink.problem]
    if lacking:
        sink = lacking[0]
        raise CloudBurstError(
            f"{sink.label} lacks {count(sink.waiting, 'job')}: {sink.trouble}"
            if sink.waiting
            else f"{sink.label}: {sink.problem}",
            "nothing is lost: the ledger has it, and the same command sends it",
        )
