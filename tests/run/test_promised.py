from __future__ import annotations

from dataclasses import replace

import pytest
from compile.nouns import axis, block, ensemble

from cloudburst.errors import CloudBurstError
from cloudburst.run.promised import promised_variables


def promising(*names: str) -> object:
    study = ensemble(block(axis("a", 1)))
    return replace(study, worker=replace(study.worker, env=names))


def test_what_is_promised_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICENSE_SERVER", "port@host")
    assert promised_variables(promising("LICENSE_SERVER")) == {"LICENSE_SERVER": "port@host"}  # type: ignore[arg-type]


def test_what_is_not_set_is_missed_before_any_job_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LICENSE_SERVER", raising=False)
    with pytest.raises(
        CloudBurstError, match=r"`worker\.env` names LICENSE_SERVER, which is not set here"
    ) as raised:
        promised_variables(promising("LICENSE_SERVER"))  # type: ignore[arg-type]
    assert "export LICENSE_SERVER" in raised.value.hint
