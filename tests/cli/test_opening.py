"""Which pages of a stack can be opened, with what, and what to write when one is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cloudburst.cli import opening
from cloudburst.cli.opening import DOORS, way_to
from cloudburst.errors import CloudBurstError, UsageError
from cloudburst.run import secrets
from cloudburst.run.clusters import Connected
from cloudburst.run.observe import Study, read_study
from cloudburst.secret import Secret

SWARM = """\
cloudburst: 1
name: tanks
worker: {directory: model, entrypoint: 'tank:fill'}
parameters: {grid: {height: [1, 2]}}
cluster: {provider: {swarm: {host: "ssh://root@198.51.100.7"}}}
"""

CREDENTIALS = {secrets.VIEW_TOKEN: Secret("to look"), secrets.INFLUXDB_PASSWORD: Secret("the database's")}


@pytest.fixture
def swarm(tmp_path: Path) -> Study:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tank.py").write_text("def fill(height):\n    return height\n", "utf-8")
    (tmp_path / "ensemble.yaml").write_text(SWARM, "utf-8")
    return read_study(tmp_path / "ensemble.yaml", need_payload=False)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What stands on the machines, in place of the way there: that is the runner's, and tested in the lab."""
    there: dict[str, Any] = {
        "services": ("controller", "gateway", "grafana", "influxdb"),
        "credentials": CREDENTIALS,
    }

    @contextmanager
    def reached(study: Study) -> Iterator[Connected | None]:
        if not there["services"]:
            yield None
            return
        nobody: Any = None
        yield Connected(
            nobody,
            nobody,
            lambda: "tcp:172.18.0.9:8080",
            Secret("to look"),
            there["services"],
            there["credentials"],
            "there",
        )

    monkeypatch.setattr(opening, "connected", reached)
    return there


@pytest.mark.parametrize(
    ("name", "url", "password"),
    [
        ("status", "http://127.0.0.1:4000/", "to look"),
        ("grafana", "http://127.0.0.1:4000/grafana/", "to look"),
        ("influxdb", "http://127.0.0.1:4000/influxdb/", "the database's"),
    ],
)
def test_pages_that_are_there(
    swarm: Study, stack: dict[str, Any], name: str, url: str, password: str
) -> None:
    with way_to(swarm, name) as way:
        assert callable(way.where), "where the gateway is, is asked for each connection"
        said = way.to_json(4000)
        assert "to look" not in repr(way)
    assert (said["url"], said["user"], said["password"]) == (url, "cloudburst", password)


@pytest.mark.parametrize("name", ["queue", "visualizer"])
def test_what_to_write_for_a_page_that_is_not(swarm: Study, stack: dict[str, Any], name: str) -> None:
    with (
        pytest.raises(UsageError, match=f"^tanks has no {DOORS[name].title[4:]}$") as found,
        way_to(swarm, name),
    ):
        pass
    assert found.value.hint == f"`cluster: {{dashboards: {{{name}: true}}}}`, then `cloudburst apply`"


def test_grafana_comes_with_the_bundled_server(swarm: Study, stack: dict[str, Any]) -> None:
    stack["services"] = ("controller", "gateway")
    for name in ("grafana", "influxdb"):
        with pytest.raises(UsageError, match=f"has no {DOORS[name].title}") as found, way_to(swarm, name):
            pass
        assert "`results: [{influxdb: {database: cloudburst}}]` without a `url`" in found.value.hint


def test_a_stack_that_does_not_stand(swarm: Study, stack: dict[str, Any]) -> None:
    stack["services"] = ()
    with (
        pytest.raises(CloudBurstError, match="nothing of tanks runs on its machines") as found,
        way_to(swarm, "status"),
    ):
        pass
    assert found.value.hint == "`cloudburst apply` starts it"


def test_a_credential_that_is_not_known(swarm: Study, stack: dict[str, Any]) -> None:
    stack["credentials"] = {}
    with (
        pytest.raises(CloudBurstError, match="view-token of this study is not known here"),
        way_to(swarm, "status"),
    ):
        pass
