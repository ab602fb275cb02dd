"""A swarm made of machines, as it is wanted and of nobody else, however often the one who makes it dies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudburst.errors import ProviderError
from cloudburst.run import formation
from cloudburst.run.contexts import SshDocker
from cloudburst.run.events import Doing, Event, StopSignal, Warned
from cloudburst.run.formation import Formation, Member
from cloudburst.run.places import places
from cloudburst.run.swarm import LEAVING, MADE, MEMBER
from cloudburst.spec import load
from cloudburst.spec.ensemble import Ensemble

from .played_dockers import Docker, Node, Swarm, World, bridge

pytestmark = pytest.mark.skipif(
    not Path("/proc/net/fib_trie").exists(), reason="machines of a swarm are Linux, and this is none"
)

LOOPBACK = "com.docker.network.bridge.host_binding_ipv4"


@pytest.fixture
def world(short: Path) -> Iterator[World]:
    one = World(short, "first", "second", "third")
    yield one
    one.close()


@dataclasses.dataclass
class Study:
    """`waves`, and what was told while its swarm was formed."""

    ensemble: Ensemble
    file: Path
    told: list[Event] = dataclasses.field(default_factory=list)
    stop: StopSignal = dataclasses.field(default_factory=StopSignal)

    def on(self, world: World, *names: str) -> Formation:
        manager, *workers = (self.member(world, name) for name in names)
        place = places(self.file, "waves")
        return Formation(self.ensemble, manager, workers, place, self.told.append, self.stop)

    @staticmethod
    def member(world: World, name: str) -> Member:
        return Member(name, world.at(name), world.docker(name).address)


@pytest.fixture
def waves(tmp_path: Path) -> Study:
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "waves.py").write_text("def work(a):\n    return a\n")
    file = tmp_path / "ensemble.yaml"
    file.write_text(
        "cloudburst: 1\nname: waves\nworker: {directory: worker, entrypoint: 'waves:work', stop_grace: 1s}\n"
        "parameters: {grid: {a: [1, 2]}}\n"
    )
    ensemble = load(file).ensemble
    assert ensemble is not None
    return Study(ensemble, file)


ALL = ("first", "second", "third")


def assert_formed(world: World, *names: str) -> None:
    """One swarm of exactly these, the first manages, bridges are ours and on the loopback, the others are apart."""
    manager = world.docker(names[0])
    swarm = manager.inside
    assert swarm is not None
    assert manager.manages
    assert swarm.labels == {MADE: "waves"}
    members = {node.labels.get(MEMBER): node for node in swarm.nodes.values()}
    assert len(swarm.nodes) == len(names) == len(members)
    for docker in world.dockers:
        assert docker.name not in names or docker.inside is swarm
        assert docker.name in names or docker.inside is None
    for name in names:
        docker = world.docker(name)
        assert swarm.nodes[docker.node] is members[name]
        assert members[name].availability == "active"
        assert LEAVING not in members[name].labels
        assert docker.bridge is not None
        assert docker.bridge["Options"][LOOPBACK] == "127.0.0.1"
        assert docker.bridge["Labels"] == {MADE: "waves"}


def assert_no_token_that_was_said_lets_anybody_in(world: World, since: int = 0) -> None:
    swarm = world.docker("first").inside
    assert swarm is not None
    said = [body["JoinToken"] for what, body in world.changes[since:] if what == "POST /swarm/join"]
    assert said
    assert swarm.token not in said


def assert_apart(*dockers: Docker) -> None:
    for docker in dockers:
        assert docker.inside is None
        assert docker.bridge is None


# ── formed ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("names", [("first",), ("first", "second"), ALL])
def test_one_swarm_of_all_members_and_a_second_time_nothing_is_done(
    world: World, waves: Study, names: tuple[str, ...]
) -> None:
    waves.on(world, *names).form()
    assert_formed(world, *names)
    done = len(world.changes)
    waves.on(world, *names).form()
    assert world.changes[done:] == []


def test_bridges_stand_before_the_swarm_and_the_token_is_another_after_the_joins(
    world: World, waves: Study
) -> None:
    waves.on(world, *ALL).form()
    did = [what for what, _ in world.changes]
    assert did[:2] == ["POST /networks/create", "POST /swarm/init"]
    assert did.index("POST /swarm/update") > max(
        n for n, what in enumerate(did) if what == "POST /swarm/join"
    )
    assert_no_token_that_was_said_lets_anybody_in(world)


@pytest.mark.slow
@pytest.mark.parametrize("unheard", [False, True])
def test_whoever_forms_it_may_die_between_any_two_steps(world: World, waves: Study, unheard: bool) -> None:
    waves.on(world, *ALL).form()
    steps = len(world.changes)
    assert steps > 8
    waves.on(world, *ALL).dissolve()
    for survived in range(steps):
        began = len(world.changes)
        world.die_after(survived, unheard=unheard)
        with pytest.raises(ProviderError):
            waves.on(world, *ALL).form()
        world.live()
        waves.on(world, *ALL).form()
        assert_formed(world, *ALL)
        assert_no_token_that_was_said_lets_anybody_in(world, began)
        assert waves.on(world, *ALL).dissolve() == ()
        assert_apart(*world.dockers)


@pytest.mark.slow
@pytest.mark.parametrize("unheard", [False, True])
def test_whoever_takes_it_apart_may_die_between_any_two_steps(
    world: World, waves: Study, unheard: bool
) -> None:
    waves.on(world, *ALL).form()
    formed = len(world.changes)
    waves.on(world, *ALL).dissolve()
    steps = len(world.changes) - formed
    assert steps == 6
    for survived in range(steps):
        waves.on(world, *ALL).form()
        world.die_after(survived, unheard=unheard)
        with pytest.raises(ProviderError):
            waves.on(world, *ALL).dissolve()
        world.live()
        assert waves.on(world, *ALL).stands() == (survived + unheard < steps)
        waves.on(world, *ALL).dissolve()
        assert_apart(*world.dockers)
        assert not waves.on(world, *ALL).stands()


# ── changed ──────────────────────────────────────────────────────────────────────────────────
def test_one_that_is_named_no_more_is_emptied_and_leaves(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    wanted = waves.on(world, "first", "third")
    wanted.form()
    assert [node.name for node in wanted.departed()] == ["second"]
    assert wanted.release([waves.member(world, "second")]) == ()
    assert_formed(world, "first", "third")
    assert_apart(world.docker("second"))
    assert Doing("swarm", "emptying second") in waves.told


def test_emptying_waits_for_the_studys_tasks_there(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    task = {"ID": "t", "NodeID": world.docker("second").node, "Status": {"State": "running"}}
    world.running = [{**task, "CreatedAt": "2026-11-22T17:00:00.000000000Z"}]
    waves.on(world, *ALL).drain(["second"])
    assert world.looks == 2
    node = world.docker("first").managed().nodes[world.docker("second").node]
    assert (node.availability, node.labels[LEAVING]) == ("drain", "waves")


def test_one_that_was_on_its_way_out_and_is_named_again_works_again(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    waves.on(world, *ALL).drain(["second"])
    waves.on(world, *ALL).form()
    assert_formed(world, *ALL)


def test_one_the_user_drained_stays_drained(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    node = world.docker("first").managed().nodes[world.docker("second").node]
    node.availability = "drain"
    waves.on(world, *ALL).form()
    assert node.availability == "drain"


def test_a_machine_that_was_made_anew_replaces_what_it_was(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    second = world.docker("second")
    second.inside, second.node, second.bridge = None, "", None
    waves.on(world, *ALL).form()
    assert_formed(world, *ALL)


def test_a_machine_whose_node_was_removed_comes_in_again(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    del world.docker("first").managed().nodes[world.docker("second").node]
    waves.on(world, *ALL).form()
    assert_formed(world, *ALL)


def test_workers_left_behind_by_a_manager_that_was_made_anew_follow_it(
    world: World, waves: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formation, "SETTLED_WITHIN", 0.1)
    waves.on(world, *ALL).form()
    first = world.docker("first")
    first.inside, first.node, first.manages, first.bridge = None, "", False, None
    world.docker("third").state = "pending"
    waves.on(world, *ALL).form()
    assert_formed(world, *ALL)


def test_a_docker_that_has_just_been_started_is_waited_for(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    for docker in world.dockers:
        docker.starting = 4
    waves.on(world, *ALL).form()
    assert_formed(world, *ALL)


def test_a_node_that_is_down_and_named_no_more_is_forgotten(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    third = world.docker("third")
    world.docker("first").managed().nodes[third.node].state = "down"
    third.inside, third.bridge = None, None
    waves.on(world, "first", "second").form()
    assert_formed(world, "first", "second")


def test_a_node_that_somebody_else_added_is_left_alone(world: World, waves: Study) -> None:
    waves.on(world, "first").form()
    swarm = world.docker("first").managed()
    swarm.nodes["guest"] = Node("guest", "guest", manager=False, state="down")
    waves.on(world, "first").form()
    assert "guest" in swarm.nodes
    assert waves.on(world, "first").departed() == ()


# ── away ─────────────────────────────────────────────────────────────────────────────────────
def gone(world: World, name: str) -> Member:
    return dataclasses.replace(Study.member(world, name), docker=nowhere())


def nowhere() -> SshDocker:
    return SshDocker("nowhere.invalid", options=("ProxyCommand=false",), name="second")


def test_a_member_that_cannot_be_reached_is_warned_of_and_a_new_one_is_an_error(
    world: World, waves: Study
) -> None:
    wanted = waves.on(world, *ALL)
    wanted.form()
    place = places(waves.file, "waves")
    manager, third = waves.member(world, "first"), waves.member(world, "third")
    members = [gone(world, "second"), third]
    again = Formation(waves.ensemble, manager, members, place, waves.told.append, waves.stop)
    again.form()
    assert [told for told in waves.told if isinstance(told, Warned)]
    (kept,) = again.dissolve()
    assert kept.startswith("second (")
    assert "docker swarm leave" in kept
    done = len(world.changes)
    with pytest.raises(ProviderError, match="second"):
        again.form()
    assert world.changes[done:] == [], "nothing is begun that cannot be ended"


# ── not ours ─────────────────────────────────────────────────────────────────────────────────
def other_swarm(world: World, name: str, labels: dict[str, str] | None = None) -> Swarm:
    docker = world.docker(name)
    docker.inside, docker.manages = Swarm(docker.address, labels or {}, ["10.0.0.0/8"]), True
    docker.enter(manager=True)
    return docker.inside


@pytest.mark.parametrize(("name", "labels"), [("first", {}), ("second", {}), ("first", {MADE: "tides"})])
def test_a_swarm_of_somebody_else_is_refused_and_nothing_is_touched(
    world: World, waves: Study, name: str, labels: dict[str, str]
) -> None:
    swarm = other_swarm(world, name, labels)
    whose = "of the study tides" if labels else "that CloudBurst did not make"
    with pytest.raises(ProviderError, match=f"{name} manages a swarm {whose}") as raised:
        waves.on(world, *ALL).form()
    assert "provider: {swarm:" in raised.value.hint
    assert world.changes == []
    assert not waves.on(world, *ALL).stands()
    if name == "first":
        (kept,) = waves.on(world, *ALL).dissolve()
        assert kept.startswith("the swarm of first")
    assert world.docker(name).inside is swarm


def test_a_worker_of_another_swarm_is_refused(world: World, waves: Study) -> None:
    docker = world.docker("third")
    docker.inside = Swarm("10.9.9.9", {}, [])
    docker.enter(manager=False)
    with pytest.raises(
        ProviderError, match=r"third is in another swarm already, the one of 10\.9\.9\.9:2377"
    ):
        waves.on(world, *ALL).form()
    with pytest.raises(ProviderError, match="third is in another swarm already"):
        waves.on(world, "third", "first").form()
    assert world.changes == []


def test_a_swarm_on_which_other_studies_stand_is_left_to_them(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    world.services = [{"Spec": {"Labels": {"cloudburst.study": "tides"}}}]
    assert waves.on(world, *ALL).dissolve() == ("the swarm of first: tides stand on it",)
    assert_formed(world, *ALL)


def test_another_order_of_the_hosts_is_refused(world: World, waves: Study) -> None:
    waves.on(world, *ALL).form()
    with pytest.raises(ProviderError, match="first manages the study's swarm, and second is to") as raised:
        waves.on(world, "second", "first", "third").form()
    assert "name first first" in raised.value.hint
    assert_formed(world, *ALL)


# ── not as they should be ────────────────────────────────────────────────────────────────────
def test_two_with_one_host_name(world: World, waves: Study) -> None:
    world.docker("third").name = "second"
    wanted = Formation(
        waves.ensemble,
        Study.member(world, "first"),
        [Member("b", world.at("second"), "127.0.0.12"), Member("c", world.at("third"), "127.0.0.13")],
        places(waves.file, "waves"),
        waves.told.append,
        waves.stop,
    )
    with pytest.raises(ProviderError, match="b and c have the same host name second"):
        wanted.form()
    assert world.changes == []


def test_one_machine_twice(world: World, waves: Study) -> None:
    first, second = Study.member(world, "first"), Study.member(world, "second")
    place = places(waves.file, "waves")
    again = dataclasses.replace(second, name="again")
    wanted = Formation(waves.ensemble, first, [second, again], place, waves.told.append, waves.stop)
    with pytest.raises(ProviderError, match=r"second and again are both at 127\.0\.0\.12"):
        wanted.form()


@pytest.mark.parametrize("address", ["203.0.113.9", ""])
def test_an_address_that_the_machine_has_not(world: World, waves: Study, address: str) -> None:
    first = dataclasses.replace(Study.member(world, "first"), address=address)
    wanted = Formation(waves.ensemble, first, [], places(waves.file, "waves"), waves.told.append, waves.stop)
    with pytest.raises(ProviderError, match=f"first has no address .*{address}.*: it has "):
        wanted.form()


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("locked", "the swarm of second is locked"),
        ("error", "Docker on second is not ready to be in a swarm"),
    ],
)
def test_a_docker_that_is_not_ready(world: World, waves: Study, state: str, sentence: str) -> None:
    world.docker("second").state = state
    with pytest.raises(ProviderError, match=sentence) as raised:
        waves.on(world, *ALL).form()
    assert "docker swarm leave --force" in raised.value.hint
    assert world.changes == []


def test_a_docker_that_is_too_old(world: World, waves: Study) -> None:
    world.docker("second").api = "1.39"
    with pytest.raises(ProviderError, match="on second is too old"):
        waves.on(world, *ALL).form()


def test_who_cannot_come_in_is_told_with_the_ports_and_is_apart_again(world: World, waves: Study) -> None:
    world.closed = world.docker("third").address
    with pytest.raises(ProviderError, match="third does not get into the swarm of first at 127") as raised:
        waves.on(world, *ALL).form()
    assert "2377/tcp, 7946/tcp and udp, 4789/udp" in raised.value.hint
    assert world.docker("third").inside is None
    world.closed = ""
    waves.on(world, *ALL).form()
    assert_formed(world, *ALL)


def test_a_bridge_that_docker_left_behind_is_made_anew_and_somebodys_own_is_kept(
    world: World, waves: Study
) -> None:
    world.docker("second").bridge = bridge({}, {})
    own = bridge({"com.docker.network.driver.mtu": "1400"}, {})
    world.docker("third").bridge = own
    waves.on(world, *ALL).form()
    second = world.docker("second").bridge
    assert second is not None
    assert second["Options"][LOOPBACK] == "127.0.0.1"
    assert world.docker("third").bridge is own
    assert any("docker_gwbridge on third" in getattr(told, "text", "") for told in waves.told)
    waves.on(world, *ALL).dissolve()
    assert world.docker("third").bridge is own


def test_the_user_may_stop_it(world: World, waves: Study) -> None:
    waves.stop.raise_level()
    with pytest.raises(KeyboardInterrupt):
        waves.on(world, *ALL).form()
