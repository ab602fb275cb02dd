"""Recording, in front of another imitation instead of a real account; and the commands to play by hand."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from . import PROMPT, Fault, Imitation
from .asking import PUBLIC_KEY
from .official import violations
from .record import Recorder, Redaction, read

ROOT = Path(__file__).resolve().parents[3]


def _ask(end_point: str, token: str, path: str, body: object = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(end_point + path, data, headers), timeout=10) as said:
        return json.loads(said.read())


@pytest.fixture
def behind() -> Imitation:
    it = Imitation(manners=PROMPT)
    it.account.email = "person@example.org"
    return it


def test_what_is_said_is_written_down_without_what_is_personal(behind: Imitation, tmp_path: Path) -> None:
    with behind as it, Recorder(it.url, tmp_path) as recorder:
        secret = "#cloud-config\n{}"
        _ask(recorder.end_point, it.token, "account")
        _ask(recorder.end_point, it.token, "account/keys", {"name": "k", "public_key": PUBLIC_KEY})
        _ask(
            recorder.end_point,
            it.token,
            "droplets",
            {"name": "w", "size": "s-1vcpu-1gb", "image": "debian-12-x64", "user_data": secret},
        )
        _ask(recorder.end_point, it.token, "droplets")
        assert it.account.droplet("w").user_data == secret
    written = "".join(place.read_text() for place in tmp_path.iterdir())
    for hidden in (it.token, "person@example.org", PUBLIC_KEY.split()[1], "cloud-config", "Someone"):
        assert hidden not in written
    assert [place.name for place in sorted(tmp_path.iterdir())] == [
        "0001-GET-v2-account.json",
        "0002-POST-v2-account-keys.json",
        "0003-POST-v2-droplets.json",
        "0004-GET-v2-droplets.json",
    ]
    recorded = list(read(tmp_path))
    assert violations(recorded) == []
    assert recorded[3].answered["droplets"][0]["name"] == "w"


def test_the_next_page_is_recorded_too(behind: Imitation, tmp_path: Path) -> None:
    with behind as it, Recorder(it.url, tmp_path) as recorder:
        first = _ask(recorder.end_point, it.token, "sizes")
        assert isinstance(first, dict)
        assert first["links"]["pages"]["next"] == f"{recorder.end_point}sizes?page=2"


def test_errors_and_silence_are_passed_on(behind: Imitation, tmp_path: Path) -> None:
    with behind as it, Recorder(it.url, tmp_path) as recorder:
        it.faults.add(Fault("GET", "/v2/account", "429", retry_after=3))
        with pytest.raises(urllib.error.HTTPError) as refused:
            _ask(recorder.end_point, it.token, "account")
        assert (refused.value.code, refused.value.headers["retry-after"]) == (429, "3")
        refused.value.close()
        it.faults.add(Fault("GET", "/v2/account", "drop-before"))
        with pytest.raises(ConnectionError):
            _ask(recorder.end_point, it.token, "account")
    assert [one.status for one in read(tmp_path)] == [429, None]


def test_an_address_has_the_same_stand_in_everywhere() -> None:
    redaction = Redaction()
    assert redaction.text("8.8.8.8 and 10.0.0.1, then 8.8.4.4 and 8.8.8.8, token", "token") == (
        "203.0.113.1 and 10.0.0.1, then 203.0.113.2 and 203.0.113.1, ***"
    )
    assert redaction.text("version 1.2.3 of 999.1.1.1", "") == "version 1.2.3 of 999.1.1.1"


@pytest.mark.slow
def test_played_by_hand_recorded_and_checked(tmp_path: Path) -> None:
    serve = _start("serve", "--manners", "prompt")
    try:
        exported = dict(_exported(serve) for _ in range(3))
        record = _start(
            "record", str(tmp_path), "--behind", exported["DIGITALOCEAN_END_POINT"][: -len("/v2/")]
        )
        try:
            _, end_point = _exported(record)
            _ask(end_point, exported["DIGITALOCEAN_TOKEN"], "account")
        finally:
            assert _ended(record) == 0
    finally:
        assert _ended(serve) == 0
    checked = subprocess.run(_command("check", str(tmp_path)), cwd=ROOT, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "1 exchanges, all as described\n"), checked.stderr


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.lab.imitation", *arguments]


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(_command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _exported(process: subprocess.Popen[str]) -> tuple[str, str]:
    assert process.stdout is not None
    found = re.fullmatch(r"export (\w+)=(\S+)\n", process.stdout.readline())
    assert found is not None
    return found[1], found[2]


def _ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    with process:
        return process.wait(timeout=30)
