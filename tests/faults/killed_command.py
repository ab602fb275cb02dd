"""A command that is killed (SIGKILL, by itself) just before it does something.

`python killed_command.py EVENT TEXTS COMMAND …`: at the first event of Python's audit with this name and all these
texts (separated by spaces) among its arguments there is no process any more.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from cloudburst.cli import main


def arm(event: str, texts: list[str]) -> None:
    def look(name: str, arguments: tuple[Any, ...]) -> None:
        if name == event and all(text in repr(arguments) for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


if __name__ == "__main__":
    arm(sys.argv[1], sys.argv[2].split())
    sys.exit(main(sys.argv[3:]))
