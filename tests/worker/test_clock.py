"""A node whose clock is wrong: it takes no jobs, says so, and goes on by itself."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest
from cloudburst_worker import clock, queue

SENTENCE = "get libfaketime: apt-get install faketime"


def faketime() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        assert "CLOUDBURST_REQUIRE_PARTS" not in os.environ, SENTENCE
        pytest.skip(SENTENCE)
    return found[0]


@pytest.mark.parametrize(
    ("ahead", "doubt", "off"),
    [(0.0, 0.0, False), (20.0, 0.0, False), (20.1, 0.0, True), (-35.0, 0.1, True), (22.0, 4.0, False)],
)
def test_a_clock_is_off_only_when_that_is_certain(ahead: float, doubt: float, off: bool) -> None:
    assert clock.Clock(ahead, doubt).is_off is off


def test_half_of_the_way_is_accounted_for(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue answers at once after 4 s on the way there and 4 s back, by a clock that is right."""

    class Slow:
        async def time(self) -> tuple[int, int]:
            now[0] += 4
            answer = int(now[0]), 0
            now[0] += 4
            return answer

    now = [1_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert asyncio.run(clock.look(Slow())) == clock.Clock(0.0, 4.0)  # type: ignore[arg-type]
    monkeypatch.undo()

    async def look() -> clock.Clock:
        client = queue.connect_async(lab.valkey.address, "a-password")
        try:
            return await clock.look(client)
        finally:
            await client.aclose()

    assert abs(asyncio.run(look()).ahead) < 1.0


@pytest.mark.slow
def test_a_node_whose_clock_is_off_takes_no_jobs_until_it_is_right(lab: Any, tmp_path: Path) -> None:
    hands = tmp_path / "hands"
    hands.write_text("+35s")
    lab.environment = {
        "LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(hands), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    order = lab.order({"mod.py": "def work(n): return n"})
    lab.start()
    node = lab.wait_for_state("broken")
    assert "clock of this node is 35 s ahead of the queue's" in node["detail"].splitlines()[0]
    assert "timedatectl" in node["detail"]
    assert 34 < node["clock"] < 36
    batch = lab.enqueue(order, {"n": 1})
    lab.wait(lambda: lab.node().get("slots") == 1, "its runner")
    assert lab.rq.job_ids == [batch]
    hands.write_text("+0s")
    lab.wait(lambda: lab.finished(batch), "the batch, by a node whose clock is right")
    assert abs(lab.wait_for_state("ready")["clock"]) < 1
    hands.write_text("-30s")
    assert "30 s behind the queue's" in lab.wait_for_state("broken")["detail"]


@pytest.mark.slow
def test_a_clock_that_goes_wrong_in_the_middle_of_a_batch_sends_the_rest_back(
    lab: Any, tmp_path: Path
) -> None:
    hands = tmp_path / "hands"
    hands.write_text("+0s")
    lab.environment = {
        "LD_PRELOAD": str(faketime()), "FAKETIME_TIMESTAMP_FILE": str(hands), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    module = f"""
import os, time
def work(n):
    while not os.path.exists({str(tmp_path / "go")!r}): time.sleep(0.01)
"""
    order = lab.order({"mod.py": module})
    lab.start()
    batch = lab.enqueue(order, {"n": 1}, {"n": 2})
    lab.wait(lambda: lab.node().get("busy") == 1, "the first job")
    hands.write_text("+60s")
    lab.wait_for_state("broken")
    (tmp_path / "go").touch()
    lab.wait(lambda: lab.finished(batch), "the end")
    assert [o["row"] for o in lab.outcomes] == [0]
    assert lab.returned == [f"{1:04x}{1:016x}"]
