"""Objects that another file store has, fetched into this machine's: checked, once, and only when missing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudburst.errors import FileStoreError
from cloudburst.run.file_store import RESULTS, FileService, FileStore, Objects
from cloudburst.run.http import Server
from cloudburst.run.ledger import Ledger
from cloudburst.run.objects import Fetched, brought, fetch_objects, here, send_objects
from cloudburst.run.places import Places, places
from cloudburst.run.secrets import FILES_TOKEN, generate, read

from .test_ledger import outcome


@dataclass
class Owner:
    places: Places


@dataclass
class Far:
    """A store elsewhere, and where its objects lie there."""

    store: FileStore
    objects: Objects

    def put(self, content: bytes) -> str:
        return self.store.put(RESULTS, content)


@pytest.fixture
def far(short: Path, tmp_path: Path) -> Iterator[Far]:
    generate(tmp_path / "secrets")
    server = Server(f"unix:{short}/files.sock", FileService(tmp_path / "far", tmp_path / "secrets", 1 << 20))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    token = read(tmp_path / "secrets", FILES_TOKEN)
    yield Far(FileStore(f"unix:{short}/files.sock", token), Objects(tmp_path / "far"))
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def study(tmp_path: Path) -> Owner:
    place = places(tmp_path / "study" / "ensemble.yaml", "waves")
    place.root.mkdir(parents=True)
    return Owner(place)


def names(digest: str) -> dict[str, object]:
    return {"object": digest, "names": ["tank"]}


def test_an_object_is_fetched_once(far: Far, study: Owner) -> None:
    digest = far.put(b"a series")
    assert brought(study, digest, far.store).read_bytes() == b"a series"
    far.objects.path(RESULTS, digest).unlink()
    assert brought(study, digest, far.store).read_bytes() == b"a series"
    assert list(here(study, digest).parent.iterdir()) == [here(study, digest)]


def test_a_damaged_object_leaves_nothing_here(far: Far, study: Owner) -> None:
    digest = far.put(b"a series")
    far.objects.path(RESULTS, digest).write_bytes(b"another")
    with pytest.raises(FileStoreError, match="it is damaged there or on the way"):
        brought(study, digest, far.store)
    assert list(here(study, digest).parent.iterdir()) == []


def test_all_that_the_ledger_names_is_fetched_and_what_nobody_has_is_said(far: Far, study: Owner) -> None:
    old, new, file = far.put(b"old"), far.put(b"new"), far.put(b"a plot")
    lost = hashlib.sha256(b"lost").hexdigest()
    with Ledger.open(study.places.ledger, "waves", create=True) as ledger:
        ledger.record(
            [
                outcome(1, series=names(old), payload="a" * 64),
                outcome(1, series=names(new), files={"plot": {"object": file, "size": 6, "name": "p.png"}}),
                outcome(2, series=names(new)),
                outcome(3, series=names(lost)),
            ]
        )
    assert fetch_objects(study, far.store) == Fetched(3, (lost,))
    assert fetch_objects(study, far.store) == Fetched(0, (lost,))
    assert [here(study, digest).read_bytes() for digest in (old, new, file)] == [b"old", b"new", b"a plot"]


def test_of_what_was_never_computed_there_is_nothing_to_fetch(far: Far, study: Owner) -> None:
    assert fetch_objects(study, far.store) == Fetched(0, ())


def test_what_is_here_is_sent_to_a_store_that_was_only_told_of_the_rows(study: Owner, far: Far) -> None:
    mine, theirs = b"a series of mine", b"one that both have"
    for content in (mine, theirs):
        Objects(study.places.files).make()
        place = here(study, hashlib.sha256(content).hexdigest())
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    far.put(theirs)
    digests = [hashlib.sha256(content).hexdigest() for content in (mine, theirs, b"nobody has this one")]
    with Ledger.open(study.places.ledger, "waves", create=True) as ledger:
        ledger.record([outcome(at, series=names(digest)) for at, digest in enumerate(digests)])
    assert send_objects(study, far.store) == 2
    assert far.objects.path(RESULTS, digests[0]).read_bytes() == mine
    assert send_objects(study, far.store) == 2, "again is as good as once"
