from __future__ import annotations

import http.server
import os
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError, Unreachable
from cloudburst.run.addresses import UnixAddress, parse_address
from cloudburst.run.contexts import SshDocker
from cloudburst.run.http import Unanswered, request
from cloudburst.run.processes import is_running, start_mark
from cloudburst.run.ssh import Ssh

from .conftest import until
from .ssh_server import SshServer, children

pytestmark = pytest.mark.slow


@pytest.fixture
def far(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    place = short / "far"
    place.mkdir(mode=0o700)
    server = SshServer(place)
    server.start()
    monkeypatch.setenv("PATH", f"{place}/bin:{os.environ['PATH']}")
    yield server
    server.stop()


@pytest.fixture
def near(short: Path) -> Path:
    directory = short / "near"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture
def ssh(far: SshServer, near: Path) -> Iterator[Ssh]:
    link = Ssh(far.docker, near, patience=5)
    yield link
    link.close()


class Said(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.server.says.encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return ""


class UnixServer(socketserver.ThreadingUnixStreamServer):
    says = "docker"
    daemon_threads = True


class TcpServer(socketserver.ThreadingTCPServer):
    says = "gateway"
    daemon_threads = True


@pytest.fixture
def services(far: SshServer) -> Iterator[int]:
    """Docker's socket over there, and a container's port: its number."""
    docker = UnixServer(far.docker.socket, Said)
    gateway = TcpServer(("127.0.0.1", 0), Said)
    for one in (docker, gateway):
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield gateway.server_address[1]
    for one in (docker, gateway):
        one.shutdown()
        one.server_close()


def asked(address: str) -> str:
    return request(address, "GET", "/", timeout=10).body.decode()


def test_a_program_over_there_gets_what_it_is_given(ssh: Ssh) -> None:
    argv = [
        sys.executable,
        "-c",
        "import sys; print(sys.argv[1:], sys.stdin.read()); sys.exit(3)",
        "a b",
        "$HOME 'x'",
    ]
    ended = ssh.run(argv, stdin="grün\n".encode(), timeout=20)
    assert ended.out.decode() == "['a b', \"$HOME 'x'\"] grün\n\n"
    assert (ended.code, ended.err) == (3, b"")


def test_sockets_over_there_are_sockets_here(ssh: Ssh, services: int) -> None:
    assert asked(f"unix:{ssh.docker()}") == "docker"
    gateway = ssh.reach("127.0.0.1", services)
    assert asked(gateway) == "gateway"
    assert ssh.reach("127.0.0.1", services) == gateway


def test_only_this_user_can_use_them(ssh: Ssh, near: Path) -> None:
    assert Path(ssh.docker()).stat().st_mode & 0o077 == 0
    assert near.stat().st_mode & 0o077 == 0


def test_nothing_is_left_when_it_is_closed(far: SshServer, ssh: Ssh, near: Path) -> None:
    ssh.docker()
    assert far.process
    ssh.close()
    until(lambda: not children(far.process.pid))
    assert [path.name for path in near.iterdir()] == ["ssh.log"]
    assert not list(far.place.glob("theirs-*"))
    assert not ssh.is_open()


HOLDS = """
import sys, time
from pathlib import Path
from cloudburst.run.contexts import SshDocker
from cloudburst.run.ssh import Ssh
link = Ssh(SshDocker("far", sys.argv[1], int(sys.argv[2])), Path(sys.argv[3]), patience=5)
link.open()
print(link._process.pid, flush=True)
time.sleep(600)
"""


def test_nothing_is_left_when_the_command_is_killed(far: SshServer, near: Path) -> None:
    argv = [sys.executable, "-c", HOLDS, far.user, str(far.port), str(near)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as command:
        assert command.stdout
        master = int(command.stdout.readline())
        mark = start_mark(master)
        command.kill()
    until(lambda: not is_running(master, mark))
    assert far.process
    until(lambda: not children(far.process.pid))


def test_a_connection_that_broke_is_opened_again(far: SshServer, ssh: Ssh, services: int) -> None:
    before = ssh.docker()
    far.drop_connections()
    until(lambda: not ssh.is_open())
    assert ssh.run(["echo", "back"], timeout=20).out == b"back\n"
    after = ssh.docker()
    assert after != before
    assert asked(f"unix:{after}") == "docker"
    address = parse_address(ssh.reach("127.0.0.1", services))
    assert isinstance(address, UnixAddress)
    assert asked(str(address)) == "gateway"


def test_a_break_in_the_middle_is_said(far: SshServer, ssh: Ssh) -> None:
    ssh.open()
    breaking = threading.Thread(target=lambda: (until(lambda: len(sleepers()) > 0), far.drop_connections()))
    breaking.start()
    with pytest.raises(Unreachable, match=r"the connection to ssh://.*far.* broke"):
        ssh.run(["sleep", "612.5"], timeout=30)
    breaking.join()
    for pid in sleepers():
        os.kill(pid, signal.SIGKILL)


def sleepers() -> list[int]:
    found = subprocess.run(
        ["pgrep", "-fx", "sleep 612.5"], capture_output=True, text=True, check=False
    ).stdout
    return [int(pid) for pid in found.split()]


# ── sentences ────────────────────────────────────────────────────────────────────────────────
def why_not(docker: SshDocker, near: Path) -> ProviderError:
    link = Ssh(docker, near, patience=5)
    with pytest.raises(ProviderError) as raised:
        link.open()
    assert not link.is_open()
    return raised.value


def test_a_host_that_is_not_known_yet(far: SshServer, near: Path) -> None:
    (far.place / "known").write_text("")
    error = why_not(far.docker, near)
    assert error.message == "the host key of far is not known yet"
    assert error.hint == f"connect once with `ssh -p {far.port} {far.user}@far` and compare the fingerprint"


def test_a_host_that_is_another_one_now(far: SshServer, near: Path) -> None:
    stranger = (far.place / "stranger.pub").read_text()
    (far.place / "known").write_text(f"far-as-known {stranger}")
    error = why_not(far.docker, near)
    assert "is another one than before" in error.message
    assert "ssh-keygen -R" in error.hint


def test_a_host_that_lets_us_not_in(far: SshServer, near: Path) -> None:
    far.configure(IdentityFile=f"{far.place}/stranger")
    error = why_not(far.docker, near)
    assert error.message.endswith("does not let us in: it accepts none of your keys")
    assert "ssh-add" in error.hint
    assert not isinstance(error, Unreachable)


def test_a_host_where_nobody_listens(far: SshServer, near: Path) -> None:
    far.stop()
    error = why_not(far.docker, near)
    assert isinstance(error, Unreachable)
    assert error.message.endswith("cannot be reached: connection refused")


def test_a_host_nobody_knows(far: SshServer, near: Path) -> None:
    error = why_not(SshDocker("no-such-host.invalid"), near)
    assert isinstance(error, Unreachable)
    assert "there is no machine called no-such-host.invalid" in error.message


def test_a_configuration_ssh_cannot_read(far: SshServer, near: Path) -> None:
    far.configure(HostName="far\n  NoSuchOption yes")
    error = why_not(far.docker, near)
    assert "no ssh connection to" in error.message


def test_no_ssh_at_all(near: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(near))
    error = why_not(SshDocker("far"), near)
    assert error.message == "there is no ssh program here"


def test_a_server_that_forwards_nothing_leads_nowhere(far: SshServer, near: Path) -> None:
    """The client makes its socket all the same: whoever asks there must be answered by nobody, and at once."""
    far.stop()
    far.start("AllowStreamLocalForwarding no")
    link = Ssh(far.docker, near, patience=5)
    with pytest.raises(Unanswered):
        asked(f"unix:{link.docker()}")
    assert link.run(["echo", "fine"], timeout=20).out == b"fine\n"
    link.close()
