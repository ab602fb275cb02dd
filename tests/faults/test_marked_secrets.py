"""A study with marked secrets is run, and everything it left or showed is searched for them: they are in the 0600 files
of `secrets/` and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sqlite3
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from faults.harness import Study, command, processes

if TYPE_CHECKING:
    from influxd import Database

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

LICENSE = "marked-license-7f3a91c2"
"""A value of `worker.env`."""
PASSWORD = "marked-password-5be208d4"
TOKEN = "marked-token-c94d170e"
"""Of a sink whose server refuses it: what is complained of is where a secret would slip out."""

SPEC = """\
cloudburst: 1
name: faults
worker: {{directory: worker, entrypoint: "jobs:work", env: [LICENSE], retries: {{max: 0}}}}
parameters:
  fixed: {{pause: 0.15}}
  grid: {{n: {{from: 1, to: 40, step: 1}}}}
cluster: {{provider: local, slots: 2}}
results:
  - table: {{path: results/faults.csv}}
  - influxdb: {{database: "{database}", url: "{url}", username: marked, password: INFLUX_PASSWORD}}
  - influxdb: {{database: "{database}_refused", url: "{url}", token: INFLUX_TOKEN}}
"""

WORKER = """\
import hashlib, os, time

def work(n, pause):
    time.sleep(pause)
    if n == 3:
        raise ValueError("no")
    if n == 4:
        os.abort()
    print("licensed")
    return {"digest": hashlib.sha256(os.environ["LICENSE"].encode()).hexdigest(), "level": {"time": [0, 1], "value": [n, n]}}
"""


@pytest.fixture
def marked(study: Study, influx: Database, monkeypatch: pytest.MonkeyPatch) -> Study:
    influx.server.query(f"CREATE USER marked WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")
    monkeypatch.setenv("LICENSE", LICENSE)
    monkeypatch.setenv("INFLUX_PASSWORD", PASSWORD)
    monkeypatch.setenv("INFLUX_TOKEN", TOKEN)
    (study.home / "worker").mkdir()
    (study.home / "worker" / "jobs.py").write_text(WORKER)
    (study.home / "ensemble.yaml").write_text(SPEC.format(database=influx.name, url=influx.server.url))
    return study


# ── where it could be ────────────────────────────────────────────────────────────────────────
def spellings(secret: str) -> Iterator[bytes]:
    """As it is, in a URL, in JSON, and as part of an HTTP header of Basic authentication."""
    yield from {secret.encode(), quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()}
    for user in ("", "marked:", ":"):
        yield base64.b64encode(f"{user}{secret}".encode()).rstrip(b"=")[:-1]


def contents(file: Path) -> Iterator[tuple[str, bytes]]:
    """The bytes of a file, and of what is packed in it."""
    try:
        yield str(file), file.read_bytes()
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                yield from ((f"{file}/{name}", archive.read(name)) for name in archive.namelist())
    except OSError:  # gone meanwhile, or a socket
        return


def files(study: Study) -> Iterator[Path]:
    """All that a study writes: beside its file, in the cache, in the directory of its sockets."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", tempfile.gettempdir()))
    for root in (
        study.home,
        study.cache,
        *runtime.glob("cloudburst*"),
        *Path(tempfile.gettempdir()).glob("cloudburst*"),
    ):
        for directory, _, names in os.walk(root):
            yield from (Path(directory) / name for name in names)


def is_kept_private(study: Study, file: Path) -> bool:
    secrets = study.home / ".cloudburst" / "faults" / "secrets"
    return (
        file.is_relative_to(secrets)
        and secrets.stat().st_mode & 0o777 == 0o700
        and file.stat().st_mode & 0o777 == 0o600
    )


def generated(study: Study) -> set[str]:
    """What was made by chance for this deployment: passwords and tokens, one a file."""
    directory = study.home / ".cloudburst" / "faults" / "secrets"
    texts = (file.read_text() for file in directory.iterdir() if file.is_file())
    return {
        text.strip()
        for text in texts
        if 16 <= len(text.strip()) <= 100 and "\n" not in text.strip() and "{" not in text
    }


def found(study: Study, secrets: set[str]) -> list[str]:
    """Where one of them stands and should not."""
    wanted = [spelling for secret in secrets for spelling in spellings(secret)]
    return [
        place
        for file in files(study)
        if not (file.exists() and is_kept_private(study, file))
        for place, data in contents(file)
        if any(spelling in data for spelling in wanted)
    ]


@contextmanager
def watched() -> Iterator[set[str]]:
    """Every command line that any process of the machine has meanwhile."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            seen.update(command(pid) for pid in processes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()


def test_marked_secrets_are_nowhere(marked: Study, influx: Database) -> None:
    study = marked
    with watched() as processes_seen:
        apply = study.start("apply", "--json")
        events = study.until_done(apply, 6)
        secrets = {LICENSE, PASSWORD, TOKEN} | generated(study)
        while_it_ran = found(study, secrets)
        shown = [study.run("status", "--json")]
        code, later, complained = study.finish(apply)
        events += later
    assert code == 4, complained
    assert len(secrets) >= 3 + 4, "the queue's password and the tokens are among them"
    assert [row["digest"] for row in study.table()].count(hashlib.sha256(LICENSE.encode()).hexdigest()) == 38
    assert influx.points("level"), "the sink that was let in has the series"
    refused = [e for e in events if e["event"] == "warning" and f"{influx.name}_refused" in json.dumps(e)]
    assert refused, "the other was complained of"

    asked = (
        "plan --json",
        "plan --jobs -",
        "logs row:2 --json",
        "failures --json",
        "results --format jsonl",
        "doctor",
    )
    shown += [study.run(*words.split()) for words in asked]
    said = "\n".join(
        [json.dumps(events), complained, *(out + err for _, out, err in shown), *processes_seen]
    ).encode()
    wanted = {spelling: secret for secret in secrets for spelling in spellings(secret)}
    assert not [secret for spelling, secret in wanted.items() if spelling in said]
    assert while_it_ran == []
    assert found(study, secrets) == []


def test_the_search_finds_what_is_there(marked: Study) -> None:
    """A search that finds nothing may have looked nowhere."""
    home = marked.home / ".cloudburst" / "faults"
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "a.log").write_text(f"url=http://marked:{PASSWORD}@host")
    (home / "header.bin").write_bytes(base64.b64encode(f"marked:{PASSWORD}".encode()))
    with zipfile.ZipFile(home / "worker.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("settings.py", f"license = {LICENSE!r}\n" * 100)
    with closing(sqlite3.connect(home / "ledger.sqlite")) as database:
        database.execute("CREATE TABLE o (output TEXT)")
        database.execute("INSERT INTO o VALUES (?)", (f"Bearer {TOKEN}",))
        database.commit()
    (home / "secrets").mkdir(mode=0o700)
    for name, mode in (("private", 0o600), ("open", 0o644)):
        (home / "secrets" / name).write_text(TOKEN)
        (home / "secrets" / name).chmod(mode)
    places = [Path(place).relative_to(home).as_posix() for place in found(marked, {LICENSE, PASSWORD, TOKEN})]
    assert sorted(places) == [
        "header.bin",
        "ledger.sqlite",
        "logs/a.log",
        "secrets/open",
        "worker.zip/settings.py",
    ]
    with watched() as seen:
        ended = marked.start("status", f"--{TOKEN}")
        ended.communicate(timeout=60)
    assert any(TOKEN in line for line in seen)
