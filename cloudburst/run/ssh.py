"""One ssh connection to a machine, by the system's `ssh`, and what goes through it: sockets and commands.

The user's own ssh configuration, keys and agent count; nothing is ever asked. The connection is a
process of ours on a lifeline: its remote end reads our pipe, so that it ends when we do, however we end.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import selectors
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ProviderError, Unreachable
from .contexts import SshDocker

READY = "cloudburst is here"
LIFELINE = f"echo '{READY}' && exec cat >/dev/null"
"""Run at the far end: says that we are in, then reads until our pipe ends."""

KEYS_WITHIN = 45.0
"""Seconds for what comes after the first answer: a hardware key may want to be touched."""

_OURS = (
    "BatchMode=yes",
    "ConnectionAttempts=1",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    "ControlMaster=yes",
    "ControlPersist=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "StreamLocalBindMask=0177",
)
"""What must hold whatever the user's configuration says. Whether an unknown host key is accepted is theirs."""

_THROUGH = (
    "ssh",
    "-F",
    "none",
    "-T",
    "-o",
    "BatchMode=yes",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "ProxyCommand=false",
)
"""For commands through the open connection; without it they must fail and not connect by themselves."""


@dataclass(frozen=True)
class Finished:
    """How a program over there ended, and what it wrote."""

    code: int
    out: bytes
    err: bytes

    @property
    def said(self) -> str:
        """What it has to say of itself."""
        return (self.err or self.out).decode("utf-8", "replace").strip()


class Ssh:
    """The link to a machine by ssh (link.py says what its methods are for)."""

    def __init__(self, to: SshDocker, directory: Path, *, patience: float) -> None:
        """`directory` is private, short and there; `patience`: seconds the machine has to answer."""
        self._to = to
        self._directory = directory
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._forwards: dict[str, Path] = {}
        self._numbers = itertools.count(1)

    @property
    def where(self) -> str:
        return str(self._to)

    @property
    def socket(self) -> str:
        return self._to.socket

    # ── the connection ───────────────────────────────────────────────────────────────────────
    def is_open(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def open(self) -> None:
        """Raises Unreachable, and ProviderError when the machine answers but does not let us in."""
        if self.is_open():
            return
        self.close()
        with open(self._log, "wb") as log:
            try:
                self._process = subprocess.Popen(
                    self._command(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
            except FileNotFoundError:
                raise ProviderError(
                    "there is no ssh program here",
                    "install OpenSSH's client (Debian: apt install openssh-client)",
                ) from None
        if not _is_greeted(self._process, self._patience + KEYS_WITHIN):
            said = self._end()
            raise _why_not(said, self._to)

    def close(self) -> None:
        if self._process is not None:
            self._end()

    def _command(self) -> list[str]:
        options = [*_OURS, f"ControlPath={self._control}", f"ConnectTimeout={max(1, round(self._patience))}"]
        command = ["ssh", "-T"]
        for option in (*options, *self._to.options):
            command += ["-o", option]
        if self._to.port is not None:
            command += ["-p", str(self._to.port)]
        if self._to.user:
            command += ["-l", self._to.user]
        return [*command, "--", self._to.host, LIFELINE]

    def _end(self) -> str:
        """End the process and forget its forwards; what it said."""
        process, self._process = self._process, None
        if process is None:
            return ""
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.terminate()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for path in (*self._forwards.values(), self._control):
            path.unlink(missing_ok=True)
        self._forwards.clear()
        return self._log.read_text("utf-8", errors="replace").strip() if self._log.exists() else ""

    @property
    def _control(self) -> Path:
        return self._directory / "c"

    @property
    def _log(self) -> Path:
        return self._directory / "ssh.log"

    # ── what goes through it ─────────────────────────────────────────────────────────────────
    def docker(self) -> str:
        return str(self._forward(self._to.socket))

    def reach(self, host: str, port: int) -> str:
        return f"unix:{self._forward(f'[{host}]:{port}' if ':' in host else f'{host}:{port}')}"

    def _forward(self, target: str) -> Path:
        """A unix socket here that leads to a socket or a port over there; the same for the same target."""
        self.open()
        if target not in self._forwards:
            path = self._directory / str(next(self._numbers))
            asked = self._through(["-O", "forward", "-L", f"{path}:{target}"], b"", 20.0)
            if asked.code != 0:
                raise Unreachable(
                    f"{self.where} forwards nothing to {target}: {asked.said}",
                    "its sshd needs `AllowTcpForwarding yes` and `AllowStreamLocalForwarding yes`",
                )
            self._forwards[target] = path
        return self._forwards[target]

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Finished:
        """Raises Unreachable, also when the connection breaks in the middle."""
        self.open()
        ended = self._through(["-o", "ControlMaster=no"], stdin, timeout, shlex.join(argv))
        if ended.code == 255 and self._has_ended():
            raise Unreachable(f"the connection to {self.where} broke: {ended.said}", "try again")
        return ended

    def _has_ended(self) -> bool:
        """A command notices that the connection broke a moment before the connection's process is gone."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
        return not self.is_open()

    def _through(self, options: list[str], stdin: bytes, timeout: float, *command: str) -> Finished:
        argv = [*_THROUGH, "-S", str(self._control), *options, "--", self._to.host, *command]
        try:
            ended = subprocess.run(
                argv, input=stdin, capture_output=True, timeout=timeout, check=False, start_new_session=True
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"{self.where} did not answer within {timeout:.0f} s", "try again") from error
        return Finished(ended.returncode, ended.stdout, ended.stderr)


def _is_greeted(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Reads until the far end has spoken; a shell's start-up files may say something before."""
    if process.stdout is None:
        return False
    deadline = time.monotonic() + seconds
    heard = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while READY.encode() not in heard:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return False
            piece = os.read(process.stdout.fileno(), 4096)
            if not piece:
                return False
            heard += piece
    return True


# ── sentences ────────────────────────────────────────────────────────────────────────────────
def _why_not(said: str, to: SshDocker) -> ProviderError:
    """What ssh said, in our words. Its last line is the reason where we know no better."""
    last = said.splitlines()[-1].strip() if said else "it did not answer in time"
    for pattern, kind, message, hint in _SENTENCES:
        if re.search(pattern, said):
            words = {"to": to.in_full, "host": to.host, "ssh": to.shell_words, "reason": _reason(last)}
            return kind(message.format(**words), hint.format(**words))
    return Unreachable(
        f"no ssh connection to {to.in_full}: {_reason(last)}", f"see what `{to.shell_words}` says"
    )


def _reason(line: str) -> str:
    """`ssh: connect to host x port 22: Connection refused` -> `connection refused`."""
    said = line.rpartition(": ")[2] if line.startswith("ssh: connect") else line
    return said[:1].lower() + said[1:].rstrip(".") if said else "it said nothing"


_SENTENCES: tuple[tuple[str, type[ProviderError], str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        ProviderError,
        "the host key of {host} is another one than before: it is a new machine, or not the one you mean",
        "if it was made anew, `ssh-keygen -R {host}` forgets the old key; then connect once with `{ssh}`",
    ),
    (
        r"Host key verification failed|host key is known for",
        ProviderError,
        "the host key of {host} is not known yet",
        "connect once with `{ssh}` and compare the fingerprint",
    ),
    (
        r"Permission denied \(|Too many authentication failures",
        ProviderError,
        "{to} does not let us in: it accepts none of your keys",
        "`{ssh}` must work without asking anything: `ssh-add`, or `IdentityFile` in ~/.ssh/config",
    ),
    (
        r"Could not resolve hostname",
        Unreachable,
        "there is no machine called {host}, as far as this one can tell",
        "look at the name in `cluster.provider`, or at `Host` in ~/.ssh/config",
    ),
    (
        r"^ssh: connect to host|Connection timed out|Connection closed by|Connection reset|timed out",
        Unreachable,
        "{to} cannot be reached: {reason}",
        "is it running, and does its firewall let you in? `{ssh}` must work",
    ),
)
