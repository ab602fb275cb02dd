"""A value that never prints itself, and texts that hide what should never have been written down."""

from __future__ import annotations

import re

_KNOWN = re.compile(
    r"\bdo[opr]_v1_\w*"  # DigitalOcean's tokens; in their old form 64 digits, as a digest has behind its colon
    r"|(?<![A-Za-z0-9:])[0-9a-f]{64}(?![A-Za-z0-9])"
    r"|(?<=PRIVATE KEY-----).+"  # a private key in one line, then any line of one in several
    r"|^[\s\"'-]*[A-Za-z0-9+/]{48,}={0,2}[\s\"',]*$"
)


def masked(text: str) -> str:
    """`text`, one line, with `*` for every letter of a secret whose form is known: an access token, a private key."""
    return _KNOWN.sub(lambda found: re.sub(r"\S", "*", found[0]), text)


def is_secret(text: str) -> bool:
    """Whether the text holds a secret of a known form."""
    return masked(text) != text


class Secret:
    """Holds text; every way of printing it gives `***`. `reveal()` is the only way out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        raise TypeError("a Secret is not pickled: hand the text over on purpose, with reveal()")
