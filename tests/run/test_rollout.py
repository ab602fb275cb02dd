"""What is said while a stack comes up, and when waiting is in vain; the swarm's part is played."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudburst.compile.stack import Stack
from cloudburst.errors import ControllerError, ProviderError, Unreachable
from cloudburst.run import rollout
from cloudburst.run.events import Doing, Event, Note, StopSignal, Warned
from cloudburst.run.providers.swarm import Watch
from cloudburst.run.swarm import HOME, Named, Node, Service, Task
from cloudburst.run.terrain import Terrain

STACK = Stack("cb-waves", "services: {}", {}, {}, ("queue", "controller"), "d")
QUEUE = Service("q", "cb-waves_queue", spec="1")
CONTROLLER = Service("c", "cb-waves_controller", spec="1")
HERE = Node("m", "manager", True, "ready", "active", 0, 2.0, {})


def task(service: Service, state: str, error: str = "", *, name: str = "", spec: str = "1") -> Task:
    return Task(
        name or f"{service.id}-{state}",
        service.id,
        "m",
        state,
        "running",
        error,
        spec,
        datetime(2026, 1, 1, tzinfo=UTC),
    )


class Link:
    where = "ssh://lab"


class Played:
    """A swarm that shows one picture after another; the last one stays."""

    link = Link()

    def __init__(self, *pictures: Sequence[Task]) -> None:
        self.pictures = list(pictures)
        self.shown: list[Node] = [HERE]
        self.there: tuple[Service, ...] = (QUEUE, CONTROLLER)
        self.labelled: list[tuple[str, str, str | None]] = []
        self.stacks: frozenset[str] = frozenset()
        self.made: list[str] = []

    def services(self, _study: str) -> tuple[Service, ...]:
        return self.there

    def tasks(self, _study: str) -> Sequence[Task]:
        return self.pictures.pop(0) if len(self.pictures) > 1 else self.pictures[0]

    def nodes(self) -> tuple[Node, ...]:
        return tuple(self.shown)

    def log_of(self, _task: Task) -> str:
        return "Traceback: no room"

    def studies(self) -> frozenset[str]:
        return self.stacks

    def label_node(self, node: str, key: str, value: str | None) -> None:
        self.labelled.append((node, key, value))

    def configs(self, _study: str) -> tuple[Named, ...]:
        return tuple(Named(name, name) for name in self.made)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "LOOK_EVERY", 0.001)


RUNNING = (task(QUEUE, "running"), task(CONTROLLER, "running"))


def waited(
    swarm: Any, answers: Callable[[], object] = lambda: None, stop: StopSignal | None = None
) -> list[str]:
    events: list[Event] = []
    arrival = rollout.Arrival(swarm, "waves", events.append, stop or StopSignal())
    arrival.wait(STACK.services, answers)
    return [event.detail for event in events if isinstance(event, Doing)]


def test_each_step_is_said_once() -> None:
    coming = (task(QUEUE, "preparing"),)
    swarm = Played(coming, coming, (task(QUEUE, "running"), task(CONTROLLER, "starting")), RUNNING)
    assert waited(swarm) == [
        "0 of 2 services run; queue: fetching its image",
        "1 of 2 services run; controller: starting",
    ]


def test_a_task_of_the_stack_before_does_not_count() -> None:
    """While an update begins, what runs still is on its way out."""
    swarm = Played((task(QUEUE, "running"), task(CONTROLLER, "running", spec="0")), RUNNING)
    assert waited(swarm) == ["1 of 2 services run; controller: not begun"]


def test_a_controller_that_runs_and_does_not_answer_yet() -> None:
    answers = iter([ControllerError("starting"), None])

    def ask() -> None:
        said = next(answers)
        if said is not None:
            raise said

    assert waited(Played(RUNNING), ask) == ["1 of 2 services run; controller: no answer yet"]


def test_an_image_nobody_has() -> None:
    error = "No such image: redis:7.2-alpine"
    failed = tuple(task(QUEUE, "rejected", error, name=str(n)) for n in range(3))
    with pytest.raises(ProviderError, match=f"queue does not start on manager: {error}") as raised:
        waited(Played((), failed))
    assert "docker pull" in raised.value.hint


def test_a_program_that_dies_shows_what_it_said() -> None:
    failed = tuple(task(CONTROLLER, "failed", "task: non-zero exit (1)", name=str(n)) for n in range(3))
    with pytest.raises(ProviderError, match="controller does not start") as raised:
        waited(Played((), failed))
    assert "it said:\nTraceback: no room" in raised.value.hint


def test_what_failed_before_we_came_may_be_mended_by_now() -> None:
    failed = tuple(task(QUEUE, "failed", "no room", name=str(n)) for n in range(5))
    waited(Played(failed, (*failed, *RUNNING)))


def test_a_service_no_node_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "PLACED_WITHIN", 0.0)
    pending = (task(QUEUE, "pending", "no suitable node (insufficient resources on 1 node)"),)
    with pytest.raises(ProviderError, match="no node takes queue: no suitable node"):
        waited(Played(pending))


def test_waiting_ends_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "ANSWER_WITHIN", 0.0)
    with pytest.raises(
        ProviderError, match="the stack does not come up: queue: starting, controller: not begun"
    ):
        waited(Played((task(QUEUE, "starting"),)))


def test_ctrl_c_ends_it_at_once() -> None:
    stop = StopSignal()
    stop.raise_level()
    with pytest.raises(KeyboardInterrupt):
        waited(Played(()), stop=stop)


# ── before ───────────────────────────────────────────────────────────────────────────────────
def terrain(*claimed: Node) -> Terrain:
    return Terrain(HERE, (HERE,), True, (), claimed)


OTHER = dataclasses.replace(HERE, id="o", name="other", labels={HOME: "true"})


def claim(swarm: Any, where: Terrain) -> None:
    rollout.claim_home(swarm, where)


def test_the_home_is_labelled_once() -> None:
    swarm = Played(())
    claim(swarm, terrain())
    assert swarm.labelled == [("m", HOME, "true")]
    home = dataclasses.replace(HERE, labels={HOME: "true"})
    claim(again := Played(()), dataclasses.replace(terrain(), home=home))
    assert again.labelled == []


def test_a_home_nobody_lives_in_is_moved() -> None:
    claim(swarm := Played(()), terrain(OTHER))
    assert swarm.labelled == [("o", HOME, None), ("m", HOME, "true")]


def test_a_home_somebody_lives_in_stays() -> None:
    swarm = Played(())
    swarm.stacks = frozenset({"tides"})
    with pytest.raises(
        ProviderError, match="tides has its home on other, and ssh://lab is manager"
    ) as raised:
        claim(swarm, terrain(OTHER))
    assert "name other in `cluster.provider`" in raised.value.hint
    assert swarm.labelled == []


def test_the_same_text_stands_and_another_does_not() -> None:
    swarm: Any = Played(())
    assert not rollout.stands(swarm, "waves", STACK)
    swarm.made = [rollout.record_name("waves", STACK)]
    assert rollout.stands(swarm, "waves", STACK)
    assert not rollout.stands(swarm, "waves", dataclasses.replace(STACK, text="services: {a: {}}"))
    swarm.there = (QUEUE,)
    assert not rollout.stands(swarm, "waves", STACK)


# ── while following ──────────────────────────────────────────────────────────────────────────
def watching(swarm: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Watch, list[Event]]:
    monkeypatch.setattr("cloudburst.run.providers.swarm.LOOK_EVERY", 0.0)
    events: list[Event] = []
    watch = Watch(swarm, "waves", events.append)
    watch.look()
    return watch, events


def test_nodes_that_come_and_go_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm = Played(RUNNING)
    watch, events = watching(swarm, monkeypatch)
    alpha = dataclasses.replace(HERE, id="a", name="alpha")
    for nodes in ([HERE, alpha], [HERE, dataclasses.replace(alpha, state="down")], [HERE, alpha]):
        swarm.shown = nodes
        watch.look()
    assert events == [Note("alpha joined the swarm"), Warned("alpha is down"), Note("alpha is back")]


def test_a_trouble_is_told_once_and_an_old_one_never(monkeypatch: pytest.MonkeyPatch) -> None:
    old = task(CONTROLLER, "failed", "long ago", name="old")
    swarm = Played((old,))
    watch, events = watching(swarm, monkeypatch)
    again = tuple(task(QUEUE, "failed", "killed", name=str(n)) for n in range(2))
    swarm.pictures = [(old, *again)]
    watch.look()
    watch.look()
    assert events == [Warned("queue on manager: killed; started again")]


def test_a_stack_that_somebody_removed_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm = Played(RUNNING)
    watch, _ = watching(swarm, monkeypatch)
    swarm.there = ()
    with pytest.raises(ProviderError, match="the stack of waves is gone"):
        watch.look()


def test_a_broken_connection_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm = Played(RUNNING)
    watch, events = watching(swarm, monkeypatch)

    def broken(_study: str) -> tuple[Service, ...]:
        raise Unreachable("the connection to ssh://lab broke")

    monkeypatch.setattr(swarm, "services", broken)
    watch.look()
    watch.look()
    assert events == [Warned("the connection to ssh://lab broke; the study goes on, trying to come back")]
