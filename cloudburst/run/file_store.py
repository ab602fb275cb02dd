"""The file store: objects named by their sha256, in two areas. The service and its client.

`python -m cloudburst.run.file_store --listen ADDRESS --root DIR --secrets DIR --max-size BYTES`
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import io
import logging
import os
import re
import shutil
import signal
import sys
import threading
import uuid
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Literal

from ..errors import CloudBurstError, FileStoreError
from ..secret import Secret
from . import lifeline
from .addresses import Where, address_now
from .http import CHUNK, Refused, Reply, Request, Response, Server, Unanswered, exchange
from .http import request as ask
from .secrets import FILES_TOKEN, WORKER_TOKEN, read

log = logging.getLogger(__name__)

Area = Literal["payload", "results"]

PAYLOAD: Area = "payload"
"""worker.zip and inputs; only the client writes here."""
RESULTS: Area = "results"
"""What jobs leave: series and files."""

MAY_WRITE: dict[Area, tuple[str, ...]] = {PAYLOAD: (FILES_TOKEN,), RESULTS: (FILES_TOKEN, WORKER_TOKEN)}

DEFAULT_MAX_SIZE = 10 * 1000**3
"""Bytes of one object."""

_NAME = re.compile(r"/files/(?P<area>[a-z]+)/(?P<digest>[0-9a-f]{64})")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


# ── the objects on the disk ──────────────────────────────────────────────────────────────────
class Objects:
    """The store's directory. An object is complete or not there; many threads may write at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"

    def make(self) -> None:
        """Directories for the areas; what an ended server left half written is removed."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        self._incoming.mkdir(parents=True)
        for area in MAY_WRITE:
            (self._root / area).mkdir(exist_ok=True)

    def path(self, area: Area, digest: str) -> Path:
        """Where the object is, or would be. A fan of 256 directories keeps each of them small."""
        return self._root / area / digest[:2] / digest

    def put(self, area: Area, digest: str, pieces: Iterable[bytes]) -> bool:
        """Store the bytes durably; False when the object was there already.

        Raises Refused: 400 when they are not what the name says, 507 when there is no room.
        """
        place = self.path(area, digest)
        if place.exists():
            _receive(pieces, digest, None)
            return False
        temporary = self._incoming / uuid.uuid4().hex
        try:
            with open(temporary, "xb") as file:
                _receive(pieces, digest, file)
                file.flush()
                os.fsync(file.fileno())
            _keep(temporary, place)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise Refused(
                    HTTPStatus.INSUFFICIENT_STORAGE, "there is no room left for this file"
                ) from error
            raise
        finally:
            temporary.unlink(missing_ok=True)
        return True


def _receive(pieces: Iterable[bytes], digest: str, file: BinaryIO | None) -> None:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
        if file is not None:
            file.write(piece)
    if found.hexdigest() != digest:
        raise Refused(HTTPStatus.BAD_REQUEST, f"the name is not the sha256 of the body, {found.hexdigest()}")


def _keep(temporary: Path, place: Path) -> None:
    """Only a name that survives a power cut is answered for: the file is synced, now its directories."""
    if not place.parent.is_dir():
        place.parent.mkdir(exist_ok=True)
        _sync(place.parent.parent)
    os.replace(temporary, place)
    _sync(place.parent)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ── the service ──────────────────────────────────────────────────────────────────────────────
class FileService:
    """`PUT|GET|HEAD /files/<area>/<sha256>`, as docs/contracts.md says."""

    def __init__(self, root: Path, secrets: Path, max_size: int) -> None:
        self.tokens = {name: read(secrets, name) for name in (FILES_TOKEN, WORKER_TOKEN)}
        self._max_size = max_size
        self._objects = Objects(root)
        self._objects.make()

    def answer(self, request: Request) -> Reply:
        area, digest = _named(request.path)
        if request.method == "PUT":
            return self._put(request, area, digest)
        if request.method in {"GET", "HEAD"}:
            return self._get(area, digest)
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "PUT, GET and HEAD are understood here")

    def _put(self, request: Request, area: Area, digest: str) -> Reply:
        if request.role not in MAY_WRITE[area]:
            raise Refused(HTTPStatus.FORBIDDEN, f"this token may not write to {area}")
        if request.length is not None and request.length > self._max_size:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a file may have {self._max_size} bytes, this one has {request.length}",
                limit=self._max_size,
            )
        new = self._objects.put(area, digest, request.chunks())
        return Reply(HTTPStatus.CREATED if new else HTTPStatus.OK)

    def _get(self, area: Area, digest: str) -> Reply:
        try:
            file = open(self._objects.path(area, digest), "rb")  # noqa: SIM115 - the server closes it
        except FileNotFoundError:
            raise Refused(HTTPStatus.NOT_FOUND, f"there is no {digest} in {area}") from None
        return Reply(file=file, size=os.fstat(file.fileno()).st_size)


def _named(path: str) -> tuple[Area, str]:
    found = _NAME.fullmatch(path)
    for area in MAY_WRITE:
        if found and found["area"] == area:
            return area, found["digest"]
    raise Refused(
        HTTPStatus.NOT_FOUND, "a file is /files/payload/<sha256> or /files/results/<sha256>, 64 hex digits"
    )


# ── the client ───────────────────────────────────────────────────────────────────────────────
class FileStore:
    """The store as seen from elsewhere. Every method may raise FileStoreError."""

    def __init__(self, where: Where, token: Secret) -> None:
        self._where = where
        self._token = token

    def put(self, area: Area, content: Path | bytes) -> str:
        """The sha256 of what is stored; sent only when it is not there yet."""
        digest = digest_of(content)
        if self.has(area, digest):
            return digest
        if isinstance(content, bytes):
            self._send(area, digest, io.BytesIO(content), len(content))
        else:
            with open(content, "rb") as file:
                self._send(area, digest, file, os.fstat(file.fileno()).st_size)
        return digest

    def has(self, area: Area, digest: str) -> bool:
        answer = self._ask("HEAD", area, digest)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise FileStoreError(f"the file store refused to look for {digest}: {answer.error}")
        return answer.status == HTTPStatus.OK

    def get(self, area: Area, digest: str, to: Path) -> None:
        """Write the object to the file `to`, which appears only when it is whole and right."""
        temporary = to.with_name(f".{to.name}.{uuid.uuid4().hex[:8]}")
        try:
            with exchange(address_now(self._where), "GET", _url(area, digest), token=self._token) as answer:
                if answer.status != HTTPStatus.OK:
                    said = Response(answer.status, answer.read())
                    raise FileStoreError(f"the file store did not give {digest}: {said.error}")
                found = hashlib.sha256()
                with open(temporary, "xb") as file:
                    while piece := answer.read(CHUNK):
                        found.update(piece)
                        file.write(piece)
            if found.hexdigest() != digest:
                raise FileStoreError(
                    f"what the file store gave is not {digest}: it is damaged there or on the way"
                )
            os.replace(temporary, to)
        except Unanswered as error:
            raise FileStoreError(str(error)) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _send(self, area: Area, digest: str, body: BinaryIO, size: int) -> None:
        answer = self._ask("PUT", area, digest, body, size)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise FileStoreError(f"the file store refused {digest}: {answer.error}")

    def _ask(
        self, method: str, area: Area, digest: str, body: BinaryIO | None = None, size: int | None = None
    ) -> Response:
        try:
            return ask(
                address_now(self._where), method, _url(area, digest), token=self._token, body=body, size=size
            )
        except Unanswered as error:
            raise FileStoreError(str(error)) from error


def digest_of(content: Path | bytes) -> str:
    """The sha256 of a file or of bytes, as hex."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with open(content, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _url(area: Area, digest: str) -> str:
    return f"/files/{area}/{digest}"


# ── the program ──────────────────────────────────────────────────────────────────────────────
def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, or with --lifeline until standard input ends."""
    wanted = _arguments().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s file store: %(message)s")
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        server = Server(wanted.listen, FileService(wanted.root, wanted.secrets, wanted.max_size))
    except CloudBurstError as error:
        log.error("%s", error)
        return error.exit_code
    if wanted.lifeline:
        lifeline.hold(ended.set)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log.info("listening at %s", server.address)
    ended.wait()
    server.shutdown()
    server.server_close()
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloudburst.run.file_store", description=__doc__)
    parser.add_argument("--listen", required=True, help="unix:/path or tcp:host:port")
    parser.add_argument("--root", required=True, type=Path, help="where the objects are kept")
    parser.add_argument("--secrets", required=True, type=Path, help="directory of the credentials")
    parser.add_argument("--max-size", type=int, default=DEFAULT_MAX_SIZE, help="bytes of one file")
    parser.add_argument("--lifeline", action="store_true", help="end when standard input ends")
    return parser


if __name__ == "__main__":
    sys.exit(main())
