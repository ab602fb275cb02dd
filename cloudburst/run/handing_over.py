"""Talking to a cluster that stands: its controller and file store, and what the store needs before the first job."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import ProviderError
from . import secrets
from .clusters import Endpoints
from .controller_client import ControllerClient
from .events import Doing, OnEvent
from .file_store import PAYLOAD, FileStore
from .follow import Status
from .observe import Study


def controller_of(endpoints: Endpoints) -> ControllerClient:
    return ControllerClient(endpoints.controller, secrets.read(endpoints.secrets, secrets.API_TOKEN))


def files_of(endpoints: Endpoints) -> FileStore:
    return FileStore(endpoints.files, secrets.read(endpoints.secrets, secrets.FILES_TOKEN))


def upload(study: Study, store: FileStore, named: Set[str], on_event: OnEvent) -> None:
    """Only what the store does not have: worker.zip, the inputs and the files `named`, by sha256."""
    for name, content in study.objects(named):
        if store.has(PAYLOAD, content.digest):
            continue
        on_event(Doing("upload", name))
        with TemporaryDirectory(prefix="cloudburst-") as scratch:
            packed = Path(scratch) / "object"
            content.write(packed)
            store.put(PAYLOAD, packed)


def raise_if_broken(status: Status | None) -> None:
    """Raises ProviderError with the controller's reason."""
    if status is not None and status.get("state") == "broken":
        sentence, _, details = str(status["reason"]).partition("\n")
        raise ProviderError(sentence, details)
