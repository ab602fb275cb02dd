"""What a user's function may do to its runner, and what is recorded of it."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

MODULE = """
import ctypes, json, os, pathlib, signal, subprocess, sys, tempfile, time

HERE = os.getcwd()
SETUPS = 0

def setup():
    global SETUPS
    SETUPS += 1
    open("made-by-setup.txt", "w").write("kept")

def work(do, **more):
    return globals()["do_" + do](**more)

def do_value(): return 7
def do_dict(): return {"a": 1, "b": [1.5, None, "x"], "c": {"d": True}, "inf": float("inf")}
def do_series(): return {"level": {"time": [0, 60, 120], "value": [1.0, 2.0, 4.0]}, "top": 4.0}
def do_path():
    path = pathlib.Path("plot.txt")
    path.write_text("a plot")
    return {"plot": path, "n": 1}
def do_missing_path(): return {"plot": pathlib.Path("nowhere.png")}
def do_raise():
    print("before it")
    return inner()
def inner(): raise ValueError("demand is negative")
def do_exit(): sys.exit("enough")
def do_interrupt(): raise KeyboardInterrupt
def do_os_exit():
    print("about to leave")
    os._exit(3)
def do_segfault():
    print("about to crash")
    ctypes.string_at(0)
def do_loop():
    print("looping")
    while True: pass
def do_print(megabytes):
    line = "x" * 1023
    for _ in range(megabytes * 1024): print(line)
    print("the last line")
def do_unstorable(): return {"foo": [1, 2, object()]}
def do_open_file(): return {"log": open("log.txt", "w")}
def do_keys(): return {"flows": {1: 2}}
def do_large(): return {"text": "x" * 2_000_000}
def do_memory(megabytes):
    kept = []
    while True:
        kept.append(b"x" * (megabytes * 1024 * 1024))
        time.sleep(0.01)
def do_fork():
    if os.fork() == 0:
        return "a child came out of the function"
    os.wait()
    return {"parent": True}
def do_daemon():
    return {"pid": subprocess.Popen(["sleep", "1000"], start_new_session=True).pid}
def do_grandchild():
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    os.wait()
def do_mess():
    for name in ("left.txt", "left2.txt"): open(name, "w").write("left")
    os.makedirs("deep/er"); os.chmod("deep", 0)
    os.environ["LEFT"] = "1"; os.environ.pop("TMPDIR")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(1)
    sys.stdout.close(); os.close(1); os.close(2)
    os.chdir("/")
    sys.path.insert(0, "/nowhere")
    os.umask(0o777)
    import shutil; shutil.rmtree(HERE, ignore_errors=True)
def do_look():
    print("I can print")
    return {
        "cwd": os.getcwd(), "files": sorted(os.listdir()), "left": os.environ.get("LEFT"), "tmp": tempfile.gettempdir(),
        "tmpdir": os.environ.get("TMPDIR"), "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
        "path": sys.path[0], "setups": SETUPS, "pid": os.getpid(), "data": open("data/table.csv").read(),
    }
def do_environ(): return dict(os.environ)
def do_read(path): return {"text": open(path).read(), "path": path}
def do_touch(path, seconds=0, leave=None):
    pathlib.Path(path).write_text(str(os.getpid()))
    time.sleep(seconds)
    return os.getpid()
"""

FILES = {"mod.py": MODULE, "data/table.csv": "a,b\n1,2\n"}


def one(lab: Any, order: str, **job: Any) -> dict[str, Any]:
    """The outcome of one job."""
    (outcome,) = lab.run(order, job)
    return dict(outcome)


def test_the_ways_to_return_something(lab: Any) -> None:
    order = lab.order(FILES)
    lab.start()
    value, fields, series, file = lab.run(
        order, *({"do": name} for name in ("value", "dict", "series", "path"))
    )
    assert value["result"] == {"value": 7}
    assert value["status"] == "done"
    assert fields["result"] == {"a": 1, "b": [1.5, None, "x"], "c": {"d": True}, "inf": float("inf")}
    assert (series["result"], series["series"]["names"]) == ({"top": 4.0}, ["level"])
    header, numbers = lab.store.objects[f"results/{series['series']['object']}"].split(b"\n", 1)
    assert json.loads(header)["series"][0] == {
        "name": "level",
        "length": 3,
        "index": {"name": "time", "kind": "int64"},
        "columns": [{"name": "value", "kind": "float64"}],
    }
    assert struct.unpack("<qqqddd", numbers) == (0, 60, 120, 1.0, 2.0, 4.0)
    assert (file["result"], file["files"]["plot"]["size"], file["files"]["plot"]["name"]) == (
        {"n": 1},
        6,
        "plot.txt",
    )
    assert lab.store.objects[f"results/{file['files']['plot']['object']}"] == b"a plot"


def test_failures_are_that_jobs_alone(lab: Any) -> None:
    order = lab.order(FILES)
    lab.start()
    names = (
        "raise",
        "exit",
        "interrupt",
        "os_exit",
        "segfault",
        "unstorable",
        "open_file",
        "keys",
        "large",
        "missing_path",
    )
    outcomes = dict(zip(names, lab.run(order, *({"do": name} for name in names)), strict=True))
    after = one(lab, order, do="value")
    assert {outcome["status"] for outcome in outcomes.values()} == {"failed"}
    kinds = {name: outcome["kind"] for name, outcome in outcomes.items()}
    assert [name for name, kind in kinds.items() if kind == "crash"] == ["os_exit", "segfault"]
    assert set(kinds.values()) == {"error", "crash"}
    raised = outcomes["raise"]["error"]
    assert raised.startswith("ValueError: demand is negative\n\nTraceback")
    assert 'File "mod.py"' in raised
    assert "cloudburst" not in raised
    assert outcomes["raise"]["output"] == "before it\n"
    assert outcomes["exit"]["error"].startswith("SystemExit: enough")
    assert outcomes["interrupt"]["error"].startswith("KeyboardInterrupt")
    assert "exit code 3" in outcomes["os_exit"]["error"]
    assert outcomes["os_exit"]["output"] == "about to leave\n"
    assert "segmentation fault (SIGSEGV)" in outcomes["segfault"]["error"]
    assert outcomes["segfault"]["output"].startswith("about to crash\nFatal Python error: Segmentation fault")
    assert "`result.foo[2]` is an object" in outcomes["unstorable"]["error"]
    assert "`result.log` is" in outcomes["open_file"]["error"]
    assert "the key 1 (int)" in outcomes["keys"]["error"]
    assert "2.1 MB" in outcomes["large"]["error"] or "1.9 MB" in outcomes["large"]["error"]
    assert "no such file" in outcomes["missing_path"]["error"]
    assert after["status"] == "done"


def test_a_timeout_ends_the_job_with_its_number(lab: Any) -> None:
    order = lab.order(FILES, timeout=1.0)
    lab.start()
    loop, after = lab.run(order, {"do": "loop"}, {"do": "value"})
    assert (loop["kind"], loop["output"]) == ("timeout", "looping\n")
    assert "timeout of 1 s" in loop["error"]
    assert loop["seconds"] >= 1
    assert after["status"] == "done"


def test_a_memory_limit_ends_the_job_with_its_numbers(lab: Any) -> None:
    order = lab.order(FILES, memory=150_000_000)
    lab.start()
    memory, after = lab.run(order, {"do": "memory", "megabytes": 8}, {"do": "value"})
    assert memory["kind"] == "memory"
    assert "needs.memory allows (0.15 GB)" in memory["error"]
    assert after["status"] == "done"


def test_printing_a_hundred_megabytes_keeps_the_end(lab: Any) -> None:
    order = lab.order(FILES)
    lab.start()
    printed, after = lab.run(order, {"do": "print", "megabytes": 100}, {"do": "value"})
    assert printed["output"].endswith("x\nthe last line\n")
    assert len(printed["output"]) == 4 * 1024
    assert after["output"] == ""


def test_what_a_job_does_to_its_process_is_undone(lab: Any) -> None:
    order = lab.order(FILES)
    lab.start()
    before, mess, after = lab.run(order, {"do": "look"}, {"do": "mess"}, {"do": "look"})
    assert before["result"]["files"] == ["data", "made-by-setup.txt", "mod.py"]
    assert mess["status"] == "done"
    assert after["result"]["pid"] == before["result"]["pid"]
    assert after["output"] == "I can print\n"
    unchanged = set(before["result"]) - {"files"}
    assert {key: after["result"][key] for key in unchanged} == {
        key: before["result"][key] for key in unchanged
    }
    assert after["result"]["files"] == [
        "data",
        "mod.py",
    ]  # the job deleted the scratch, and setup's file with it


def test_the_payload_is_read_only_for_root_too(lab: Any) -> None:
    module = """
import os
def work(do):
    if do == "write":
        with open("data.txt", "w") as file: file.write("changed")
    if do == "own":
        with open("mine.txt", "w") as file: file.write("mine")
        os.chmod("mine.txt", 0o400)
    if do == "program":
        return os.system("echo changed > data.txt")
    return open("data.txt").read()
"""
    order = lab.order({"mod.py": module, "data.txt": "original"})
    lab.start()
    assert "PermissionError" in one(lab, order, do="write")["error"]
    assert one(lab, order, do="program")["result"]["value"] != 0
    assert one(lab, order, do="own")["status"] == "done"
    assert one(lab, order, do="read")["result"] == {"value": "original"}


def test_children_end_with_their_job(lab: Any, alive: Any) -> None:
    order = lab.order(FILES)
    lab.start()
    forked, daemon, _, after = lab.run(
        order, {"do": "fork"}, {"do": "daemon"}, {"do": "grandchild"}, {"do": "value"}
    )
    assert forked["result"] == {"parent": True}
    assert len(lab.outcomes) == 4
    assert not alive(daemon["result"]["pid"])
    assert after["status"] == "done"


def test_setup_runs_once_per_runner_across_batches(lab: Any) -> None:
    order = lab.order(FILES)
    lab.start(slots="2")
    looks = [lab.run(order, *[{"do": "look"}] * 3) for _ in range(4)]
    results = [outcome["result"] for batch in looks for outcome in batch]
    assert {result["setups"] for result in results} == {1}
    assert len({result["pid"] for result in results}) <= 2
    assert {outcome["worker"] for batch in looks for outcome in batch} <= {"node-1/0", "node-1/1"}


def test_a_process_per_job(lab: Any) -> None:
    order = lab.order(FILES, isolation="fork", timeout=5.0)
    lab.start()
    names = ("look", "os_exit", "segfault", "raise", "fork", "series", "look")
    outcomes = lab.run(order, *({"do": name} for name in names))
    first, last = outcomes[0]["result"], outcomes[-1]["result"]
    assert first["setups"] == last["setups"] == 1
    assert first["pid"] != last["pid"]
    assert [o["kind"] for o in outcomes] == [None, "crash", "crash", "error", None, None, None]
    assert "SIGSEGV" in outcomes[2]["error"]
    assert outcomes[5]["series"]["names"] == ["level"]


def test_a_runner_sees_only_the_variables_it_was_promised(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING_PRIVATE", "of the caller")
    order = lab.order(FILES, env=["LICENSE"])
    lab.start()
    environ = one(lab, order, do="environ")["result"]
    assert environ["LICENSE"] == "abc"
    assert environ["OMP_NUM_THREADS"] == "1"
    assert not {"SOMETHING_PRIVATE", "OTHER", "PYTHONPATH"} & set(environ)
    assert "a-password" not in environ.values()
    assert environ["PATH"].split(os.pathsep)[0] == environ["VIRTUAL_ENV"] + "/bin"


def test_references_to_inputs_become_local_read_only_paths(lab: Any) -> None:
    digest = lab.store.add(b"a large model")
    order = lab.order(FILES, inputs={digest: {"name": "city.inp", "kind": "file"}})
    lab.start()
    outcome = one(lab, order, do="read", path=f"cloudburst-input://{digest}")
    assert outcome["result"]["text"] == "a large model"
    path = Path(outcome["result"]["path"])
    assert path.name == "city.inp"
    assert not path.stat().st_mode & 0o222


def test_a_function_may_take_the_whole_description(lab: Any) -> None:
    order = lab.order({"mod.py": "def work(job): return {'got': job}"})
    lab.start()
    assert one(lab, order, a=1, b={"c": 2})["result"] == {"got": {"a": 1, "b": {"c": 2}}}


def test_arguments_that_do_not_fit_are_named(lab: Any) -> None:
    order = lab.order({"mod.py": "def work(demand, pump): return 1"})
    lab.start()
    assert "it needs `pump`, and the job has `demand`" in one(lab, order, demand=1)["error"]
    assert "it takes no `x`" in one(lab, order, demand=1, pump=2, x=3)["error"]


def test_a_file_the_store_refuses_is_that_jobs_failure(lab: Any) -> None:
    module = """
        import pathlib
        def work(size):
            path = pathlib.Path("big"); path.write_bytes(bytes(size)); return path
    """
    order = lab.order({"mod.py": module})
    lab.start()
    big, small = lab.run(order, {"size": 51 * 2**20}, {"size": 5 * 2**20})
    assert big["kind"] == "error"
    assert "larger than" in big["error"]
    assert small["files"]["value"]["size"] == 5 * 2**20


# ── programs ─────────────────────────────────────────────────────────────────────────────────
SOLVE = """\
#!/bin/sh
case "$1" in
  stdout) echo '{"head": 3.5}' ;;
  file) echo some progress; cp job.json result.json ;;
  nothing) ;;
  text) echo hello ;;
  bad) echo "no convergence" >&2; exit 4 ;;
  signal) kill -SEGV $$ ;;
  later) sleep 1000 & echo '{"a": 1}' ;;
  python) python -c 'import sys; print(repr(sys.prefix).replace(chr(39), chr(34)))' ;;
esac
"""


def command(lab: Any, order: str, *arguments: str) -> dict[str, Any]:
    (outcome,) = lab.run(order, {"n": 1}, argv=list(arguments))
    return dict(outcome)


def test_programs(lab: Any) -> None:
    order = lab.order({"solve*": SOLVE, "notes.txt": "", "result.json": '{"old": 1}'}, entrypoint=None)
    lab.start()
    printed = command(lab, order, "./solve", "stdout")
    assert (printed["result"], printed["output"]) == ({"head": 3.5}, '{"head": 3.5}\n')
    assert command(lab, order, "./solve", "file")["result"] == {"n": 1}
    assert command(lab, order, "./solve", "nothing")["result"] == {}
    assert command(lab, order, "./solve", "later")["result"] == {"a": 1}
    assert command(lab, order, "./solve", "python")["result"]["value"].startswith(str(lab.cache))
    failed = {name: command(lab, order, "./solve", name) for name in ("text", "bad", "signal")}
    assert "not JSON" in failed["text"]["error"]
    assert failed["bad"]["error"] == "`./solve` ended with exit code 4: no convergence"
    assert failed["bad"]["output"] == "no convergence\n"
    assert [failed[name]["kind"] for name in failed] == ["error", "error", "crash"]
    assert "SIGSEGV" in failed["signal"]["error"]
    assert "chmod +x" in command(lab, order, "./notes.txt")["error"]
    assert "there is no program `./gone`" in command(lab, order, "./gone")["error"]
    assert "write ./solve" in command(lab, order, "solve")["error"]


def test_times_are_those_of_the_job(lab: Any, tmp_path: Path) -> None:
    order = lab.order(FILES)
    lab.start()
    before = time.time()
    outcome = one(lab, order, do="touch", path=str(tmp_path / "t"), seconds=0.2)
    assert before <= outcome["started"] <= time.time()
    assert 0.2 <= outcome["seconds"] < 10
