"""What is removed in which order, and what is said to be left; the swarm's part is played."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudburst.errors import ProviderError
from cloudburst.run import dismantle as room
from cloudburst.run.dismantle import Dismantled, dismantle
from cloudburst.run.events import Event
from cloudburst.run.swarm import HOME, Named, Node, Service, Task

MANAGER = Node("m", "manager", True, "ready", "active", 0, 2.0, {HOME: "true"})
ALPHA = Node("a", "alpha", False, "ready", "active", 0, 2.0, {})
BETA = Node("b", "beta", False, "down", "active", 0, 2.0, {})

WORKER: dict[str, Any] = {
    "ContainerSpec": {
        "Image": "python:3.11-slim",
        "User": "10001:10001",
        "Command": ["python3", "-I", "/cloudburst/entry.py"],
        "Args": ["run", "worker", "--digest=d", "--", "supervise", "--study=waves", "--cache=/var/tmp/c"],
        "Env": ["CLOUDBURST_NODE={{.Node.Hostname}}"],
        "Secrets": [{"SecretName": "cb-waves.worker-token.1"}],
        "Mounts": [{"Source": "cloudburst-cache"}],
    },
    "Placement": {"Constraints": ["node.role != manager"]},
    "Networks": [{"Target": "n"}],
}


class Link:
    where = "ssh://lab"


class Played:
    """Everything asked to go goes, but for what is `stubborn`; tasks of `beta`, which is down, never end."""

    link = Link()

    def __init__(self, *, stubborn: frozenset[str] = frozenset(), forgets: bool = True) -> None:
        self.stubborn = stubborn
        self.forgets = forgets
        self.done: list[str] = []
        self.others: frozenset[str] = frozenset()
        self.created: dict[str, Any] = {}
        self.labelled: list[tuple[str, str, str | None]] = []
        self.has: dict[str, list[Any]] = {
            "services": [Service("w", "cb-waves_worker"), Service("q", "cb-waves_queue")],
            "networks": [Named("n", "cb-waves_net")],
            "volumes": [Named("v", "cb-waves_controller")],
            "secrets": [Named("s", "cb-waves.worker-token.1")],
            "configs": [Named("c", "cb-waves.stack.1")],
        }

    def nodes(self) -> tuple[Node, ...]:
        return (MANAGER, ALPHA, BETA)

    def task_of(self, _service: Service) -> dict[str, Any]:
        return WORKER

    def studies(self) -> frozenset[str]:
        return self.others

    def label_node(self, node: str, key: str, value: str | None) -> None:
        self.labelled.append((node, key, value))

    def create_service(self, name: str, task: Any, mode: Any, _labels: Any) -> str:
        self.done.append(f"create {name}")
        self.created = {"task": task, "mode": mode}
        self.has["services"].append(Service("f", name))
        return "f"

    def tasks(self, _study: str) -> list[Task]:
        ended = "complete" if self.forgets else "failed"
        made = datetime(2026, 1, 1, tzinfo=UTC)
        forgetting = [Task("1", "f", "a", ended, "shutdown", "", "", made)] if self.created else []
        return [*forgetting, Task("2", "w", "b", "running", "remove", "", "", made)]

    def __getattr__(self, name: str) -> Any:
        verb, _, kind = name.partition("_")
        if name in self.has:
            return lambda _study: tuple(self.has[name])
        assert verb == "remove"

        def remove(one: Named) -> None:
            if one.name in self.stubborn:
                raise ProviderError("it is in use")
            self.done.append(f"remove {kind} {one.name}")
            self.has[f"{kind}s"] = [other for other in self.has[f"{kind}s"] if other.name != one.name]

        return remove


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(room, "GONE_WITHIN", 0.05)


def dismantled(swarm: Any) -> Dismantled:
    events: list[Event] = []
    return dismantle(swarm, "waves", events.append)


def test_workers_go_first_and_their_caches_are_emptied_before_the_rest_goes() -> None:
    swarm = Played()
    dismantled(swarm)
    assert swarm.done[:2] == ["remove service cb-waves_worker", "create cb-waves_forget"]
    assert not any(swarm.has.values())
    assert swarm.labelled == [("m", HOME, None)]


def test_what_empties_a_cache_is_the_workers_own_program_without_its_secrets() -> None:
    swarm = Played()
    dismantled(swarm)
    container = swarm.created["task"]["ContainerSpec"]
    assert container["Args"] == [
        "run",
        "worker",
        "--digest=d",
        "--",
        "forget",
        "--study=waves",
        "--cache=/var/tmp/c",
    ]
    assert container["Mounts"] == [{"Source": "cloudburst-cache"}]
    assert not {"Secrets", "Env"} & container.keys()
    assert "Networks" not in swarm.created["task"]
    assert swarm.created["task"]["RestartPolicy"] == {"Condition": "none"}
    assert swarm.created["mode"] == {"Global": {}}


def test_nodes_that_are_away_are_named_and_not_waited_for() -> None:
    kept = dismantled(Played()).kept
    assert kept[0] == "the cache that all studies share: the volume cloudburst-cache on each node"
    assert [sentence for sentence in kept if sentence.startswith("beta is down: what runs there ends")]
    assert len(kept) == 2


def test_a_cache_that_could_not_be_emptied_is_named() -> None:
    kept = dismantled(Played(forgets=False)).kept
    assert "the study's part of the cache of alpha (volume cloudburst-cache)" in kept


def test_the_home_stays_labelled_while_another_study_lives_there() -> None:
    swarm = Played()
    swarm.others = frozenset({"tides"})
    dismantled(swarm)
    assert swarm.labelled == []


def test_what_does_not_go_is_an_error_with_its_name() -> None:
    with pytest.raises(
        ProviderError, match="something of waves is left on ssh://lab: the volume cb-waves_controller"
    ) as e:
        dismantled(Played(stubborn=frozenset({"cb-waves_controller"})))
    assert "`cloudburst destroy` again" in e.value.hint


def test_a_stack_that_is_not_as_ours_are_is_removed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm = Played()
    strange = {**WORKER, "ContainerSpec": {**WORKER["ContainerSpec"], "Args": ["sleep"]}}
    monkeypatch.setattr(swarm, "task_of", lambda _service: strange, raising=False)
    kept = dismantled(swarm).kept
    assert any("the cache of every node" in sentence for sentence in kept)
    assert not any(swarm.has.values())


def test_again_there_is_nothing_and_that_is_fine() -> None:
    swarm = Played()
    dismantled(swarm)
    swarm.done.clear()
    assert not dismantled(swarm).removed
    assert swarm.done == []


def test_remains_in_words() -> None:
    remains = dataclasses.replace(
        room.Remains(), volumes=(Named("v", "a"),), secrets=(Named("s", "b"), Named("t", "c"))
    )
    assert room.in_words(remains) == "the volume a, 2 secrets"
