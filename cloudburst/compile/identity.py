"""What makes two jobs the same job, and where a replicate's seed comes from.

Both hang on values alone: not on positions, not on the layout of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b, sha256
from json.encoder import encode_basestring
from math import isfinite

from ..spec.ensemble import Value

VERSION = 1
"""The first element of what is hashed. Another way of hashing is another version, and other ids."""

ID_DIGITS = 20
LARGEST_SEED = 2**31 - 1


class NotJson(ValueError):
    """A value that JSON cannot hold, such as NaN; the message completes "the value …"."""


def canonical(value: object) -> str:
    """`value` as the one JSON text of everything equal to it: sorted keys, no spaces.

    1, 1.0 and 1e0 are one number, -0.0 is 0, true is not 1. Raises `NotJson` for NaN, the
    infinities, keys that are not text, and other types.
    """
    if isinstance(value, str):
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return _map(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join([canonical(item) for item in value]) + "]"
    return _word(value)


def _map(value: Mapping[str, object]) -> str:
    try:
        return (
            "{"
            + ",".join([f"{encode_basestring(key)}:{canonical(value[key])}" for key in sorted(value)])
            + "}"
        )
    except TypeError as error:
        raise NotJson("has a key that is not text") from error


def _number(value: float) -> str:
    if value.is_integer():
        return str(int(value))
    if not isfinite(value):
        raise NotJson("is not a finite number")
    return repr(value)


def _word(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    raise NotJson(f"is {type(value).__name__}, which JSON cannot hold")


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise NotJson("holds half of a character (a lone surrogate)") from error


class Identity:
    """Gives jobs their ids. `callee` is the entrypoint, or the command with its values filled in."""

    def __init__(self, callee: str | Sequence[str]) -> None:
        self._opening = f"[{VERSION},{canonical(callee)},"

    def id(self, description: str, replicate: int | None) -> str:
        """The id of a job whose description has this canonical text: 20 hex digits."""
        number = "null" if replicate is None else replicate
        return sha256(_bytes(f"{self._opening}{description},{number}]")).hexdigest()[:ID_DIGITS]


def job_id(callee: str | Sequence[str], description: Mapping[str, Value], replicate: int | None) -> str:
    """The id of one job: sha256 of the canonical [version, callee, description, replicate or null]."""
    return Identity(callee).id(canonical(description), replicate)


def replicate_seeds(seed: int, sources: Mapping[str, Value]) -> Callable[[int], int]:
    """The seeds of the replicates of one point: replicate number -> integer in 0 … 2**31 - 1.

    `sources` are the values of fixed, grid, zip, sample, cases and table; never derived ones.
    """
    point = blake2b(_bytes(canonical([seed, sources])), digest_size=8)

    def seed_of(replicate: int) -> int:
        digest = point.copy()
        digest.update(b",%d" % replicate)
        return int.from_bytes(digest.digest(), "big") & LARGEST_SEED

    return seed_of
