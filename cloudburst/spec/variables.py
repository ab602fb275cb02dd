"""Names of environment variables, where a secret must not stand itself. No sentence repeats what stands there."""

from __future__ import annotations

import re

from ..secret import is_secret
from .addresses import Fault

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPANSION = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")


def judge_variable(key: str, given: str, example: str) -> Fault | None:
    """What keeps the value of `key` from naming a variable; `example` is a name it could have."""
    if _VARIABLE.fullmatch(given) and not is_secret(given):
        return None
    message = f"`{key}` takes the name of an environment variable, and this is none"
    if meant := _EXPANSION.fullmatch(given):
        return Fault("secret-in-file", message, f"write the name alone: {key}: {meant[1]}")
    hint = (
        "secrets do not stand in the file, which others read: put it into a variable of your "
        f"environment, such as {example}, and write {key}: {example}"
    )
    return Fault("secret-in-file", message, hint)
