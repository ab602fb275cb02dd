"""A real sshd on the loopback, with its own configuration and keys, and an `ssh` that knows them."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cloudburst.run.contexts import SshDocker

from .conftest import until


def sshd() -> str:
    """The program. Skips, or with CLOUDBURST_REQUIRE_PARTS=1 fails, where there is none."""
    found = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found:
        return found
    sentence = "sshd is not on this machine; on Debian: apt-get install openssh-server"
    if os.environ.get("CLOUDBURST_REQUIRE_PARTS") == "1":
        pytest.fail(sentence)
    pytest.skip(sentence)


@dataclass
class SshServer:
    """`place` is empty and private. The client's configuration knows the host as `far`."""

    place: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    user: str = field(default_factory=getpass.getuser)

    @property
    def docker(self) -> SshDocker:
        """What is reached: `docker.sock` over there is a socket of the test's."""
        return SshDocker("far", self.user, self.port, str(self.place / "docker.sock"))

    def start(self, *also: str) -> None:
        """`also`: lines for its configuration."""
        program = sshd()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._make_keys()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.place / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.place}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.place}/user.pub\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
            + "".join(f"{line}\n" for line in also)
        )
        self._write_client()
        with open(self.place / "sshd.log", "ab") as log:
            self.process = subprocess.Popen(
                [program, "-D", "-e", "-f", str(self.place / "sshd_config")],
                stderr=log,
                start_new_session=True,
            )
        until(self._listens)

    def _make_keys(self) -> None:
        for name in ("host", "user", "stranger"):
            if not (self.place / name).exists():
                command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.place / name)]
                subprocess.run(command, check=True)

    def _write_client(self) -> None:
        host = (self.place / "host.pub").read_text()
        (self.place / "known").write_text(f"far-as-known {host}")
        (self.place / "ssh_config").write_text(
            "Host far\n  HostName 127.0.0.1\n  HostKeyAlias far-as-known\n"
            f"  UserKnownHostsFile {self.place}/known\n  GlobalKnownHostsFile /dev/null\n"
            f"  IdentityFile {self.place}/user\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            # What people have there, and what must not disturb:
            f"  LocalForward {self.port} 127.0.0.1:9\n  RequestTTY force\n  ControlMaster auto\n"
            f"  ControlPath {self.place}/theirs-%r\n  ControlPersist 600\n"
        )
        wrapper = self.place / "bin" / "ssh"
        if wrapper.exists():  # and is the `ssh` on PATH by now
            return
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.place}/ssh_config "$@"\n')
        wrapper.chmod(0o755)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def configure(self, **lines: str) -> None:
        """Other values in the client's configuration."""
        text = (self.place / "ssh_config").read_text()
        for key, value in lines.items():
            text = "\n".join(
                f"  {key} {value}" if one.strip().startswith(f"{key} ") else one for one in text.splitlines()
            )
        (self.place / "ssh_config").write_text(text + "\n")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def drop_connections(self) -> None:
        """What a broken network does, at once: the sessions end, the server goes on."""
        assert self.process
        for pid in children(self.process.pid):
            os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    if sys.platform != "linux":
        found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
        return [int(one) for one in found.split()]
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in found.split()]
