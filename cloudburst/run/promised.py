"""The variables `worker.env` promises to jobs: taken from the caller's environment, or missed at once."""

from __future__ import annotations

import os

from ..errors import CloudBurstError
from ..spec.ensemble import Ensemble


def promised_variables(ensemble: Ensemble) -> dict[str, str]:
    """Their values. Raises CloudBurstError when one is not set: a job would find out, or worse, not."""
    missing = [name for name in ensemble.worker.env if name not in os.environ]
    if missing:
        what = " and ".join(missing)
        raise CloudBurstError(
            f"`worker.env` names {what}, which {'is' if len(missing) == 1 else 'are'} not set here",
            f"set it: `export {missing[0]}=…`, or take it out of `worker.env`",
        )
    return {name: os.environ[name] for name in ensemble.worker.env}
