"""The stack file: read as Docker reads it, for every combination of what a study may ask for."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from compile import nouns

from cloudburst import __version__
from cloudburst.compile import stack
from cloudburst.compile.bundle import Bundle
from cloudburst.compile.stack import Site, Stack, compile_stack, needed_secrets, secret_name
from cloudburst.secret import Secret
from cloudburst.spec.ensemble import Cluster, Ensemble, InfluxSink

GOLDEN = Path(__file__).parents[1] / "golden" / "stack.yml"
GENERATIONS = dict.fromkeys((*stack.SECRETS, *stack.SECRETS_OF_PAGES), "g4f3e2d1")
GIB = 1 << 30
SITE = Site("3.11", False, 4 * GIB, GENERATIONS)
OURS = InfluxSink("cloudburst", ("results", 0))
THEIRS = InfluxSink("cloudburst", ("results", 0), url="http://influx.example:8086")


@pytest.fixture(autouse=True)
def _same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent is another test's matter; here it costs half a second each time."""
    monkeypatch.setattr(stack, "make_bundle", lambda: Bundle("ab" * 32, b"packed"))


def study(*results: InfluxSink, **cluster: Any) -> Ensemble:
    made = nouns.ensemble(nouns.block(nouns.axis("demand", 1, 2)))
    return replace(made, name="waves", results=results, cluster=Cluster(provider="swarm", **cluster))


def everything() -> Ensemble:
    return study(OURS, dashboards=("queue", "visualizer"))


def worker(ensemble: Ensemble, **changes: Any) -> Ensemble:
    return replace(ensemble, worker=replace(ensemble.worker, **changes))


def read(found: Stack) -> dict[str, Any]:
    """YAML as it is, anchors and merges resolved."""
    document: dict[str, Any] = yaml.safe_load(found.text)
    return document


def services(ensemble: Ensemble, site: Site = SITE) -> dict[str, Any]:
    found: dict[str, Any] = read(compile_stack(ensemble, site))["services"]
    return found


# ── as a reader sees it ──────────────────────────────────────────────────────────────────────
def test_a_whole_stack_file() -> None:
    """CLOUDBURST_GOLDEN=write puts down what is made now, for a look at the difference."""
    text = compile_stack(everything(), SITE).text.replace(__version__, "VERSION")
    text = re.sub(r'(waves\.[\w.-]+\.)[0-9a-f]{12}"', r'\1HASH"', text)
    if os.environ.get("CLOUDBURST_GOLDEN") == "write":
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text("utf-8")


def test_the_same_study_makes_the_same_stack() -> None:
    assert compile_stack(everything(), SITE) == compile_stack(everything(), SITE)


def test_services_are_there_when_something_wants_them() -> None:
    always = {"queue", "files", "controller", "gateway", "worker"}
    assert set(services(study())) == always
    assert set(services(study(THEIRS))) == always, "a server of the user's own needs none of ours"
    assert set(services(study(OURS))) == always | {"influxdb", "grafana"}
    assert set(services(study(dashboards=("queue",)))) == always | {"dashboard"}
    assert set(services(everything())) == {*always, "influxdb", "grafana", "dashboard", "visualizer"}
    assert compile_stack(everything(), SITE).services == stack.services_of(everything())


# ── as Docker reads it ───────────────────────────────────────────────────────────────────────
def docker() -> str:
    """No package of Debian 12 has a command line with `stack config`: where there is none, the lab's
    deployments alone show that Docker reads what is compiled."""
    found = shutil.which("docker")
    asked = [found or "", "stack", "config", "--help"]
    if (
        found is None
        or "--compose-file" not in subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    ):
        pytest.skip(
            "Docker's command line, version 23 or later, is not on this machine: docs.docker.com/engine/install"
        )
    return found


def combinations() -> Iterator[tuple[Ensemble, Site]]:
    sinks: tuple[tuple[InfluxSink, ...], ...] = ((), (OURS,), (THEIRS, replace(OURS, database='a "b" $c')))
    boards = ((), ("queue",), ("visualizer",), ("queue", "visualizer"))
    sites = (SITE, replace(SITE, single_node=True, worker_memory=None, python="3.9"))
    for results, dashboards, site in itertools.product(sinks, boards, sites):
        yield study(*results, dashboards=dashboards), site
    for scratch, slots in (("disk", 7), (3 * GIB, "auto")):
        image = "registry.example:5000/team/solver:1.2@sha256:" + "0" * 64
        yield worker(study(slots=slots), scratch=scratch, stop_grace=0.5, image=image), SITE


@pytest.mark.slow
def test_docker_accepts_it(tmp_path: Path) -> None:
    file = tmp_path / "stack.yml"
    for ensemble, site in combinations():
        made = compile_stack(ensemble, site)
        file.write_text(made.text)
        said = subprocess.run(
            [docker(), "stack", "config", "-c", str(file)], capture_output=True, text=True, check=False
        )
        assert (said.returncode, said.stderr) == (0, "")
        understood = yaml.safe_load(said.stdout)
        assert set(understood["services"]) == set(made.services)


@pytest.mark.parametrize(
    "image", ["a b", 'x"y', "a: b", "# c", "${HOME}:$TAG", "ü\u0085\U0001f600", "a\\b", "{{x}}"]
)
def test_docker_reads_the_very_text_the_user_wrote(image: str, tmp_path: Path) -> None:
    made = compile_stack(worker(study(), image=image), SITE)
    assert read(made)["services"]["worker"]["image"].replace("$$", "$") == image
    (tmp_path / "stack.yml").write_text(made.text)
    said = subprocess.run(
        [docker(), "stack", "config", "-c", str(tmp_path / "stack.yml")],
        capture_output=True, text=True, check=True, env={**os.environ, "TAG": "another"},
    )  # fmt: skip
    assert yaml.safe_load(said.stdout)["services"]["worker"]["image"].replace("$$", "$") == image


def test_everything_named_is_declared() -> None:
    found = read(compile_stack(everything(), SITE))
    for service in found["services"].values():
        for kind in ("configs", "secrets"):
            assert {entry["source"] for entry in service.get(kind, ())} <= set(found[kind])
        volumes = {entry["source"] for entry in service["volumes"] if entry["type"] == "volume"}
        assert volumes <= set(found["volumes"])
        assert set(service["networks"]) <= set(found["networks"])
    made = compile_stack(everything(), SITE)
    assert {entry["name"] for entry in found["configs"].values()} == {
        name for name, _ in made.configs.values()
    }
    assert {entry["name"] for entry in found["secrets"].values()} == set(made.secrets.values())


# ── what must hold of every service ──────────────────────────────────────────────────────────
def test_no_port_is_published_and_no_virtual_address_made() -> None:
    for service in services(everything()).values():
        assert "ports" not in service
        assert service["deploy"]["endpoint_mode"] == "dnsrr"


def test_no_service_can_do_more_than_it_must() -> None:
    for name, service in services(everything()).items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["init"] is True
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert service["deploy"]["restart_policy"]["condition"] == "any"
        assert service["deploy"]["resources"]["limits"]["memory"]
        socket = any("docker.sock" in str(entry.get("source")) for entry in service["volumes"])
        assert socket == (name == "visualizer")
        assert name == "visualizer" or service["user"] not in {"0", "root", "0:0"}
        assert name == "visualizer" or "healthcheck" in service


def test_everything_is_labelled() -> None:
    found = read(compile_stack(everything(), SITE))
    for service in found["services"].values():
        assert service["labels"]["cloudburst.study"] == "waves"
        assert service["deploy"]["labels"] == {"cloudburst.study": "waves", "cloudburst.version": __version__}
    for kind in ("networks", "volumes"):
        for name, entry in found[kind].items():
            assert name == "cache" or entry["labels"] == {"cloudburst.study": "waves"}


def test_state_stays_on_one_node_and_workers_leave_the_manager_alone() -> None:
    for name, service in services(everything()).items():
        constraints = service["deploy"].get("placement", {}).get("constraints", [])
        if name == "worker":
            assert (service["deploy"]["mode"], constraints) == ("global", ["node.role != manager"])
        else:
            assert service["deploy"]["replicas"] == 1
            assert "node.labels.cloudburst.home == true" in constraints
    alone = services(study(), replace(SITE, single_node=True))["worker"]
    assert "placement" not in alone["deploy"]


def test_workers_know_little_and_reach_little() -> None:
    found = services(everything())
    assert {entry["source"] for entry in found["worker"]["secrets"]} == {
        "queue-password", "worker-token", "environment.json",
    }  # fmt: skip
    reachable = {name for name, service in found.items() if "net" in service["networks"]}
    assert reachable == {"worker", "queue", "gateway"}
    assert found["worker"]["networks"] == ["net"]
    assert {entry["source"] for entry in found["controller"]["secrets"]} == set(needed_secrets(everything()))
    for service in found.values():
        assert all(entry["mode"] == 0o400 for entry in service.get("secrets", ()))
        assert all(entry["uid"] == service["user"].split(":")[0] for entry in service.get("secrets", ()))


def test_no_password_is_asked_for_in_arguments_or_environment() -> None:
    for service in services(everything()).values():
        said = json.dumps([service.get(key) for key in ("command", "entrypoint", "environment")])
        assert not re.search(r"requirepass|--password|PASSWORD(?!__FILE)", said)


# ── the worker ───────────────────────────────────────────────────────────────────────────────
def arguments(found: Mapping[str, Any]) -> dict[str, str]:
    words = [word for word in found["command"] if word.startswith("--") and "=" in word]
    return dict(word[2:].split("=", 1) for word in words)


def test_a_worker_is_told_what_the_study_says() -> None:
    asked = worker(study(slots=7), stop_grace=90.2)
    found = services(asked, replace(SITE, python="3.12"))["worker"]
    told = arguments(found)
    assert (told["study"], told["slots"], told["grace"]) == ("waves", "7", "91")
    assert found["stop_grace_period"] == f"{91 + stack.MARGIN}s", "Docker waits longer than the worker does"
    assert found["environment"]["CLOUDBURST_NODE"] == "{{.Node.Hostname}}", "Docker fills it in"
    assert found["deploy"]["resources"]["limits"]["memory"] == str(4 * GIB)
    assert found["deploy"]["update_config"]["parallelism"] == 0, "nodes do not wait for each other"
    assert found["image"] == "python:3.12-slim"
    unknown = services(study(), replace(SITE, worker_memory=None))["worker"]
    assert "resources" not in unknown["deploy"]


@pytest.mark.parametrize(
    ("scratch", "memory", "argument", "mounted"),
    [
        ("auto", 4 * GIB, "auto", ("/dev/shm", GIB)),
        ("auto", None, "auto", ("/dev/shm", GIB)),
        (3 * GIB, 4 * GIB, "/scratch", ("/scratch", 3 * GIB)),
        ("disk", 4 * GIB, "/var/tmp/cloudburst/cache/scratch", None),
    ],
)
def test_where_jobs_work(
    scratch: Any, memory: int | None, argument: str, mounted: tuple[str, int] | None
) -> None:
    found = services(worker(study(), scratch=scratch), replace(SITE, worker_memory=memory))["worker"]
    assert arguments(found)["scratch"] == argument
    memories = {e["target"]: e["tmpfs"]["size"] for e in found["volumes"] if e["type"] == "tmpfs"}
    del memories["/tmp"]
    assert memories == (dict([mounted]) if mounted else {})


@pytest.mark.parametrize(
    ("python", "image"), [("3.9", "3.12"), ("3.11", "3.11"), ("3.14", "3.14"), ("3.99", "3.12")]
)
def test_the_image_has_the_studys_python_where_we_run_on_it(python: str, image: str) -> None:
    found = services(study(), replace(SITE, python=python))
    assert found["worker"]["image"] == found["controller"]["image"] == f"python:{image}-slim"


def test_an_image_of_the_users_own_is_for_workers_alone() -> None:
    found = services(worker(study(), image="me/solver:2"))
    assert found["worker"]["image"] == "me/solver:2"
    assert found["controller"]["image"] == "python:3.11-slim"


# ── names ────────────────────────────────────────────────────────────────────────────────────
def test_names_fit_docker_and_differ() -> None:
    long = "a-study-whose-name-is-as-long-as-it-may-be"[:40]
    logical = [*stack.SECRETS, *stack.SECRETS_OF_PAGES]
    names = [
        secret_name(name, one, "0123456789ab") for one in logical for name in (long, long[:-1] + "x", "a")
    ]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}", name) for name in names)
    assert secret_name("waves", "api-token", "g1") == "cb-waves.api-token.g1"


def test_a_config_has_a_new_name_when_its_content_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    first = compile_stack(everything(), SITE)
    monkeypatch.setattr(stack, "make_bundle", lambda: Bundle("cd" * 32, b"packed otherwise"))
    second = compile_stack(replace(everything(), results=(OURS, replace(OURS, database="more"))), SITE)
    changed = {name for name in first.configs if first.configs[name] != second.configs[name]}
    assert changed == {"bundle", "influxdb.iql", "datasources.yml", "dashboard.json"}
    assert all(first.configs[name][0] != second.configs[name][0] for name in changed)
    assert second.bundle == "cd" * 32
    assert f"--digest={second.bundle}" in second.text


def test_another_generation_of_a_secret_changes_who_holds_it_and_nobody_else() -> None:
    def without_names(found: Stack) -> str:
        return found.text.partition("\nsecrets:")[0]

    first = compile_stack(everything(), SITE)
    second = compile_stack(everything(), replace(SITE, generations={**GENERATIONS, "view-token": "new"}))
    assert without_names(first) == without_names(second)
    assert second.secrets["view-token"] == "cb-waves.view-token.new"


# ── what the runner writes into secrets, what Grafana reads ──────────────────────────────────
def test_the_queue_reads_its_password_from_a_file() -> None:
    assert stack.queue_secret(Secret("Aa0_-")) == 'requirepass "Aa0_-"\n'
    with pytest.raises(ValueError, match="letters, digits"):
        stack.queue_secret(Secret('x"\nbind *'))


def test_grafana_finds_each_database_and_no_password_stands_there() -> None:
    databases = (OURS, THEIRS, replace(OURS, database="$more"), replace(OURS, path=("results", 3)))
    configs = compile_stack(study(*databases), SITE).configs
    sources = json.loads(configs["datasources.yml"][1])["datasources"]
    assert [source["jsonData"]["dbName"] for source in sources] == ["cloudburst", "$$more"]
    assert [source["isDefault"] for source in sources] == [True, False]
    assert {source["secureJsonData"]["password"] for source in sources} == {
        "$__file{/run/secrets/influxdb-password}"
    }
    made = configs["influxdb.iql"][1].decode().splitlines()
    assert [line.partition(" WITH ")[0] for line in made] == [
        'CREATE DATABASE "cloudburst"',
        'CREATE DATABASE "$more"',
    ]
    assert all("DURATION INF" in line for line in made), "what was computed is not forgotten"
    provider = json.loads(configs["dashboards.yml"][1])["providers"][0]
    (mounted,) = [e for e in services(study(OURS))["grafana"]["configs"] if e["source"] == "dashboard.json"]
    assert mounted["target"].startswith(provider["options"]["path"])
