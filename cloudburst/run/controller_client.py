"""The controller as seen from a command. Light: imports neither redis nor rq."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ControllerError
from ..secret import Secret
from .addresses import Where, address_now
from .http import Response, Unanswered, request
from .study import FORMAT, Runs, rows_form

STUDY, STATUS, PAUSE, RESUME = "/api/study", "/api/status", "/api/pause", "/api/resume"
CANCEL, LEDGER, ROWS, FETCHED = "/api/cancel", "/api/ledger", "/api/rows", "/api/fetched"


class ControllerClient:
    """Every method may raise ControllerError. `timeout` in seconds, for each request."""

    def __init__(self, where: Where, token: Secret, *, timeout: float = 30.0) -> None:
        self._where = where
        self._token = token
        self._timeout = timeout

    def put_study(
        self,
        frozen: Mapping[str, Any],
        order: Mapping[str, Any],
        *,
        rows: Runs | None = None,
        retry: Sequence[str] | None = None,
        keep_stale: bool = False,
    ) -> dict[str, Any]:
        """Hand over what is to be computed; the status. What is computed already goes on as it is.

        `frozen` is what `compile.normal.freeze` makes. `rows` are runs of them (None: all). `retry`: failed jobs
        that get as many attempts again as they had; what else is to do is done as well. `keep_stale`: what other
        worker code computed counts as done.
        """
        body = {
            "format": FORMAT,
            "normal": frozen,
            "order": order,
            "rows": rows_form(rows),
            "retry": list(retry) if retry is not None else None,
            "keep_stale": keep_stale,
        }
        return self._ask("PUT", STUDY, json.dumps(body).encode())

    def status(self) -> dict[str, Any]:
        """As schemas/status.schema.json says."""
        return self._ask("GET", STATUS)

    def pause(self) -> dict[str, Any]:
        """No job is started any more; the status, in which jobs may still run."""
        return self._ask("POST", PAUSE)

    def resume(self) -> dict[str, Any]:
        return self._ask("POST", RESUME)

    def cancel(self, *, now: bool = False) -> dict[str, Any]:
        """Until the study is handed over again no job is started; `now`: those that run are ended too."""
        return self._ask("POST", CANCEL, json.dumps({"now": now}).encode())

    # ── its ledger, for replica.py ───────────────────────────────────────────────────────────
    def ledger(self) -> dict[str, Any]:
        """`study`, `uuid`, the `last` line, and `payloads` with when each was used last."""
        return self._ask("GET", LEDGER)

    def rows(self, after: int, limit: int) -> dict[str, Any]:
        """What was recorded after a line."""
        return self._ask("GET", f"{ROWS}?after={after}&limit={limit}")

    def put_rows(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """How many were `new`, and which lines they became."""
        return self._ask("PUT", ROWS, json.dumps(body).encode())

    def have_fetched(self, uuid: str, last: int) -> None:
        """Everything up to line `last` of the ledger `uuid` is here, rows and objects: a rented machine that holds no
        more may go."""
        self._ask("POST", FETCHED, json.dumps({"uuid": uuid, "last": last}).encode())

    def _ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        try:
            answer = request(
                address_now(self._where), method, path, token=self._token, body=body, timeout=self._timeout
            )
        except Unanswered as error:
            raise ControllerError(f"the controller: {error}") from error
        return _read(answer)


def _read(answer: Response) -> dict[str, Any]:
    if answer.status >= 400:
        raise ControllerError(f"the controller refused: {answer.error}", str(answer.json().get("hint", "")))
    found = answer.json()
    if not isinstance(found, dict):
        raise ControllerError("the controller gave an answer that is none")
    return found
