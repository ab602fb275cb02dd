"""Chance without a state: hashes and permutations that a key alone decides."""

from __future__ import annotations

import json
import math
from hashlib import blake2b

_VERSION = 1
_WORD = 2**64 - 1
KEY_BYTES = 48
"""Of the key of a `Permutation`."""


def start_of(size: int, *key: str | int) -> blake2b:
    """A hash to be copied and continued with a number; `size` is the digest's, in bytes."""
    text = json.dumps(["cloudburst", _VERSION, *key], separators=(",", ":"), ensure_ascii=True)
    return blake2b(text.encode(), digest_size=size)


def digest_of(start: blake2b, number: int) -> bytes:
    digest = start.copy()
    digest.update(number.to_bytes(8, "big"))
    return digest.digest()


def bits(start: blake2b, number: int) -> int:
    return int.from_bytes(digest_of(start, number), "big")


class Permutation:
    """A keyed permutation of 0 … size - 1, one value at a time, in constant memory.

    A Feistel network over a rectangle just larger than `size`, walking on until it is inside
    (Black and Rogaway, Ciphers with arbitrary finite domains, 2002), with the finaliser of
    splitmix64 as its round function. `key` is 48 bytes: one 64-bit word a round.
    """

    __slots__ = ("_height", "_keys", "_size", "_width")

    def __init__(self, size: int, key: bytes) -> None:
        self._size = size
        self._width = math.isqrt(size - 1) + 1
        self._height = -(-size // self._width)
        words = [int.from_bytes(key[i : i + 8], "big") for i in range(0, KEY_BYTES, 8)]
        self._keys = tuple(zip(words[::2], words[1::2], strict=True))

    def __call__(self, value: int) -> int:
        while True:
            high, low = divmod(value, self._width)
            for first, second in self._keys:
                low = (low + _mix(high + first)) % self._width
                high = (high + _mix(low + second)) % self._height
            value = high * self._width + low
            if value < self._size:
                return value


def _mix(word: int) -> int:
    word &= _WORD
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ word >> 27) * 0x94D049BB133111EB & _WORD
    return word ^ word >> 31
