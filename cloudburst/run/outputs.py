"""The results where the file says they go: tables and files, brought up to date from the ledger.

Sinks on the network are the controller's to feed.
"""

from __future__ import annotations

from ..spec.ensemble import FilesSink, TableSink
from .file_store import FileStore
from .ledger import Ledger
from .objects import brought, here
from .observe import Study
from .results import join
from .sinks.files import Find, write_files
from .sinks.table import write_table


def write_outputs(
    study: Study, *, tables_only: bool = False, files: FileStore | None = None
) -> tuple[str, ...]:
    """Write tables (and files); the paths of the tables, as the user wrote them. `files`: where objects
    are that are not on this machine yet.

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
            elif isinstance(sink, FilesSink) and not tables_only:
                write_files(study.places.spec.parent / sink.directory, results, finder(study, files))
    return tuple(written)


def finder(study: Study, files: FileStore | None = None) -> Find:
    """Finds an object of the results by its sha256; one that is not here is fetched from `files` first."""
    if files is None:
        return lambda digest: here(study, digest)
    return lambda digest: brought(study, digest, files)


def about(study: Study) -> dict[str, str]:
    """Where the numbers come from: what SQLite keeps beside them."""
    return {"study": study.ensemble.name, "spec": study.places.spec.name, "payload": study.payload.digest}
