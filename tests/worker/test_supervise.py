"""A node through its life: what is left, and what can be recovered, when one of its processes ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PREFIX = "cloudburst:lab"

MODULE = """
import os, pathlib, subprocess, time
def work(name, seconds=0.0, until=None):
    child = subprocess.Popen(["sleep", "1000"]) if name == "parent" else None
    pathlib.Path(f"{DIRECTORY}/{name}").write_text(f"{os.getpid()} {child.pid if child else 0}")
    end = time.monotonic() + seconds
    while time.monotonic() < end or (until and not os.path.exists(f"{DIRECTORY}/{until}")):
        time.sleep(0.01)
    return os.getpid()
"""


def files(directory: Path) -> dict[str, str]:
    return {"mod.py": f"DIRECTORY = {str(directory)!r}\n{MODULE}"}


def pids(lab: Any, path: Path) -> list[int]:
    """What the job wrote when it started: its pid and its child's."""
    lab.wait(lambda: path.exists() and len(path.read_text().split()) == 2, path)
    return [int(pid) for pid in path.read_text().split() if int(pid)]


def children(pid: int) -> dict[int, str]:
    """Child processes and their command lines."""
    listing = subprocess.run(
        ["ps", "-axww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
    return {int(row[0]): row[2] for row in rows if int(row[1]) == pid}


def takers(pid: int) -> list[int]:
    return [child for child, command in children(pid).items() if "cloudburst_worker take" in command]


def test_the_processes_of_a_node(lab: Any, tmp_path: Path) -> None:
    lab.order(files(tmp_path))
    supervisor = lab.start(slots="2")
    lab.wait_for_state("ready")
    commands = list(children(supervisor.pid).values())
    assert sum("cloudburst_worker take" in command for command in commands) == 3
    assert sum("cloudburst_worker.runner" in command for command in commands) == 2
    assert len(commands) == 5
    assert not any("a-password" in command or "worker-token" in command for command in commands)


def test_kill_of_the_supervisor_leaves_nothing_running(lab: Any, tmp_path: Path, alive: Any) -> None:
    order = lab.order(files(tmp_path))
    supervisor = lab.start(slots="2")
    lab.wait_for_state("ready")
    batch = lab.enqueue(order, {"name": "parent", "until": "never"}, {"name": "b"})
    inside = pids(lab, tmp_path / "parent")
    everything = [*children(supervisor.pid), *inside]
    supervisor.kill()
    lab.wait(lambda: not any(alive(pid) for pid in everything), "everybody's end")
    doing = lab.client.hgetall(f"{PREFIX}:doing:{batch}")
    assert list(doing) == [f"{1:04x}{0:016x}".encode()]
    assert 0 < lab.client.pttl(f"{PREFIX}:lease:{batch}") <= 15_000
    assert lab.outcomes == []


def test_kill_of_an_rq_worker_kills_its_job_and_another_comes(lab: Any, tmp_path: Path, alive: Any) -> None:
    order = lab.order(files(tmp_path))
    supervisor = lab.start()
    lab.wait_for_state("ready")
    before = takers(supervisor.pid)
    batch = lab.enqueue(order, {"name": "a"}, {"name": "parent", "until": "never"}, {"name": "c"})
    inside = pids(lab, tmp_path / "parent")
    holder = lab.client.get(f"{PREFIX}:lease:{batch}").decode()
    os.kill(int(holder.rsplit("-", 1)[1]), signal.SIGKILL)
    lab.wait(lambda: not any(alive(pid) for pid in inside), "the job's end")
    assert [o["row"] for o in lab.outcomes] == [0]
    assert lab.client.smembers(f"{PREFIX}:done:{batch}") == {f"{1:04x}{0:016x}".encode()}
    assert lab.client.hlen(f"{PREFIX}:doing:{batch}") == 1
    (outcome,) = lab.run(order, {"name": "after"})
    assert outcome["status"] == "done"
    lab.wait(lambda: len(takers(supervisor.pid)) == 2 and takers(supervisor.pid) != before, "a new worker")


def test_a_redelivered_batch_skips_what_is_recorded(lab: Any, tmp_path: Path) -> None:
    order = lab.order(files(tmp_path))
    lab.client.sadd(f"{PREFIX}:done:b-000001-lab", f"{1:04x}{0:016x}")
    lab.start()
    outcomes = lab.run(order, {"name": "a"}, {"name": "b"})
    assert [outcome["row"] for outcome in outcomes] == [1]
    assert 0 < lab.client.ttl(f"{PREFIX}:done:b-000001-lab") <= 86_400


def test_kill_of_a_runner_is_a_crash_of_that_job(lab: Any, tmp_path: Path, alive: Any) -> None:
    order = lab.order(files(tmp_path))
    lab.start()
    batch = lab.enqueue(order, {"name": "parent", "until": "never"}, {"name": "b"})
    runner, child = pids(lab, tmp_path / "parent")
    os.kill(runner, signal.SIGKILL)
    lab.wait(lambda: lab.finished(batch), "the end")
    crashed, after = lab.outcomes
    assert crashed["kind"] == "crash"
    assert "SIGKILL" in crashed["error"]
    assert after["status"] == "done"
    assert not alive(child)


def test_the_queue_restarts_in_the_middle(lab: Any, tmp_path: Path) -> None:
    order = lab.order(files(tmp_path))
    lab.start()
    lab.wait_for_state("ready")
    batch = lab.enqueue(order, {"name": "a", "until": "go"}, {"name": "b"}, {"name": "c"})
    pids(lab, tmp_path / "a")
    lab.valkey.kill()
    (tmp_path / "go").touch()
    lab.valkey.start()
    lab.wait(lambda: lab.finished(batch), "the end")
    assert sorted(o["row"] for o in {o["id"]: o for o in lab.outcomes}.values()) == [0, 1, 2]
    (after,) = lab.run(order, {"name": "d"})
    assert after["status"] == "done"


def test_pause_hands_the_rest_back(lab: Any, tmp_path: Path) -> None:
    order = lab.order(files(tmp_path))
    lab.start()
    batch = lab.enqueue(order, {"name": "a", "until": "go"}, {"name": "b"}, {"name": "c"})
    pids(lab, tmp_path / "a")
    lab.client.set(f"{PREFIX}:pause", "1")
    (tmp_path / "go").touch()
    lab.wait(lambda: lab.finished(batch), "the end")
    assert [o["row"] for o in lab.outcomes] == [0]
    assert lab.returned == [f"{1:04x}{i:016x}" for i in (1, 2)]
    assert not lab.client.exists(f"{PREFIX}:doing:{batch}", f"{PREFIX}:lease:{batch}")


def test_a_revoked_batch_is_dropped_at_once(lab: Any, tmp_path: Path) -> None:
    order = lab.order(files(tmp_path))
    lab.start()
    batch = lab.enqueue(order, {"name": "a", "until": "go"}, {"name": "b"})
    pids(lab, tmp_path / "a")
    lab.client.sadd(f"{PREFIX}:revoked", batch)
    (tmp_path / "go").touch()
    (after,) = lab.run(order, {"name": "after"})
    assert after["status"] == "done"
    assert not lab.finished(batch)
    assert not (tmp_path / "b").exists()


def test_sigterm_finishes_the_job_and_hands_the_rest_back(lab: Any, tmp_path: Path, alive: Any) -> None:
    order = lab.order(files(tmp_path))
    supervisor = lab.start(slots="2")
    lab.wait_for_state("ready")
    batch = lab.enqueue(order, {"name": "a", "until": "go"}, {"name": "b"})
    pids(lab, tmp_path / "a")
    everybody = list(children(supervisor.pid))
    supervisor.send_signal(signal.SIGTERM)
    lab.wait_for_state("leaving")
    late = lab.enqueue(order, {"name": "late"})
    (tmp_path / "go").touch()
    assert supervisor.wait(timeout=30) == 0
    lab.read()
    assert [o["row"] for o in lab.outcomes] == [0]
    assert lab.returned == [f"{1:04x}{1:016x}"]
    assert lab.finished(batch)
    assert not any(alive(pid) for pid in everybody)
    assert lab.rq.job_ids == [late]
    assert lab.node()["state"] == "absent"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_second_sigterm_hands_back_the_job_at_hand_too(lab: Any, tmp_path: Path, alive: Any) -> None:
    order = lab.order(files(tmp_path))
    supervisor = lab.start()
    batch = lab.enqueue(order, {"name": "parent", "until": "never"}, {"name": "b"})
    inside = pids(lab, tmp_path / "parent")
    supervisor.send_signal(signal.SIGTERM)
    lab.wait_for_state("leaving")
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(timeout=30) == 0
    lab.read()
    assert lab.returned == [f"{1:04x}{i:016x}" for i in (0, 1)]
    assert lab.finished(batch)
    assert not any(alive(pid) for pid in inside)


def test_the_end_of_the_lifeline_is_a_quick_end(lab: Any, tmp_path: Path, alive: Any) -> None:
    order = lab.order(files(tmp_path))
    supervisor = lab.start("node-1", "1", "--lifeline")
    lab.enqueue(order, {"name": "parent", "until": "never"})
    everybody = [*pids(lab, tmp_path / "parent"), *children(supervisor.pid)]
    supervisor.stdin.close()
    assert supervisor.wait(timeout=30) == 0
    assert not any(alive(pid) for pid in everybody)
    lab.read()
    assert lab.returned == [f"{1:04x}{0:016x}"]


def test_a_function_of_another_name_is_never_called(lab: Any, tmp_path: Path, capfd: Any) -> None:
    order = lab.order(files(tmp_path))
    lab.start()
    target = tmp_path / "made by a stranger"
    lab.send("hostile-1", "os.mkdir", str(target))
    lab.send("hostile-2", "pathlib.Path.touch", str(target))
    (outcome,) = lab.run(order, {"name": "after"})
    assert outcome["status"] == "done"
    assert not target.exists()
    assert sorted(lab.rq.failed_job_registry.get_job_ids()) == ["hostile-1", "hostile-2"]
    assert "refused to call 'os.mkdir'" in capfd.readouterr().err


def test_a_long_job_is_not_hoarded_behind(lab: Any, tmp_path: Path) -> None:
    """With one slot busy for long, the spare RQ worker leaves the next batch to other nodes."""
    order = lab.order(files(tmp_path))
    lab.start()
    first = lab.enqueue(order, {"name": "a", "until": "go"})
    pids(lab, tmp_path / "a")
    second = lab.enqueue(order, {"name": "b"})
    lab.start("node-2")
    lab.wait(lambda: lab.finished(second), "the second batch on the second node")
    assert lab.outcomes[0]["worker"] == "node-2/0"
    (tmp_path / "go").touch()
    lab.wait(lambda: lab.finished(first), "the first batch")


@pytest.mark.parametrize(
    ("module", "entrypoint", "sentence"),
    [
        (
            "import nothing_like_this\ndef work(n): pass",
            "mod:work",
            "importing `mod` failed: ModuleNotFoundError",
        ),
        (
            "def work(n): pass",
            "modd:work",
            "there is no module `modd` in the worker directory: did you mean `mod`?",
        ),
        ("def work(n): pass", "mod:wrok", "module `mod` has no function `wrok`: did you mean `work`?"),
        ("def setup(): 1 / 0\ndef work(n): pass", "mod:work", "setup() of `mod` failed: ZeroDivisionError"),
        ("import os\nos._exit(5)", "mod:work", "a runner ended before its first job: the process ended"),
    ],
)
def test_an_order_no_runner_can_serve_breaks_the_node(
    lab: Any, module: str, entrypoint: str, sentence: str
) -> None:
    order = lab.order({"mod.py": module}, entrypoint=entrypoint)
    lab.enqueue(order, {"n": 1})
    lab.start()
    assert lab.wait_for_state("broken")["detail"].splitlines()[0].startswith(sentence)
    assert lab.rq.count == 1  # nothing was taken that cannot be worked on
    good = lab.order({"mod.py": "def work(n): return n"})
    lab.wait_for_state("ready")
    batch = lab.enqueue(good, {"n": 2})
    lab.wait(lambda: lab.finished(batch), "a batch of the good order")
    assert [o["result"] for o in lab.outcomes] == [{"value": 2}]
    assert lab.returned == [f"{1:04x}{0:016x}"]


def test_another_order_whose_batches_come_before_the_news_of_it(lab: Any) -> None:
    """A worker that got room for the order before takes a batch of the next one: its slot has to count."""
    lab.order({"mod.py": "def work(n): return n"})
    lab.start(slots="2")
    lab.wait_for_state("ready")
    current = lab.client.get(f"{PREFIX}:current")
    changed = lab.order({"mod.py": "def work(n): return n + 1"})
    lab.client.set(f"{PREFIX}:current", current)
    early = [lab.enqueue(changed, {"n": n}) for n in (1, 2)]
    lab.wait(lambda: all(map(lab.finished, early)), "the batches that came before the news")
    lab.client.set(f"{PREFIX}:current", changed)
    late = [lab.enqueue(changed, {"n": n}) for n in range(3, 9)]
    lab.wait(lambda: all(map(lab.finished, late)), "the batches after it")
    assert sorted(o["result"]["value"] for o in lab.outcomes) == list(range(2, 10))


def test_a_lock_that_cannot_be_installed_breaks_the_node_with_uvs_words(lab: Any) -> None:
    lock = "nothing==1.0 --hash=sha256:" + "0" * 64 + "\n--no-index\n"
    lab.order({"mod.py": "def work(n): return n", ".cloudburst/lock.txt": lock})
    lab.start()
    detail = lab.wait_for_state("broken")["detail"]
    assert "not to be had" in detail.splitlines()[0]
    assert "nothing" in detail
    assert not any(
        path.name != "locks" and (path / ".complete").exists() is False
        for path in (lab.cache / "environments").iterdir()
    )


def test_a_damaged_payload_is_refused(lab: Any) -> None:
    digest = "0" * 64
    lab.store.objects[f"payload/{digest}"] = b"something else"
    lab.order({}, payload=digest)
    lab.start()
    assert "its content does not match its name" in lab.wait_for_state("broken")["detail"]


def test_what_a_killed_supervisor_left_in_scratch_is_swept(lab: Any, tmp_path: Path) -> None:
    order = lab.order(files(tmp_path))
    supervisor = lab.start()
    lab.run(order, {"name": "a"})
    (left,) = (tmp_path / "scratch").iterdir()
    supervisor.kill()
    supervisor.wait()
    lab.start()
    lab.run(order, {"name": "b"})
    (now,) = (tmp_path / "scratch").iterdir()
    assert now != left


def test_messages_are_as_their_schemas_say(lab: Any, tmp_path: Path) -> None:
    import jsonschema

    schemas = Path(__file__).resolve().parents[2] / "schemas"
    order = lab.order({"mod.py": "def work(n): return {'n': 1 / n, 's': {'time': [1], 'value': [2]}}"})
    lab.start()
    batch = {"format": 1, "batch": "b-1", "order": order, "jobs": [
        {"id": "0" * 20, "row": 0, "attempt": 1, "job": {"n": 2}, "argv": None},
        {"id": "1" * 20, "row": 1, "attempt": 1, "job": {"n": 0}, "argv": None},
    ]}  # fmt: skip
    lab.send("b-1", "cloudburst_worker.batch.run", batch)
    lab.wait(lambda: lab.finished("b-1"), "the end")
    messages = {
        "order": [json.loads(lab.client.get(f"{PREFIX}:order:{order}"))],
        "batch": [batch],
        "row": lab.outcomes,
    }
    for name, instances in messages.items():
        schema = json.loads((schemas / f"{name}.schema.json").read_text())
        jsonschema.Draft7Validator.check_schema(schema)
        for instance in instances:
            jsonschema.validate(instance, schema, cls=jsonschema.Draft7Validator)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({**instance, "stranger": 1}, schema, cls=jsonschema.Draft7Validator)
    assert [outcome["status"] for outcome in lab.outcomes] == ["done", "failed"]
