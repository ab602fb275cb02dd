"""The dashboard as it is made from a study; what its queries return is tried in tests/run/test_dashboard_queries.py."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from compile.nouns import Uniform, axis, block, ensemble, replicates, sample
from grafana.studies import STUDIES, bare, plain, rich, sink

from cloudburst.compile import stack
from cloudburst.compile.bundle import Bundle
from cloudburst.compile.dashboard import bundled, make_dashboard
from cloudburst.compile.panels import WIDTH
from cloudburst.compile.stack import Site, compile_stack, needed_secrets
from cloudburst.spec.ensemble import Ensemble

EVERY = pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))


@pytest.fixture(autouse=True)
def _same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent is another test's matter; here it costs half a second each time."""
    monkeypatch.setattr(stack, "make_bundle", lambda: Bundle("ab" * 32, b"packed"))


def variables(dashboard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def titles(dashboard: dict[str, Any]) -> list[str]:
    return [panel["title"] for panel in dashboard["panels"]]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for one in value.values() for text in texts(one))
    elif isinstance(value, list):
        yield from (text for one in value for text in texts(one))


# ── layout ───────────────────────────────────────────────────────────────────────────────────
@EVERY
def test_no_panel_lies_on_another(study: Ensemble) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in make_dashboard(study)["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= WIDTH
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len(set(taken.values())) == len(make_dashboard(study)["panels"])


@EVERY
def test_a_row_is_as_wide_as_the_page_and_has_its_panels_below(study: Ensemble) -> None:
    panels = make_dashboard(study)["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    below = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in panels]
    assert below == sorted(below)
    assert all(
        panel["gridPos"] == {**panel["gridPos"], "x": 0, "w": WIDTH, "h": 1}
        for panel in panels
        if panel["type"] == "row"
    )


@EVERY
def test_every_variable_that_is_used_is_there(study: Ensemble) -> None:
    dashboard = make_dashboard(study)
    given_by_grafana = {"timeFilter", "__interval", "__all_variables", "__data", "__all", "m"}
    used = {
        name
        for text in texts(dashboard)
        for pair in re.findall(r"\$\{(\w+)|\$(\w+)", text)
        for name in pair
        if name
    }
    assert used - given_by_grafana <= variables(dashboard).keys()
    assert variables(dashboard).keys() - {"database"} <= used | {"measurement"}
    assert len(variables(dashboard)) == len(dashboard["templating"]["list"])
    assert all(re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in variables(dashboard))


# ── what is shown ────────────────────────────────────────────────────────────────────────────
def test_one_can_choose_by_every_parameter_that_is_a_tag() -> None:
    labels = {one["label"]: one["name"] for one in make_dashboard(rich())["templating"]["list"]}
    assert labels.keys() >= {"demand", "größe", "id", "rule", "hours"}
    assert labels["größe"] == "of_gr__e", "Grafana's variables are ASCII"
    assert "leak" not in labels
    assert "${output} by rule" in titles(make_dashboard(rich()))


def test_names_that_look_alike_to_grafana_are_two_variables() -> None:
    study = ensemble(block(axis("aä", 1, 2), axis("aö", 1, 2), axis("a_", 1, 2)), results=[sink()])
    assert [name for name in variables(make_dashboard(study)) if name.startswith("of_")] == [
        "of_a_",
        "of_a__",
        "of_a___",
    ]


def test_outputs_are_offered_and_neither_parameters_nor_what_is_known_of_the_job() -> None:
    pattern = re.compile(variables(make_dashboard(rich()))["output"]["regex"].strip("/"))
    fields = ["lowest", "tank.level", "hours_open", "attempts", "seconds", "in.seconds", "leak", "worker"]
    assert [name for name in fields if pattern.match(name)] == ["lowest", "tank.level", "hours_open"]


def test_an_output_is_drawn_against_what_differs_from_job_to_job_and_is_no_tag() -> None:
    assert variables(make_dashboard(rich()))["against"]["query"] == "leak : leak,in.seconds : in.seconds"
    assert "${output} against ${against}" in titles(make_dashboard(rich()))
    assert "against" not in variables(make_dashboard(bare())), "`hours` is the same everywhere"


def test_a_job_is_called_by_its_parameters() -> None:
    study = ensemble(block(axis("demand", 1, 2), axis("größe", 1), replicates(2)), results=[sink()])
    [panel] = [one for one in make_dashboard(study)["panels"] if one["title"] == "Job by job"]
    assert panel["targets"][0]["alias"] == "demand [[tag_demand]] · replicate [[tag_replicate]] · [[tag_id]]"


@pytest.mark.parametrize(
    ("n", "share", "ids"),
    [
        (100, "every job", "."),
        (101, "1 in 4", "[0-3]"),
        (1_600, "1 in 16", "0"),
        (1_601, "1 in 64", "0[0-3]"),
        (10_000_000, "1 in 65536", "0000"),
    ],
)
def test_of_many_jobs_as_many_are_drawn_as_can_be_told_apart(n: int, share: str, ids: str) -> None:
    study = ensemble(block(sample("random", n, a=Uniform(0, 1))), results=[sink()])
    drawn = variables(make_dashboard(study))["drawn"]
    assert drawn["current"] == {"text": share, "value": ids}
    assert f"{share} : {ids}" in drawn["query"].split(",")


# ── when ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("study", "begin"),
    [
        (plain(), "1970-01-01T00:00:00.000Z"),
        (rich(), "2017-01-01T00:00:00.000Z"),
        (ensemble(block(axis("a", 1)), results=[sink(start="2018-05-28")]), "2018-05-28T00:00:00.000Z"),
        (ensemble(block(axis("t", 86400, 0.5)), results=[sink(start="t")]), "1970-01-01T00:00:00.000Z"),
        (
            ensemble(block(sample("random", 3, t=Uniform(0, 9))), results=[sink(start="t")]),
            "1970-01-01T00:00:00.000Z",
        ),
    ],
    ids=["nothing said", "the earliest of a parameter", "a moment", "seconds", "drawn"],
)
def test_the_page_begins_where_the_first_job_does(study: Ensemble, begin: str) -> None:
    assert make_dashboard(study)["time"]["from"] == begin


def test_a_link_shows_the_first_day_with_what_was_chosen() -> None:
    study = ensemble(block(axis("a", 1)), results=[sink(start="2018-05-28")])
    [link] = [one for one in make_dashboard(study)["links"] if one["title"] == "First day"]
    assert link["url"] == "/d/study?from=1527465600000&to=1527552000000"
    assert (link["includeVars"], link["keepTime"]) == (True, False)


def test_a_page_that_begins_at_the_end_of_time_ends_there() -> None:
    study = ensemble(block(axis("a", 1)), results=[sink(start="2261-12-31")])
    assert make_dashboard(study)["time"]["to"] == "2262-01-01T00:00:00.000Z"


# ── provisioning ─────────────────────────────────────────────────────────────────────────────
def provisioned(study: Ensemble, name: str) -> dict[str, Any]:
    """The file as Grafana reads it: in YAML, of which JSON is a part, it takes `$$` for a `$`."""
    site = Site("3.11", False, None, dict.fromkeys(needed_secrets(study), "abc"))
    text = compile_stack(study, site).configs[name][1].decode()
    content: dict[str, Any] = json.loads(text.replace("$$", "$") if name.endswith(".yml") else text)
    return content


DATASOURCE = {
    *(
        "name",
        "uid",
        "type",
        "access",
        "orgId",
        "url",
        "user",
        "database",
        "isDefault",
        "editable",
        "version",
    ),
    *("basicAuth", "basicAuthUser", "withCredentials", "jsonData", "secureJsonData"),
}
PROVIDER = {
    *("name", "orgId", "folder", "folderUid", "type", "disableDeletion", "updateIntervalSeconds"),
    *("allowUiUpdates", "options"),
}


def test_datasources_are_written_in_the_keys_grafana_documents() -> None:
    written = provisioned(rich(), "datasources.yml")
    assert written.keys() <= {"apiVersion", "datasources", "deleteDatasources", "prune"}
    assert written["apiVersion"] == 1
    for one in written["datasources"]:
        assert one.keys() <= DATASOURCE
        assert (one["type"], one["access"]) == ("influxdb", "proxy")
        assert one["jsonData"].keys() <= {"dbName", "httpMode", "timeInterval", "version", "maxSeries"}
        assert one["secureJsonData"] == {"password": "$__file{/run/secrets/influxdb-password}"}


def test_dashboards_are_provided_in_the_keys_grafana_documents() -> None:
    written = provisioned(rich(), "dashboards.yml")
    assert written.keys() == {"apiVersion", "providers"}
    [provider] = written["providers"]
    assert provider.keys() <= PROVIDER
    assert provider["options"] == {"path": "/etc/cloudburst/dashboards"}


def test_the_dashboard_asks_datasources_that_are_there() -> None:
    study = rich()
    found = {one["uid"]: one for one in provisioned(study, "datasources.yml")["datasources"]}
    dashboard = provisioned(study, "dashboard.json")
    assert dashboard == make_dashboard(study)
    current = variables(dashboard)["database"]["current"]
    assert found[current["value"]]["name"] == current["text"]
    assert (
        [one["jsonData"]["dbName"] for one in found.values()] == list(bundled(study)) == ["waves", "a $ more"]
    )
    asked = {
        json.dumps(one["datasource"])
        for one in (*dashboard["panels"], *variables(dashboard).values())
        if "datasource" in one
    }
    assert asked == {'{"type": "influxdb", "uid": "${database}"}'}


def test_the_database_is_a_choice_only_where_there_are_two() -> None:
    assert variables(make_dashboard(plain()))["database"]["hide"] == 2
    assert variables(make_dashboard(rich()))["database"]["hide"] == 0
