"""`python -m cloudburst_worker.runner CONTROL LIFELINE`: two inherited file descriptors."""

from __future__ import annotations

import socket
import sys

from . import leftovers, privileges, serve
from .frames import Line


def main() -> None:
    control, lifeline = int(sys.argv[1]), int(sys.argv[2])
    leftovers.die_with(lifeline)
    leftovers.adopt_orphans()
    leftovers.volunteer_for_the_oom_killer()
    privileges.respect_permissions()
    serve.open_streams()
    sys.argv[:] = sys.argv[:1]
    serve.start(Line(socket.socket(fileno=control)))


if __name__ == "__main__":
    main()
