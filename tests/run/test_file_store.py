from __future__ import annotations

import hashlib
import io
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudburst.errors import FileStoreError
from cloudburst.run import secrets
from cloudburst.run.file_store import PAYLOAD, RESULTS, FileService, FileStore, Objects, digest_of, main
from cloudburst.run.http import Server, request
from cloudburst.secret import Secret

from .conftest import until

CONTENT = bytes(range(250)) * 12_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Store:
    """A store that runs in this process, with both its tokens."""

    def __init__(self, short: Path, tmp_path: Path, max_size: int = 10_000_000) -> None:
        self.root = tmp_path / "files"
        self.address = f"unix:{short}/files.sock"
        secrets.generate(tmp_path / "secrets")
        self.client_token = secrets.read(tmp_path / "secrets", secrets.FILES_TOKEN)
        self.worker_token = secrets.read(tmp_path / "secrets", secrets.WORKER_TOKEN)
        self.server = Server(self.address, FileService(self.root, tmp_path / "secrets", max_size))
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def client(self) -> FileStore:
        return FileStore(self.address, self.client_token)

    @property
    def worker(self) -> FileStore:
        return FileStore(self.address, self.worker_token)

    def put(self, name: str, body: bytes, token: Secret | None = None) -> tuple[int, str]:
        answer = request(self.address, "PUT", name, token=token or self.client_token, body=body)
        return answer.status, answer.error

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def store(short: Path, tmp_path: Path) -> Iterator[Store]:
    one = Store(short, tmp_path)
    yield one
    one.stop()


def leftovers(root: Path) -> list[Path]:
    return list((root / "incoming").iterdir())


def test_what_is_put_can_be_had(store: Store, tmp_path: Path) -> None:
    (tmp_path / "worker.zip").write_bytes(CONTENT)
    assert not store.client.has(PAYLOAD, DIGEST)
    assert store.client.put(PAYLOAD, tmp_path / "worker.zip") == DIGEST
    assert store.worker.has(PAYLOAD, DIGEST)
    store.worker.get(PAYLOAD, DIGEST, tmp_path / "copy.zip")
    assert (tmp_path / "copy.zip").read_bytes() == CONTENT
    assert Objects(store.root).path(PAYLOAD, DIGEST).read_bytes() == CONTENT
    assert not store.client.has(RESULTS, DIGEST), "areas are apart"
    assert leftovers(store.root) == []


def test_an_empty_object_is_one(store: Store, tmp_path: Path) -> None:
    digest = store.worker.put(RESULTS, b"")
    store.client.get(RESULTS, digest, tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""


def test_new_is_201_and_known_is_200(store: Store) -> None:
    assert store.put(f"/files/results/{DIGEST}", CONTENT)[0] == 201
    assert store.put(f"/files/results/{DIGEST}", CONTENT)[0] == 200


def test_a_body_that_is_not_its_name_is_refused(store: Store) -> None:
    for known in (False, True):
        status, sentence = store.put(f"/files/results/{DIGEST}", b"something else")
        assert (status, sentence.startswith("the name is not the sha256 of the body")) == (400, True)
        if not known:
            assert not store.client.has(RESULTS, DIGEST)
            store.client.put(RESULTS, CONTENT)
    assert leftovers(store.root) == []


def test_a_worker_writes_results_and_no_payload(store: Store) -> None:
    assert store.worker.put(RESULTS, CONTENT) == DIGEST
    with pytest.raises(FileStoreError, match="this token may not write to payload"):
        store.worker.put(PAYLOAD, CONTENT)
    assert not store.client.has(PAYLOAD, DIGEST)


@pytest.mark.parametrize(
    "name",
    [
        "/files/other/" + DIGEST,
        "/files/results/../x",
        "/files/results/ABC",
        "/",
        "/files/results/" + "A" * 64,
    ],
)
def test_other_names_are_not_found(store: Store, name: str) -> None:
    assert store.put(name, CONTENT)[0] == 404
    assert request(store.address, "GET", name, token=store.client_token).status == 404


def test_no_token_no_file(store: Store) -> None:
    assert request(store.address, "GET", f"/files/results/{DIGEST}").status == 401
    assert request(store.address, "GET", f"/files/results/{DIGEST}", token=Secret("x")).status == 401
    assert request(store.address, "POST", f"/files/results/{DIGEST}", token=store.client_token).status == 405


def test_a_missing_object_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileStoreError, match=f"did not give {DIGEST}: there is no"):
        store.client.get(RESULTS, DIGEST, tmp_path / "x")
    assert list(tmp_path.glob("*x*")) == []


def test_too_large_is_413_with_the_limit(short: Path, tmp_path: Path) -> None:
    store = Store(short, tmp_path, max_size=1000)
    with pytest.raises(FileStoreError, match="a file may have 1000 bytes, this one has 3000000"):
        store.client.put(PAYLOAD, CONTENT)
    large = bytes(30_000_000)
    answer = request(
        store.address,
        "PUT",
        f"/files/payload/{DIGEST}",
        token=store.client_token,
        body=io.BytesIO(large),
        size=len(large),
    )
    assert (answer.status, answer.json()["limit"]) == (413, 1000)
    store.stop()


def raw_put(store: Store, headers: str, body: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(store.address.removeprefix("unix:"))
        head = (
            f"PUT /files/payload/{DIGEST} HTTP/1.1\r\nAuthorization: Bearer {store.client_token.reveal()}\r\n"
        )
        one.sendall(f"{head}{headers}\r\n".encode() + body)
        one.shutdown(socket.SHUT_WR)
        return one.recv(100_000)


def test_a_length_is_needed(store: Store) -> None:
    assert b" 411 " in raw_put(store, "Transfer-Encoding: chunked\r\n", b"0\r\n\r\n")


def test_a_client_that_goes_away_leaves_nothing(store: Store) -> None:
    assert raw_put(store, f"Content-Length: {len(CONTENT)}\r\n", CONTENT[:1_500_000]) == b""
    until(lambda: leftovers(store.root) == [])
    assert not store.client.has(PAYLOAD, DIGEST)


def test_many_may_write_the_same_at_once(store: Store) -> None:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(store.put(f"/files/results/{DIGEST}", CONTENT)[0]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 201}
    assert 201 in statuses
    assert Objects(store.root).path(RESULTS, DIGEST).read_bytes() == CONTENT
    assert leftovers(store.root) == []


def test_damage_on_the_disk_is_noticed(store: Store, tmp_path: Path) -> None:
    store.client.put(RESULTS, CONTENT)
    Objects(store.root).path(RESULTS, DIGEST).write_bytes(b"bad")
    with pytest.raises(FileStoreError, match="it is damaged there or on the way"):
        store.client.get(RESULTS, DIGEST, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_what_a_killed_store_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "half").write_bytes(b"x")
    Objects(tmp_path).make()
    assert leftovers(tmp_path) == []


def test_nobody_there_is_an_error_of_the_file_store(short: Path) -> None:
    with pytest.raises(FileStoreError, match="nothing answers at"):
        FileStore(f"unix:{short}/none.sock", Secret("x")).put(RESULTS, b"x")


@pytest.mark.slow
def test_the_program_serves_ends_with_its_lifeline_and_says_when_the_disk_is_full(
    short: Path, tmp_path: Path
) -> None:
    secrets.generate(tmp_path / "secrets")
    command = [
        sys.executable,
        "-P",
        "-m",
        "cloudburst.run.file_store",
        "--listen",
        f"unix:{short}/files.sock",
    ]
    command += ["--root", str(tmp_path / "files"), "--secrets", str(tmp_path / "secrets"), "--lifeline"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000,) * 2),
    )
    until((short / "files.sock").exists)
    store = FileStore(f"unix:{short}/files.sock", secrets.read(tmp_path / "secrets", secrets.FILES_TOKEN))
    until(lambda: (short / "files.sock").stat().st_mode & 0o777 == 0o600)
    assert store.put(PAYLOAD, b"small") == digest_of(b"small")
    with pytest.raises(FileStoreError, match="there is no room left for this file"):
        store.put(PAYLOAD, CONTENT)
    assert leftovers(tmp_path / "files") == []
    assert process.stdin
    process.stdin.close()
    assert process.wait(10) == 0
    assert not (short / "files.sock").exists()


def test_a_bad_address_is_a_sentence_and_an_exit_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secrets.generate(tmp_path)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        assert main(["--listen", "nowhere", "--root", str(tmp_path / "f"), "--secrets", str(tmp_path)]) == 2
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert "'nowhere' is not an address" in caplog.text
