"""How probable a count is by chance alone: Fisher's exact test, and Holm's correction for asking many times.

Probabilities are natural logarithms throughout: that of a clear case among a million jobs is no float.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

_ENOUGH = 1e-17
"""Terms below this part of the sum change no digit of it."""


def log_tail(at_least: int, drawn: int, marked: int, total: int) -> float:
    """log P(X >= at_least), X being how many of `drawn` jobs are `marked` when all choices of `drawn` among
    `total` are equally probable: the hypergeometric tail, and Fisher's exact test, one-sided.

    The sum is over whole terms, from the first down; right to six digits of the probability up to 10^7 jobs.
    0 <= drawn, marked <= total. (R. A. Fisher, J. Roy. Stat. Soc. 98 (1935), 39.)
    """
    least, most = max(0, drawn + marked - total), min(drawn, marked)
    if at_least <= least:
        return 0.0
    if at_least > most:
        return -math.inf
    first = _log_term(at_least, drawn, marked, total)
    term = part = 1.0
    for count in range(at_least, most):
        term *= (marked - count) * (drawn - count)
        term /= (count + 1) * (total - marked - drawn + count + 1)
        part += term
        if term < part * _ENOUGH:
            break
    return min(0.0, first + math.log(part))


def _log_term(count: int, drawn: int, marked: int, total: int) -> float:
    return _log_choose(marked, count) + _log_choose(total - marked, drawn - count) - _log_choose(total, drawn)


def _log_choose(of: int, some: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


def holm(logs: Iterable[float], tried: int) -> list[float]:
    """The smallest of `tried` log-probabilities, corrected for having tried so many; in the order given.

    What is below a level then is so with at most that probability for the whole family, however the
    questions depend on each other. (S. Holm, Scand. J. Stat. 6 (1979), 65.)
    """
    given = list(logs)
    corrected = [0.0] * len(given)
    highest = -math.inf
    for place, index in enumerate(sorted(range(len(given)), key=given.__getitem__)):
        highest = max(highest, min(0.0, given[index] + math.log(tried - place)))
        corrected[index] = highest
    return corrected
