"""The keys that open a study's machines: one of the deployment's own, and the user's.

The deployment's lies on the machine that made it, in a private directory; its public half is in the account
for as long as the machines stand. What the machines show of themselves is in host_keys.py.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...diagnostics import Problem
from ...errors import ProviderError
from ...spec.public_keys import kind_within
from ..places import Places, prepare

COMMENT = "cloudburst"
AGENT_WITHIN = 10.0
"""Seconds. An agent that waits for a hardware key answers a list all the same."""

_KINDS = ("ssh-", "ecdsa-", "sk-")
"""How a public key begins. Certificates do too, but none of them opens anything by itself."""


@dataclass(frozen=True)
class PublicKey:
    """`blob` is the key's own bytes in base64, as in every file that holds public keys."""

    algorithm: str
    blob: str
    comment: str = ""

    def __str__(self) -> str:
        """As a line of `authorized_keys`, without what people call it."""
        return f"{self.algorithm} {self.blob}"

    @property
    def md5(self) -> str:
        """`3b:16:…`: how DigitalOcean names a key of an account."""
        return hashlib.md5(self._bytes, usedforsecurity=False).digest().hex(":")

    @property
    def sha256(self) -> str:
        """64 hex digits."""
        return hashlib.sha256(self._bytes).hexdigest()

    @property
    def shown(self) -> str:
        """`SHA256:…`, as ssh shows it to people."""
        return shown_fingerprint(self.sha256)

    @property
    def _bytes(self) -> bytes:
        return base64.b64decode(self.blob)


def shown_fingerprint(sha256: str) -> str:
    """`SHA256:…` of 64 hex digits."""
    return f"SHA256:{base64.b64encode(bytes.fromhex(sha256)).decode().rstrip('=')}"


def read_public_key(line: str) -> PublicKey | None:
    """`ssh-ed25519 AAAA… comment`; None for anything else."""
    words = line.strip().split(None, 2)
    if len(words) < 2 or not words[0].startswith(_KINDS) or "-cert-" in words[0]:
        return None
    if kind_within(words[1]) != words[0]:
        return None
    return PublicKey(words[0], words[1], words[2] if len(words) == 3 else "")


def make_key(place: Path) -> PublicKey:
    """A new ed25519 key without a passphrase at `place` (0600), its public half beside it.

    There as a whole or not at all. Raises ProviderError when there is no ssh-keygen.
    """
    draft = place.with_name(f".{place.name}.new")
    for leftover in (draft, public_half(draft)):
        leftover.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", COMMENT, "-f", str(draft)]
    try:
        made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError:
        raise ProviderError(
            "there is no ssh-keygen program here",
            "install OpenSSH's client (Debian: apt install openssh-client)",
        ) from None
    if made.returncode != 0:
        raise ProviderError(f"ssh-keygen made no key in {place.parent}: {_last(made.stderr)}")
    os.replace(public_half(draft), public_half(place))
    os.replace(draft, place)
    return _must_read(public_half(place))


def public_half(place: Path) -> Path:
    return place.with_name(f"{place.name}.pub")


class Ring:
    """`.cloudburst/<name>/secrets/machines/`: the deployment's key, and what is known of the machines' keys."""

    def __init__(self, places: Places) -> None:
        self._places = places

    @property
    def directory(self) -> Path:
        return self._places.secrets / "machines"

    @property
    def key(self) -> Path:
        """The private half of the deployment's key; it may not be there."""
        return self.directory / "key"

    def has_key(self) -> bool:
        return self.key.exists() and public_half(self.key).exists()

    def deployment(self) -> PublicKey:
        """The public half of this machine's key for the study; made when there is none."""
        self.open()
        return _must_read(public_half(self.key)) if self.has_key() else make_key(self.key)

    def open(self) -> None:
        """Make the directory, for this user's eyes only."""
        prepare(self._places)
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self.directory.chmod(0o700)


# ── the user's own ───────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class OwnKeys:
    """The user's keys, each once; `problems` are those of `cluster.ssh_keys`, by their path."""

    keys: tuple[PublicKey, ...]
    problems: tuple[Problem, ...] = ()


def own_keys(given: Sequence[str] | None, base: Path) -> OwnKeys:
    """What `cluster.ssh_keys` names: texts of public keys, or files relative to `base` that hold some.
    None is what the user's agent has."""
    if given is None:
        return OwnKeys(agents_keys())
    found: list[PublicKey] = []
    problems: list[Problem] = []
    for number, text in enumerate(given):
        keys, trouble = _read_given(text, base)
        found += keys
        if trouble:
            hint = "a public key as text (`ssh-ed25519 AAAA…`), or the path of a file such as ~/.ssh/id_ed25519.pub"
            problems.append(Problem("ssh-key", ("cluster", "ssh_keys", number), trouble, hint))
    return OwnKeys(_each_once(found), tuple(problems))


def agents_keys() -> tuple[PublicKey, ...]:
    """What the caller's ssh agent holds; nothing where there is none."""
    try:
        asked = subprocess.run(
            ["ssh-add", "-L"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=AGENT_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return _each_once(_keys_in(asked.stdout.decode("utf-8", "replace"))) if asked.returncode == 0 else ()


def _read_given(text: str, base: Path) -> tuple[list[PublicKey], str]:
    """Keys, or what is wrong."""
    if text.startswith(_KINDS):
        key = read_public_key(text)
        return ([key], "") if key else ([], "this is no public key: it is cut off, or something is missing")
    place = base / Path(text).expanduser()
    try:
        content = place.read_text("utf-8", errors="replace")
    except OSError as error:
        return [], f"{text} cannot be read: {(error.strerror or str(error)).lower()}"
    if "PRIVATE KEY" in content:
        return [], f"{text} is a private key: it stays where it is, and {text}.pub is its public half"
    keys = list(_keys_in(content))
    return (keys, "") if keys else ([], f"there is no public key in {text}")


def _keys_in(text: str) -> Iterator[PublicKey]:
    for line in text.splitlines():
        key = read_public_key(line)
        if key is not None:
            yield key


def _each_once(keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
    return tuple({str(key): key for key in keys}.values())


def _must_read(place: Path) -> PublicKey:
    key = read_public_key(place.read_text("utf-8", errors="replace"))
    if key is None:
        raise ProviderError(
            f"{place} holds no public key any more",
            f"`ssh-keygen -y -f {place.with_suffix('')} > {place}` writes it anew",
        )
    return key


def _last(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
