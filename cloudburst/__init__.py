"""CloudBurst: one file says a whole simulation study; plan shows it, apply makes it so.

    import cloudburst

    study = cloudburst.load("ensemble.yaml")
    study.apply()
    table = study.results()  # a pandas DataFrame where pandas is installed

docs/python.md says more. Nothing is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import CloudBurstError, SpecError, StudyBusy, UsageError
    from .face import Failure, JobsFailed, Plan, Rows, Session, Study, load

__version__ = "0.1.0"

__all__ = [
    "CloudBurstError",
    "Failure",
    "JobsFailed",
    "Plan",
    "Rows",
    "Session",
    "SpecError",
    "Study",
    "StudyBusy",
    "UsageError",
    "load",
]

_ERRORS = frozenset({"CloudBurstError", "SpecError", "StudyBusy", "UsageError"})


if not TYPE_CHECKING:  # who checks types hears of a name there is not

    def __getattr__(name: str) -> Any:
        """What `__all__` names, found when it is first asked for."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(".errors" if name in _ERRORS else ".face", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
