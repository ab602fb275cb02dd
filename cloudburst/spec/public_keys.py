"""Public keys as a file holds them: their text, or the name of a `.pub` file. Judged without opening anything.

A sentence repeats no key, because a private one may stand in its place.
"""

from __future__ import annotations

import base64
import binascii
import re

from .addresses import Fault
from .scalars import shortened

KINDS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
"""The first word of a public key, as OpenSSH writes it."""

_PRIVATE = re.compile(r"PRIVATE KEY")
_A_KEY = re.compile(r"(ssh|ecdsa|sk)-\S+\s")
_EXAMPLE = "for example ~/.ssh/id_ed25519.pub"


def is_file(key: str) -> bool:
    """Whether it names a file; otherwise it is the key itself."""
    return _A_KEY.match(key) is None


def judge_key(key: str) -> Fault | None:
    """What keeps it from being a public key in one line, or the name of a file with one."""
    if _PRIVATE.search(key):
        hint = f"take it out, and make a new pair: whoever has read the file has it. Name the public half, {_EXAMPLE}"
        return Fault("secret-in-file", "a private key stands here", hint)
    if is_file(key):
        return _judge_file(key)
    kind, blob, *_ = (*key.split(maxsplit=2), "")
    if kind not in KINDS:
        return Fault("public-key", f"{shortened(kind)} is no kind of key that machines take", _EXAMPLE)
    if "\n" in key.strip() or kind_within(blob) != kind:
        return Fault("public-key", "this public key is damaged", "copy the whole line of the .pub file")
    return None


def _judge_file(name: str) -> Fault | None:
    if name.endswith(".pub"):
        return None
    if re.search(r"\s", name):
        return Fault("public-key", "this is no public key", _EXAMPLE)
    hint = f"write {shortened(name)}.pub: the public half, which machines may know"
    return Fault("public-key", "this is no .pub file", hint)


def kind_within(blob: str) -> str | None:
    """The kind that a key says of itself: its first field, four bytes of length before it (RFC 4253)."""
    try:
        data = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return None
    length = int.from_bytes(data[:4], "big")
    if not 0 < length < len(data) - 4:
        return None
    return data[4 : 4 + length].decode("ascii", "replace")
