"""The bundle: this very version's programs in one small file, which stock containers install.

What runs on a cluster is what the client has, from a checkout or an installed wheel alike; nothing has
to be published first. `stack/entry.py` is the other half: it reads what is made here.
"""

from __future__ import annotations

import hashlib
import io
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import assets
from ..errors import CloudBurstError
from .archive import Entry, write_archive

LIMIT = 450_000
"""Bytes. A Docker config may have 500 kB; what is left is for the code to grow unnoticed."""

_NOT_SENT = {"_assets", "cli", "face", "providers", "digitalocean", "__pycache__"}
"""What people talk to, and what makes and rents machines, stays with the user; no program on a cluster reads the
assets."""


@dataclass(frozen=True)
class Bundle:
    """A zip, whose sha256 is `digest`, compressed as a whole in `content` (.zip.xz).

    The digest is the same for equal code on every machine, also where another liblzma compresses otherwise.
    """

    digest: str
    content: bytes


def make_bundle() -> Bundle:
    """The programs of this installation. Raises CloudBurstError when they are too much for a Docker config."""
    archive = io.BytesIO()
    write_archive(_entries(), archive)
    content = lzma.compress(archive.getvalue())
    if len(content) > LIMIT:
        raise CloudBurstError(
            f"CloudBurst's own code packs to {len(content)} bytes, and {LIMIT} can travel to a swarm",
            "this is a mistake of this version of CloudBurst; please report it",
        )
    return Bundle(hashlib.sha256(archive.getvalue()).hexdigest(), content)


def _entries() -> list[Entry]:
    requirements = (assets.stack_directory() / "requirements").glob("*.txt")
    found = {
        **_files("cloudburst", assets.package_directory()),
        **_files("cloudburst_worker", assets.worker_directory() / "cloudburst_worker"),
        **{f"requirements/{path.name}": path for path in requirements},
    }
    return [Entry(name, found[name]) for name in sorted(found)]


def _files(name: str, package: Path) -> Mapping[str, Path]:
    inside = ((path.relative_to(package), path) for path in package.rglob("*") if path.is_file())
    return {f"{name}/{at.as_posix()}": path for at, path in inside if not _NOT_SENT & set(at.parts)}
