"""The Python face: a study as an object, for scripts, notebooks and optimisers. Above `run`, beside `cli`.

Prints nothing but progress, and every mistake is a `CloudBurstError` with a sentence.
"""

from __future__ import annotations

from .evaluation import Failure, JobsFailed, Session
from .planned import Plan
from .rows import Rows
from .study import Study, load

__all__ = ["Failure", "JobsFailed", "Plan", "Rows", "Session", "Study", "load"]
