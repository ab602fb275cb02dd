"""A node whose clock is wrong: it takes no jobs, `status` names it, and it goes on by itself."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import Host, Lab
from lab.commands import until
from lab.stock import PYTHON

from .course import Status
from .evidence import Case, examine
from .ordeal import PATIENCE
from .pair import Pair, volume

pytestmark = [pytest.mark.timeout(400), pytest.mark.faults]

SENTENCE = "get libfaketime: apt-get install faketime"
TRUE = "lab-true-time"
"""What PYTHON was on the node."""
IMAGE = f"""
FROM {PYTHON}
COPY libfaketime.so.1 /usr/local/lib/
RUN echo /usr/local/lib/libfaketime.so.1 >/etc/ld.so.preload
ENV FAKETIME_TIMESTAMP_FILE=/var/tmp/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1
"""
PAUSE = 0.5
"""Seconds a job takes: so many that they outlast all that is looked at."""
JOBS = 600


@dataclass(frozen=True)
class Clock:
    """The clock of the workers' containers on one host."""

    host: Host

    def is_off_by(self, seconds: int) -> None:
        """Sets it so far ahead."""
        hands = volume(self.host, "cloudburst-cache") / "clock"
        written = hands.with_name("clock.new")
        written.write_text(f"{seconds:+d}")
        written.chmod(0o644)
        os.replace(written, hands)


@pytest.fixture
def clock(pair: Pair, fragile: Lab) -> Iterator[Clock]:
    """One node whose workers' image has libfaketime inside, and runs now."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        if os.environ.get("CLOUDBURST_REQUIRE_PARTS") == "1":
            pytest.fail(SENTENCE)
        pytest.skip(SENTENCE)
    host = fragile.workers[-1]
    hands = Clock(host)
    hands.is_off_by(0)
    library = base64.b64encode(libraries[0].read_bytes()).decode()
    host.sh("mkdir -p /root/clock && base64 -d >/root/clock/libfaketime.so.1", stdin=library)
    host.docker("tag", PYTHON, TRUE)
    host.docker("build", "--quiet", "--tag", PYTHON, "-f", "-", "/root/clock", stdin=IMAGE)
    pair.kill("worker", host)
    yield hands
    host.docker("tag", TRUE, PYTHON)
    host.docker("rmi", TRUE)
    pair.kill("worker", host)
    (volume(host, "cloudburst-cache") / "clock").unlink()


def test_a_node_with_a_wrong_clock_takes_no_jobs_until_it_is_right(pair: Pair, clock: Clock) -> None:
    study, node = pair.short, clock.host.name
    began = time.time()
    course = study.begin("clock", JOBS, seconds=PAUSE)

    def begun_there() -> int:
        return sum(one.host == node for one in study.begun("clock"))

    def of_node(status: Status) -> Mapping[str, Any]:
        return next((one for one in status["nodes"] if one["node"] == node), {})

    until(begun_there, f"{node} takes jobs", PATIENCE)
    clock.is_off_by(40)
    course.until(
        lambda status: of_node(status).get("state") == "broken" and not of_node(status)["busy"],
        f"{node} takes no jobs",
        30,
    )
    before = begun_there()
    said = study.project.said("status")
    assert "the clock of this node is 40 s ahead of the queue's" in said
    assert node in said
    elsewhere = len(study.begun("clock")) - before
    until(lambda: len(study.begun("clock")) - before >= elsewhere + 40, "the other nodes go on", 60)
    assert begun_there() == before, "it took a job all the same"
    clock.is_off_by(0)
    course.until(lambda status: of_node(status)["state"] == "ready", f"{node} is ready again", 30)
    until(lambda: begun_there() > before, f"{node} takes jobs again", 30)
    course.finish(PATIENCE)
    examine(study, Case("clock", JOBS, frozenset(), then=began, moment=began))
