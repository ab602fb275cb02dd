from __future__ import annotations

from dataclasses import replace

import pytest

from cloudburst.errors import ProviderError
from cloudburst.run.swarm import HOME, Node, Standing
from cloudburst.run.terrain import check_manager, judge

GB = 1_000_000_000
STANDING = Standing("m", "manager", "active", manages=True, engine="27.3.1", api=(1, 47))


def node(name: str, *, manager: bool = False, memory: int = 2 * GB, **changes: object) -> Node:
    made = Node(name[0], name, manager, "ready", "active", memory, 2.0, {})
    return replace(made, **changes)  # type: ignore[arg-type]


MANAGER = node("manager", manager=True, memory=8 * GB)


def test_workers_are_the_nodes_that_manage_nothing() -> None:
    found = judge(STANDING, [MANAGER, node("alpha"), node("beta", memory=4 * GB)])
    assert found.home == MANAGER
    assert [one.name for one in found.workers] == ["alpha", "beta"]
    assert not found.on_every_node
    assert found.worker_memory == 1_800_000_000


def test_one_node_does_everything() -> None:
    found = judge(STANDING, [MANAGER])
    assert found.on_every_node
    assert found.workers == (MANAGER,)


def test_nodes_that_would_get_no_job_are_named() -> None:
    nodes = [MANAGER, node("alpha"), node("beta", state="down"), node("gamma", availability="drain")]
    found = judge(STANDING, nodes)
    assert [(one.name, why) for one, why in found.idle] == [("beta", "is down"), ("gamma", "is drained")]
    assert [one.name for one in found.workers] == ["alpha"]


def test_without_a_node_that_works_nothing_is_deployed() -> None:
    with pytest.raises(ProviderError, match="no node of the swarm can work: alpha is down"):
        judge(STANDING, [MANAGER, node("alpha", state="down")])


def test_two_nodes_of_one_name_are_refused() -> None:
    with pytest.raises(ProviderError, match="several nodes of the swarm are called alpha") as raised:
        judge(STANDING, [MANAGER, node("alpha"), node("alpha", id="other")])
    assert "hostnamectl" in raised.value.hint


def test_the_old_self_of_a_node_that_came_back_anew_does_no_harm() -> None:
    judge(STANDING, [MANAGER, node("alpha"), node("alpha", id="other", state="down")])


def test_a_drained_home_is_refused() -> None:
    with pytest.raises(ProviderError, match="manager is set to drain"):
        judge(STANDING, [replace(MANAGER, availability="drain"), node("alpha")])


def test_another_home_is_seen() -> None:
    second = node("second", manager=True, labels={HOME: "true"})
    assert judge(STANDING, [MANAGER, second, node("alpha")]).claimed == (second,)


def test_memory_that_nobody_knows_is_no_limit() -> None:
    assert judge(STANDING, [MANAGER, node("alpha", memory=0)]).worker_memory is None


@pytest.mark.parametrize(
    ("changes", "sentence", "way_out"),
    [
        ({"swarm": "inactive", "manages": False}, "Docker on lab is in no swarm", "docker swarm init"),
        ({"swarm": "locked", "manages": False}, "locked", "docker swarm unlock"),
        ({"swarm": "pending"}, "not ready", "docker info"),
        ({"manages": False}, "lab is a worker of its swarm", "docker node ls"),
        ({"engine": "19.03.1", "api": (1, 40)}, "Docker 19.03.1 on lab is too old", "20.10"),
    ],
)
def test_what_cannot_be_asked_is_told_with_a_way_out(
    changes: dict[str, object], sentence: str, way_out: str
) -> None:
    with pytest.raises(ProviderError, match=sentence) as raised:
        check_manager(replace(STANDING, **changes), "lab")  # type: ignore[arg-type]
    assert way_out in raised.value.hint


def test_a_manager_will_do() -> None:
    check_manager(STANDING, "lab")
    check_manager(replace(STANDING, engine="20.10.24", api=(1, 41)), "lab")
