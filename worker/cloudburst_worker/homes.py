"""Home directories. A container's user has none and no name either, and programs ask for both."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

NAME = "cloudburst"
"""Of a user whom the system does not know."""


def has_one(environment: Mapping[str, str]) -> bool:
    """Whether whoever gets this environment has a home directory to write in."""
    home = environment.get("HOME") or _recorded_home()
    return bool(home) and os.path.isdir(home) and os.access(home, os.W_OK | os.X_OK)


def provide(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The variables that are missing: `home` for who has none, and a name for who is nobody.

    `getpass.getuser()` and `~` then work as on any machine; a look into the system's table of users does not.
    """
    missing = {} if has_one(environment) else {"HOME": str(home)}
    if not _is_known() and not (environment.get("USER") and environment.get("LOGNAME")):
        missing |= {"USER": NAME, "LOGNAME": NAME}
    return missing


def _recorded_home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def _is_known() -> bool:
    try:
        return bool(pwd.getpwuid(os.getuid()))
    except KeyError:
        return False
