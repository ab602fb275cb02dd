"""`cloudburst open`: what is said when there is nothing to open, and the page of a study that runs here."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cloudburst.cli.opening import DOORS, in_browser

SLOW = """\
import pathlib, time

def fill(inflow, height, area):
    while not pathlib.Path(PLACE).exists():
        time.sleep(0.02)
    return 1
"""


def test_nothing_runs(study: Any) -> None:
    ended = study.run("open")
    assert (ended.code, ended.out) == (1, "")
    assert "nothing of tanks runs now" in ended.err
    assert "while `cloudburst apply` runs" in ended.err


@pytest.mark.parametrize("name", sorted(set(DOORS) - {"status"}))
def test_a_study_of_this_machine_has_one_page(study: Any, name: str) -> None:
    ended = study.run("open", name)
    assert ended.code == 2
    assert "runs on this machine, where there is no service but the controller" in ended.err


def test_a_page_there_is_not(study: Any) -> None:
    ended = study.run("open", "grafna")
    assert ended.code == 2
    assert "grafana" in ended.err


@pytest.mark.parametrize(
    ("environment", "platform", "shown"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"BROWSER": "firefox"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_where_there_is_a_screen(environment: dict[str, str], platform: str, shown: bool) -> None:
    assert (in_browser("http://127.0.0.1:1/", environment, platform) is not None) is shown


@pytest.fixture
def running(study: Any, tmp_path: Path) -> Any:
    """The study under way, its jobs waiting for the file `go`."""
    study.write({"model/tank.py": SLOW.replace("PLACE", repr(str(tmp_path / "go")))})
    apply = study.process("apply")
    try:
        wait_for(lambda: study.run("status", "--json").json["run"] is not None, apply)
        yield study
    finally:
        (tmp_path / "go").touch()
        _, err = apply.communicate(timeout=90)
        assert apply.returncode == 0, err


def wait_for(condition: Any, process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_the_page_of_a_study_that_runs_here(running: Any) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    }
    opened = running.process("open", "--json", env=environment)
    printed = running.process("open", "status", "--print", env=environment)
    try:
        document = json.loads(opened.stdout.readline())
        assert ask(document["url"], None) == 401
        login = base64.b64encode(f"{document['user']}:{document['password']}".encode()).decode()
        assert ask(document["url"], f"Basic {login}") == 200
        assert ask(document["url"] + "metrics", f"Basic {login}") == 200
        url = printed.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        said = printed.stderr.readline() + printed.stderr.readline()
        assert f"user cloudburst, password {document['password']}" in said
        assert "it stays open until Ctrl-C" in said
        assert ask(url, f"Basic {login}") == 200, "printing the URL is no reason to close the way there"
    finally:
        for process in (opened, printed):
            process.send_signal(signal.SIGINT)
    for process in (opened, printed):
        rest, err = process.communicate(timeout=20)
        assert (process.returncode, rest) == (0, ""), err
    assert ask(url, None) is None, "and with Ctrl-C it is closed"


def ask(url: str, authorization: str | None) -> int | None:
    """The answer's status; None when nobody listens."""
    question = urllib.request.Request(url, headers={"Authorization": authorization} if authorization else {})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            question, timeout=10
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except urllib.error.URLError:
        return None
