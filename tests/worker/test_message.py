"""What may lie in the queue: a batch, and nothing else is called, unpacked or believed."""

from __future__ import annotations

import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest
from cloudburst_worker import message
from rq import Callback
from rq.job import Job
from rq.serializers import JSONSerializer, PickleSerializer

FUNCTION = "cloudburst_worker.batch.run"
JOB = {"id": "0" * 20, "row": 0, "attempt": 1, "job": {"n": 1}, "argv": None}
BATCH = {"format": 1, "batch": "b-1", "order": "a" * 64, "jobs": [JOB]}


def packed(*call: Any) -> bytes:
    return zlib.compress(json.dumps(call).encode())


def job(**changes: Any) -> dict[str, Any]:
    return {**BATCH, "jobs": [{**JOB, **changes}]}


def test_a_batch_is_read_packed_and_plain() -> None:
    call: list[Any] = [FUNCTION, None, [BATCH], {}]
    assert message.read(packed(*call), "b-1") == BATCH
    assert message.read(json.dumps(call).encode(), "b-1") == BATCH


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (packed("os.mkdir", None, ["/x"], {}), r"refused to call 'os\.mkdir': only cloudburst_worker\.batch\.run"),
        (packed(FUNCTION, {"a": 1}, [BATCH], {}), "refused to call"),
        (packed(FUNCTION, None, [BATCH], {"tools": 1}), "anything but one batch"),
        (packed(FUNCTION, None, [BATCH, 2], {}), "anything but one batch"),
        (packed(FUNCTION, None, [], {}), "anything but one batch"),
        (packed(FUNCTION, None, BATCH, {}), "anything but one batch"),
        (packed(FUNCTION, None, ["batch"], {}), "a batch that is no object"),
        (packed(1, 2, 3), "no call"),
        (zlib.compress(b'{"a": 1}'), "no call"),
        (zlib.compress(pickle.dumps((FUNCTION, None, (BATCH,), {}))), "not JSON"),
        (zlib.compress(b"[" * 100_000), "not JSON"),
        (b"\x00\xff nonsense", "not JSON"),
        (packed(FUNCTION, None, [{**BATCH, "format": 2}], {}), "of different versions"),
        (packed(FUNCTION, None, [{**BATCH, "batch": "b-2"}], {}), "another name than its own: 'b-2'"),
        (packed(FUNCTION, None, [{**BATCH, "order": "../x"}], {}), "order is no digest"),
        (packed(FUNCTION, None, [{**BATCH, "jobs": []}], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [{**BATCH, "jobs": [JOB] * 1001}], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [{**BATCH, "jobs": {"0": JOB}}], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [job(id="x")], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [job(row=-1)], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [job(attempt=True)], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [job(job=[1])], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [job(argv="rm -rf")], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [job(argv=[])], {}), "not 1 to 1000 descriptions"),
        (packed(FUNCTION, None, [job(job={"n": "x" * 50_000_000})], {}), "more than 8 MiB: a job's description"),
        (b"x" * (8 * 2**20 + 1), "more than 8 MiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_anything_else_is_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(message.NotABatch, match=sentence):
        message.read(data, "b-1")


def mark(path: Path) -> None:
    """What a stranger would like to have called."""
    path.write_text("called")


@pytest.mark.slow
def test_strangers_in_the_queue_are_refused_and_the_next_batch_runs(
    lab: Any, tmp_path: Path, capfd: Any
) -> None:
    order = lab.order({"mod.py": "def work(n): return n"})
    lab.start()
    lab.wait_for_state("ready")
    target = str(tmp_path / "called")
    strange = Callback("os.mkdir")
    good = {**BATCH, "order": order}

    def put(
        name: str, function: str = FUNCTION, args: Any = (), serializer: Any = JSONSerializer, **more: Any
    ) -> None:
        made = Job.create(
            function, args, connection=lab.client, id=name, serializer=serializer, origin=lab.rq.name, **more
        )
        made.save()
        lab.client.rpush(lab.rq.key, name)

    put("pickled", "os.mkdir", (target,), PickleSerializer)
    put("keywords", args=({**good, "batch": "keywords"},), kwargs={"tools": target})
    put("large", args=({**job(job={"n": "x" * 50_000_000}), "batch": "large", "order": order},))
    put("other-name", args=(good,))
    put("calls-back", "os.rmdir", (target,), on_failure=strange, on_success=strange, on_stopped=strange)
    put("again-and-again", "os.mkdir", (target,))
    lab.client.hset(Job.key_for("again-and-again"), mapping={"retries_left": 1000, "repeats_left": 9})
    lab.client.hset(
        Job.key_for("meta"), mapping={"data": b"x", "meta": b"\x80\x04", "timeout": "never", "webhooks": b"["}
    )
    lab.client.rpush(lab.rq.key, "meta")
    (outcome,) = lab.run(order, {"n": 1})
    assert outcome["result"] == {"value": 1}
    assert len(lab.outcomes) == 1
    assert not Path(target).exists()
    refused = {"pickled", "keywords", "large", "other-name", "calls-back", "again-and-again", "meta"}
    assert set(lab.rq.failed_job_registry.get_job_ids(cleanup=False)) == refused
    said = capfd.readouterr().err
    for sentence in (
        "not JSON",
        "anything but one batch",
        "more than 8 MiB",
        "another name",
        "refused to call 'os.rmdir'",
    ):
        assert sentence in said


@pytest.mark.slow
def test_a_batch_with_callbacks_runs_and_calls_nobody_back(lab: Any, tmp_path: Path) -> None:
    order = lab.order({"mod.py": "def work(n): return n"})
    lab.start()
    batch = {**BATCH, "batch": "b-1", "order": order}
    strange = Callback(f"{mark.__module__}.{mark.__name__}")
    made = Job.create(FUNCTION, (batch,), connection=lab.client, id="b-1", serializer=JSONSerializer,
                      origin=lab.rq.name, on_success=strange, on_failure=strange, meta={"path": str(tmp_path / "called")})  # fmt: skip
    made.save()
    lab.client.rpush(lab.rq.key, "b-1")
    lab.wait(lambda: lab.finished("b-1"), "the end")
    (after,) = lab.run(order, {"n": 2})
    assert after["status"] == "done"
    assert lab.rq.failed_job_registry.get_job_ids(cleanup=False) == []
    assert not (tmp_path / "called").exists()
