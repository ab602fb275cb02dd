"""A Docker Swarm of four hosts on one Linux machine: network namespaces, own daemons, own sshd.

`Lab` starts and stops it, `missing` says why a machine cannot have one. See docs/lab.md.
"""

from .host import Host, Size
from .missing import missing
from .swarm import Lab

__all__ = ["Host", "Lab", "Size", "missing"]
