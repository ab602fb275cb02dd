"""Files as values: which parameters have them, and which of them a job names. Their content is `run`'s to look at.

In a row a file is its path as text, so that expressions and tables can speak of it; in a job it is a reference to
its content, so that a file that moves is the same job and one that changes is another.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..spec.ensemble import Axis, Block, Ensemble, Files, Points, Value
from .filters import axes

INPUT_SCHEME = "cloudburst-input://"
"""Followed by a sha256; the worker puts the local path in its place."""

_REFERENCE = re.compile(INPUT_SCHEME + "([0-9a-f]{64})")
_UNKNOWN = "0" * 64


def reference(sha256: str) -> str:
    """What stands in a job for something with this content."""
    return INPUT_SCHEME + sha256


def axes_of_files(block: Block) -> tuple[Axis, ...]:
    """The axes of a block whose values are files."""
    return tuple(axis for source in block.sources for axis in axes(source) if isinstance(axis.values, Files))


def all_axes_of_files(ensemble: Ensemble) -> Iterator[Axis]:
    """The same of a whole study."""
    for block in ensemble.blocks:
        yield from axes_of_files(block)


def names_of_files(block: Block) -> tuple[str, ...]:
    """The parameters of a block whose values are files."""
    listed = (axis.name for axis in axes_of_files(block))
    given = (name for source in block.sources if isinstance(source, Points) for name in source.files)
    return (*listed, *given)


class References:
    """Puts references in the place of paths. `digests` are path -> sha256; None: of all alike, not known yet."""

    def __init__(self, ensemble: Ensemble, digests: Mapping[str, str] | None) -> None:
        named = {block.name: names_of_files(block) for block in ensemble.blocks}
        self._names = {block: names for block, names in named.items() if names}
        self._digests = digests

    def within(self, block: str, values: Mapping[str, Value]) -> Mapping[str, Value]:
        """The values of a row of `block` as its job has them."""
        names = self._names.get(block)
        if names is None:
            return values
        return {**values, **{name: self._of(values[name]) for name in names if name in values}}

    def _of(self, path: Value) -> str:
        return reference(_UNKNOWN if self._digests is None else self._digests[str(path)])


def named_in(*parts: Any) -> set[str]:
    """The sha256 of everything that these parts of a job name."""
    return set(_REFERENCE.findall(json.dumps(parts, ensure_ascii=False)))


def local_names(digests: Mapping[str, str]) -> dict[str, str]:
    """sha256 -> the file's name on a worker, from path -> sha256: of files that are alike the first one's."""
    return {digest: posixpath.basename(path) for path, digest in sorted(digests.items(), reverse=True)}
