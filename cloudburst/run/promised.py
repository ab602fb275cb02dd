"""What the ensemble file takes from the caller's environment: taken, or missed at once.

The values of `worker.env`, promised to jobs, and the credentials of network sinks, which stand in no file.
"""

from __future__ import annotations

import os
from typing import Any

from ..errors import CloudBurstError
from ..spec.ensemble import Ensemble, InfluxSink

BUNDLED_INFLUXDB = "http://influxdb:8086"
BUNDLED_USER = "cloudburst"


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


def promised_sinks(ensemble: Ensemble, *, bundled_password: str | None = None) -> dict[str, dict[str, Any]]:
    """Position in `results` -> url, username, password and token of each network sink.

    `bundled_password`: of the server a swarm brings along, for sinks without a `url`; without it those
    are left out. Raises CloudBurstError when a variable that a sink names is not set.
    """
    found: dict[str, dict[str, Any]] = {}
    for position, sink in enumerate(ensemble.results):
        if not isinstance(sink, InfluxSink):
            continue
        if sink.url is not None:
            found[str(position)] = {
                "url": sink.url,
                "username": sink.username,
                "password": _value(sink.password, sink, "password"),
                "token": _value(sink.token, sink, "token"),
            }
        elif bundled_password is not None:
            found[str(position)] = {
                "url": BUNDLED_INFLUXDB,
                "username": BUNDLED_USER,
                "password": bundled_password,
                "token": None,
            }
    return found


def _value(name: str | None, sink: InfluxSink, key: str) -> str | None:
    if name is None:
        return None
    if name not in os.environ:
        raise CloudBurstError(
            f"the influxdb sink of {sink.database} takes its {key} from {name}, which is not set here",
            f"set it: `export {name}=…`",
        )
    return os.environ[name]
