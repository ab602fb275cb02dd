"""Objects of results (series, files) between file stores: brought to this machine when needed, or sent from it.

Named by their content: what is here is right, and what is fetched is checked before it has its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .file_store import RESULTS, FileStore, Objects
from .ledger import Ledger, Outcome
from .replica import Owner

AT_ONCE = 8
"""Objects fetched at the same time: most are small, and the way is long."""


@dataclass(frozen=True)
class Fetched:
    """How many objects were fetched, and which nobody has."""

    count: int
    missing: tuple[str, ...]


def here(study: Owner, digest: str) -> Path:
    """Where this machine's file store keeps a result object; it may be missing."""
    return Objects(study.places.files).path(RESULTS, digest)


def brought(study: Owner, digest: str, files: FileStore) -> Path:
    """The same, fetched from `files` when it is not here yet. Raises FileStoreError."""
    place = here(study, digest)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        files.get(RESULTS, digest, place)
    return place


def fetch_objects(study: Owner, files: FileStore) -> Fetched:
    """Every object that an outcome of the ledger names, of all payloads and attempts.

    Raises FileStoreError when the store does not answer; what was fetched until then is kept.
    """
    if not study.places.ledger.exists():
        return Fetched(0, ())
    with Ledger.open(study.places.ledger, study.places.study) as ledger:
        wanted = [digest for digest in named(_outcomes(ledger)) if not here(study, digest).exists()]

    def fetch(digest: str) -> bool:
        if not files.has(RESULTS, digest):
            return False
        brought(study, digest, files)
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(fetch, wanted))
    return Fetched(
        sum(found), tuple(digest for digest, there in zip(wanted, found, strict=True) if not there)
    )


def send_objects(study: Owner, files: FileStore) -> int:
    """Every object that an outcome of the ledger names and that is on this machine; how many. Those that
    are there already do not travel.

    A cluster that was told of rows computed elsewhere needs their series too, to feed its sinks.
    Raises FileStoreError.
    """
    with Ledger.open(study.places.ledger, study.places.study) as ledger:
        held = [place for digest in named(_outcomes(ledger)) if (place := here(study, digest)).exists()]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return len(list(pool.map(lambda place: files.put(RESULTS, place), held)))


def _outcomes(ledger: Ledger) -> Iterator[Outcome]:
    after, more = 0, True
    while more:
        page = ledger.page(after)
        yield from page.outcomes
        after, more = page.last, page.more


def named(outcomes: Iterable[Outcome]) -> list[str]:
    """The objects that these outcomes name, each once, in the order of recording."""
    found: dict[str, None] = {}
    for outcome in outcomes:
        if outcome["series"]:
            found[outcome["series"]["object"]] = None
        for file in (outcome["files"] or {}).values():
            found[file["object"]] = None
    return list(found)
