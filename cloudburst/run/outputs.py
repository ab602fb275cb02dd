"""The results where the file says they go: every sink brought up to date from the ledger."""

from __future__ import annotations

from pathlib import Path

from ..spec.ensemble import TableSink
from .file_store import RESULTS, Objects
from .ledger import Ledger
from .observe import Study
from .results import join
from .sinks.files import write_files
from .sinks.table import write_table


def write_outputs(study: Study, *, tables_only: bool = False) -> tuple[str, ...]:
    """Write tables (and files); the paths of the tables, as the user wrote them.

    Raises CloudBurstError where a path cannot be written; the ledger keeps everything all the same.
    """
    written = []
    with Ledger.open(study.places.ledger, study.ensemble.name) as ledger:
        for sink in study.ensemble.results:
            results = join(
                study.jobs, lambda ids: ledger.outcomes(ids, study.payload.digest), study.payload.digest
            )
            if isinstance(sink, TableSink):
                write_table(study.places.spec.parent / sink.file, results, about=about(study))
                written.append(sink.file)
            elif not tables_only:
                write_files(
                    study.places.spec.parent / sink.directory, results, lambda sha: stored(study, sha)
                )
    return tuple(written)


def stored(study: Study, digest: str) -> Path:
    """Where this machine's file store keeps a result object; it may be missing."""
    return Objects(study.places.files).path(RESULTS, digest)


def about(study: Study) -> dict[str, str]:
    """Where the numbers come from: what SQLite keeps beside them."""
    return {"study": study.ensemble.name, "spec": study.places.spec.name, "payload": study.payload.digest}
