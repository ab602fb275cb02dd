"""CloudBurst: one file says a whole simulation study; plan shows it, apply makes it so."""

from __future__ import annotations

__version__ = "0.1.0"
