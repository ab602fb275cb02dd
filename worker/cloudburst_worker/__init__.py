"""The second program: what runs on a worker node. Imports nothing from cloudburst."""

from __future__ import annotations

__version__ = "0.1.0"
