from __future__ import annotations

from dataclasses import replace

import pytest
from compile.nouns import axis, block, ensemble

from cloudburst.errors import CloudBurstError
from cloudburst.run.promised import promised_sinks, promised_variables
from cloudburst.spec.ensemble import Ensemble, InfluxSink, TableSink


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


def sunk(*sinks: InfluxSink | TableSink) -> Ensemble:
    return replace(ensemble(block(axis("a", 1))), results=sinks)


OUTSIDE = InfluxSink("waves", (), url="https://influx.example", username="me", password="INFLUX_PASSWORD")


def test_a_sinks_credentials_are_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLUX_PASSWORD", "hidden")
    assert promised_sinks(sunk(TableSink("a.csv", ()), OUTSIDE)) == {
        "1": {"url": "https://influx.example", "username": "me", "password": "hidden", "token": None}
    }


def test_a_sinks_credential_that_is_not_set_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFLUX_PASSWORD", raising=False)
    with pytest.raises(
        CloudBurstError, match="influxdb sink of waves takes its password from INFLUX_PASSWORD"
    ) as e:
        promised_sinks(sunk(OUTSIDE))
    assert "export INFLUX_PASSWORD" in e.value.hint


def test_the_server_a_swarm_brings_along_has_a_password_of_ours() -> None:
    bundled = sunk(InfluxSink("waves", ()))
    assert promised_sinks(bundled) == {}
    assert promised_sinks(bundled, bundled_password="made")["0"] == {
        "url": "http://influxdb:8086",
        "username": "cloudburst",
        "password": "made",
        "token": None,
    }
