"""Some of the jobs, by what they receive and how they ended: what `failures` shows and `retry` computes again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..compile.expressions import FUNCTIONS, Expression, ExpressionError, expression
from ..compile.filters import REPLICATE, ROW, describe
from ..compile.space import Row, names_in
from ..errors import UsageError
from ..spec.ensemble import Ensemble
from ..spec.schema import nearest


@dataclass(frozen=True)
class Choice:
    """What is asked of a job; what is left empty asks nothing. `rows` are from and up to."""

    rows: tuple[int, int] | None = None
    where: Expression | None = None
    kinds: frozenset[str] = frozenset()
    error: str = ""

    @property
    def asks_of_the_end(self) -> bool:
        return bool(self.kinds or self.error)

    def takes_row(self, row: Row) -> bool:
        """Where it lacks a parameter that `where` names, it is not chosen. Raises UsageError where `where` fails."""
        if self.rows is not None and not self.rows[0] <= row.index < self.rows[1]:
            return False
        return self.where is None or _holds(self.where, row)

    def takes_end(self, kind: str | None, error: str | None) -> bool:
        """By the kind of the failure, and a text that its error holds, in capitals or not."""
        if self.kinds and kind not in self.kinds:
            return False
        return self.error.casefold() in (error or "").casefold()


def condition(text: str, ensemble: Ensemble) -> Expression:
    """What `--where` asks of a row: its parameters, `row` and `replicate`.

    Raises ExpressionError for a text that cannot be read, UsageError for a name that no row has.
    """
    asked = expression(text)
    known = {ROW, REPLICATE, *(name for block in ensemble.blocks for name in names_in(block))}
    for name in sorted(asked.names - known - FUNCTIONS.keys()):
        raise UsageError(f"no row has a parameter `{name}`", _near(name, known))
    return asked


def _near(name: str, known: Iterable[str]) -> str:
    close = nearest(name, known)
    return f"did you mean `{close}`?" if close else f"there are {', '.join(sorted(known))}"


def _holds(where: Expression, row: Row) -> bool:
    scope = {**row.values, ROW: row.index}
    if row.replicate is not None:
        scope[REPLICATE] = row.replicate
    try:
        return where.holds(scope)
    except ExpressionError as error:
        raise UsageError(
            f"row {row.index}, where {describe(row.values, error)}: {error.message}", error.hint
        ) from error
