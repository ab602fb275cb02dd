"""What a Prometheus server is told: text format 0.0.4, made from the status and the tallies.

One study is one target, so nothing but `cloudburst_study_info` carries its name. A metric that
cannot be known is absent, never 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from .. import __version__
from .http import Reply, Text
from .status_page import Sight, Watched, look
from .tallies import BUCKETS, Counted

NOT_KEPT = {"Cache-Control": "no-store"}
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

STATES = ("idle", "starting", "running", "pausing", "paused", "finished", "broken")
NODE_STATES = ("waiting", "preparing", "ready", "broken", "clock", "leaving")


@dataclass(frozen=True)
class Sample:
    """One line: what stands after the family's name, labels, a value."""

    value: float
    labels: Mapping[str, str] | None = None
    suffix: str = ""


@dataclass(frozen=True)
class Family:
    """One metric with all its samples; `kind` as TYPE says it. A family without samples is not shown."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]

    def __str__(self) -> str:
        lines = [f"# HELP {self.name} {_escaped(self.help, '')}", f"# TYPE {self.name} {self.kind}"]
        lines += [
            f"{self.name}{one.suffix}{_labels(one.labels)} {_number(one.value)}" for one in self.samples
        ]
        return "\n".join(lines) + "\n"


def answer_metrics(controller: Watched) -> Reply:
    return Reply(text=Text(make_metrics(look(controller)), CONTENT_TYPE), headers=NOT_KEPT)


def make_metrics(sight: Sight) -> str:
    families = (
        *_study(sight),
        *_jobs(sight.status),
        *_attempts(sight.counted),
        *_machines(sight),
        *_sinks(sight.status),
    )
    return "".join(str(family) for family in families if family.samples)


# ── the families ─────────────────────────────────────────────────────────────────────────────
def _study(sight: Sight) -> Iterator[Family]:
    status = sight.status
    yield _info("cloudburst_build_info", "Which CloudBurst the controller is.", {"version": __version__})
    yield _info(
        "cloudburst_study_info",
        "The study that is computed.",
        {"study": sight.study} if sight.study else None,
    )
    yield Family(
        "cloudburst_state",
        "gauge",
        "1 for the state the study is in, 0 for the others.",
        tuple(Sample(float(status["state"] == state), {"state": state}) for state in STATES),
    )
    yield _gauge(
        "cloudburst_problems",
        "Sentences about what is wrong while the work goes on.",
        len(status["problems"]),
    )
    began = sight.began
    yield _gauge("cloudburst_run_start_time_seconds", "When this run began, since the epoch.", began)
    yield _gauge(
        "cloudburst_run_seconds",
        "How long this run has taken, until it finished.",
        status["seconds"] if began else None,
    )
    yield _gauge(
        "cloudburst_time_left_seconds", "What is left to do, at the present rate.", status["seconds_left"]
    )


def _jobs(status: Mapping[str, Any]) -> Iterator[Family]:
    """Every job is in one state, so their sum is the number of jobs."""
    in_queue, running = status["queued"], status["running"]
    states = {
        "recorded": status["recorded"],
        "done": status["done"],
        "failed": status["failed"],
        "running": running,
        "queued": in_queue,
        "unsent": max(0, status["to_do"] - in_queue - running),
    }
    yield _by("cloudburst_jobs", "gauge", "Jobs of this run by state.", "state", states)
    yield _gauge("cloudburst_rows", "Rows selected; some may be the same job.", status["rows"])
    yield _gauge(
        "cloudburst_completions_per_second",
        "Jobs that end per second, over the last half minute.",
        status["rate"],
    )


def _attempts(counted: Counted) -> Iterator[Family]:
    yield _by(
        "cloudburst_attempts_total",
        "counter",
        "Attempts that ended and are recorded, by how: done, or the kind of the failure.",
        "ending",
        counted.endings,
    )
    yield Family(
        "cloudburst_job_duration_seconds",
        "histogram",
        "How long attempts ran, failed ones included, lost ones not.",
        tuple(_histogram(counted)),
    )
    lost = counted.batches_lost
    yield _one(
        "cloudburst_batches_lost_total", "counter", "Batches whose worker was not heard of again.", lost
    )


def _histogram(counted: Counted) -> Iterator[Sample]:
    for bound, number in zip((*BUCKETS, math.inf), accumulate(counted.durations), strict=True):
        yield Sample(number, {"le": _number(bound)}, "_bucket")
    yield Sample(counted.seconds, suffix="_sum")
    yield Sample(sum(counted.durations), suffix="_count")


def _machines(sight: Sight) -> Iterator[Family]:
    status, counted = sight.status, sight.counted
    yield _gauge("cloudburst_queue_messages", "Batches that wait in the queue.", counted.waiting)
    yield _gauge("cloudburst_slots", "Slots of the nodes that work or will.", status["slots"]["total"])
    yield _gauge("cloudburst_slots_busy", "Slots with a job in them.", status["slots"]["busy"])
    found = Counter(str(node["state"]) for node in status["nodes"])
    known = {**dict.fromkeys(NODE_STATES, 0), **found}
    yield _by("cloudburst_nodes", "gauge", "Nodes that report, by state.", "state", known)
    yield _one(
        "cloudburst_node_seconds_total",
        "counter",
        "Time of all nodes that reported, together; times a price it is what they cost.",
        counted.node_seconds,
    )


def _sinks(status: Mapping[str, Any]) -> Iterator[Family]:
    sinks = status.get("sinks") or ()
    for name, kind, text, key in (
        ("cloudburst_sink_points_total", "counter", "Points the sink has stored.", "points"),
        ("cloudburst_sink_waiting", "gauge", "What is recorded and not in the sink yet.", "waiting"),
    ):
        yield Family(name, kind, text, tuple(Sample(one[key], {"sink": str(one["sink"])}) for one in sinks))


# ── the format ───────────────────────────────────────────────────────────────────────────────
def _one(name: str, kind: str, text: str, value: float | None) -> Family:
    return Family(name, kind, text, () if value is None else (Sample(value),))


def _gauge(name: str, text: str, value: float | None) -> Family:
    return _one(name, "gauge", text, value)


def _by(name: str, kind: str, text: str, label: str, values: Mapping[str, float]) -> Family:
    return Family(name, kind, text, tuple(Sample(value, {label: key}) for key, value in values.items()))


def _info(name: str, text: str, labels: Mapping[str, str] | None) -> Family:
    return Family(name, "gauge", text, () if labels is None else (Sample(1, labels),))


def _labels(labels: Mapping[str, str] | None) -> str:
    return f"{{{','.join(_label(*pair) for pair in labels.items())}}}" if labels else ""


def _label(name: str, value: str) -> str:
    quote = '"'
    return f"{name}={quote}{_escaped(value, quote)}{quote}"


def _escaped(text: str, more: Iterable[str]) -> str:
    """Backslash and newline, and in labels the quotation mark."""
    for mark in ("\\", *more):
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
