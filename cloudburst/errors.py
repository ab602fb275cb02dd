"""What can go wrong in the world, as exceptions; a mistake in the user's text is a Diagnostic.

CloudBurstError            exit 1; a sentence and a way out, never a traceback
 ├─ SpecError              the text is wrong: carries its diagnostics (exit 2)
 ├─ ExpressionError        an expression cannot be read or fails on a row; in compile/expressions (exit 2)
 ├─ UsageError             the command line, or a call from Python, is wrong (exit 2)
 ├─ StudyBusy              another process works on this study: who, since when
 ├─ LockingFailed          the worker's requirements cannot be resolved
 ├─ QueueError             no queue, or the queue does not answer
 ├─ FileStoreError         the file store refused or does not answer
 ├─ ControllerError        the controller refused or does not answer
 ├─ LedgerError            the ledger cannot be read or is of a newer version
 └─ ProviderError          machines or local processes cannot be had
     └─ Unreachable        the machines may be fine, but there is no way to them now; trying again may help
"""

from __future__ import annotations

from .diagnostics import Diagnostic


class CloudBurstError(Exception):
    """Something outside the program failed. `hint` says what to do next; it may be empty."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SpecError(CloudBurstError):
    """The ensemble file has errors; `diagnostics` holds them all, warnings included, in order."""

    exit_code = 2

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        errors = [d for d in diagnostics if d.severity == "error"]
        super().__init__(f"{len(errors)} error{'s' if len(errors) != 1 else ''} in the ensemble file")
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        """With every diagnostic, a line each: what a traceback shows. Commands show more (cli/views)."""
        return "\n".join([self.message, *(diagnostic.line for diagnostic in self.diagnostics)])


class UsageError(CloudBurstError):
    exit_code = 2


class StudyBusy(CloudBurstError):
    pass


class LockingFailed(CloudBurstError):
    pass


class QueueError(CloudBurstError):
    pass


class FileStoreError(CloudBurstError):
    pass


class ControllerError(CloudBurstError):
    pass


class LedgerError(CloudBurstError):
    pass


class ProviderError(CloudBurstError):
    pass


class Unreachable(ProviderError):
    pass
