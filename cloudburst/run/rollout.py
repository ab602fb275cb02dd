"""Putting a stack on a swarm: what it needs before, the deployment, what is left over after, and the wait.

Nothing is deployed that stands already: the text of a stack is kept beside it, as a config of the
swarm, and the same text again is no deployment.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence

from ..compile.stack import IMAGES, Stack, config_name
from ..errors import ControllerError, ProviderError
from .credentials import GENERATION, LOGICAL
from .events import Doing, Note, OnEvent, StopSignal, Warned
from .swarm import HOME, STUDY, Node, Standing, Swarm, Task
from .terrain import Terrain, check_manager, judge

DEPLOY_WITHIN = 300.0
ANSWER_WITHIN = 900.0
"""Seconds until a new stack must answer; images are pulled and packages installed in it."""
LOOK_EVERY = 0.5
PLACED_WITHIN = 15.0
"""Seconds a task may wait for a node that could take it: nodes come back, and images come in."""
FAILURES = 3
"""So many deaths of one service, none of it running, are no accident."""
NO_NEWS = "Since --detach=false was not specified"
"""How newer versions of Docker's program begin to say what older ones just did."""
RECORD = "stack"
"""The config that says what was deployed."""


# ── before ───────────────────────────────────────────────────────────────────────────────────
def check(swarm: Swarm) -> Standing:
    """Raises ProviderError when the Docker we talk to manages no swarm that could be used."""
    standing = swarm.standing()
    check_manager(standing, swarm.link.where)
    return standing


def observe(swarm: Swarm) -> Terrain:
    """Raises ProviderError when no stack could stand there."""
    return judge(check(swarm), swarm.nodes())


def check_home(swarm: Swarm, study: str) -> None:
    """Raises ProviderError when the study's services run on another manager than the one we talk to."""
    here = swarm.standing().node
    home = next((node for node in swarm.nodes() if HOME in node.labels), None)
    if home is not None and home.id != here:
        raise ProviderError(
            f"{study} has its home on {home.name}, and {swarm.link.where} is another manager",
            f"name {home.name} in `cluster.provider`",
        )


def claim_home(swarm: Swarm, terrain: Terrain) -> None:
    """Make the manager we talk to the home of what is kept: one node, for all studies.

    Raises ProviderError when another manager is home to a study that stands.
    """
    if terrain.claimed:
        others = sorted(swarm.studies())
        if others:
            home = terrain.claimed[0].name
            raise ProviderError(
                f"{' and '.join(others)} {'has its' if len(others) == 1 else 'have their'} home on {home}, "
                f"and {swarm.link.where} is {terrain.home.name}",
                f"name {home} in `cluster.provider`, or destroy what stands there",
            )
        for node in terrain.claimed:
            swarm.label_node(node.id, HOME, None)
    if terrain.home.labels.get(HOME) != "true":
        swarm.label_node(terrain.home.id, HOME, "true")


# ── the deployment ───────────────────────────────────────────────────────────────────────────
def stands(swarm: Swarm, study: str, stack: Stack) -> bool:
    """Whether this very stack was deployed, and is all there."""
    if record_name(study, stack) not in {config.name for config in swarm.configs(study)}:
        return False
    return {service.name for service in swarm.services(study)} >= {
        f"{stack.name}_{s}" for s in stack.services
    }


def deploy(
    swarm: Swarm,
    study: str,
    stack: Stack,
    values: Mapping[str, str],
    generations: Mapping[str, str],
    on_event: OnEvent,
) -> None:
    """Secrets and configs first, then the stack, then what no service uses any more. Raises ProviderError."""
    on_event(Doing("stack", f"deploying {len(stack.services)} services"))
    _make_secrets(swarm, study, stack, values, generations)
    _make_configs(swarm, study, stack)
    pinned = swarm.registry_answers(IMAGES["queue"])
    if not pinned:
        on_event(
            Note("the manager reaches no registry: each node uses the images it has, or fetches them by tag")
        )
    said = swarm.deploy(stack.name, stack.text, pinned=pinned, timeout=DEPLOY_WITHIN).splitlines()
    if worth_saying := " ".join(line.strip() for line in said if not line.startswith(NO_NEWS)).strip():
        on_event(Warned(f"docker: {worth_saying}"))
    record = record_name(study, stack)
    if record not in {config.name for config in swarm.configs(study)}:
        swarm.create_config(record, stack.text.encode(), {STUDY: study})
    _remove_unused(swarm, study, keep=record)


def record_name(study: str, stack: Stack) -> str:
    return config_name(study, RECORD, hashlib.sha256(stack.text.encode()).hexdigest())


def _make_secrets(
    swarm: Swarm, study: str, stack: Stack, values: Mapping[str, str], generations: Mapping[str, str]
) -> None:
    there = {secret.name for secret in swarm.secrets(study)}
    for logical, name in stack.secrets.items():
        if name not in there:
            labels = {STUDY: study, LOGICAL: logical, GENERATION: generations[logical]}
            swarm.create_secret(name, values[logical].encode(), labels)


def _make_configs(swarm: Swarm, study: str, stack: Stack) -> None:
    there = {config.name for config in swarm.configs(study)}
    for name, content in stack.configs.values():
        if name not in there:
            swarm.create_config(name, content, {STUDY: study})


def _remove_unused(swarm: Swarm, study: str, *, keep: str) -> None:
    secrets, configs = swarm.used_secrets(study), swarm.used_configs(study)
    for secret in swarm.secrets(study):
        if secret.name not in secrets:
            swarm.remove_secret(secret)
    for config in swarm.configs(study):
        if config.name not in configs and config.name != keep:
            swarm.remove_config(config)


# ── the wait ─────────────────────────────────────────────────────────────────────────────────
class Arrival:
    """A stack on its way up: says what it waits for, and stops waiting when that is in vain."""

    def __init__(self, swarm: Swarm, study: str, on_event: OnEvent, stop: StopSignal) -> None:
        self._swarm = swarm
        self._study = study
        self._on_event = on_event
        self._stop = stop
        self._said = ""
        self._nodes: tuple[Node, ...] = ()
        self._old: frozenset[str] | None = None
        self._unplaced: dict[str, float] = {}

    def wait(self, services: Sequence[str], answers: Callable[[], object]) -> None:
        """Until `services` (short names) run and `answers` raises no ControllerError.

        Raises ProviderError when one of them cannot run or the time is over, KeyboardInterrupt when
        the user wants to stop.
        """
        deadline = time.monotonic() + ANSWER_WITHIN
        silence = ""
        while True:
            waiting = self._look(services)
            if not waiting:
                try:
                    answers()
                except ControllerError as error:
                    silence, waiting = error.message, ["controller: no answer yet"]
                else:
                    return
            self._say(f"{len(services) - len(waiting)} of {len(services)} services run; {waiting[0]}")
            if time.monotonic() > deadline:
                raise ProviderError(f"the stack does not come up: {', '.join(waiting)}", silence)
            if self._stop.wait(LOOK_EVERY):
                raise KeyboardInterrupt

    def _say(self, text: str) -> None:
        if text != self._said:
            self._on_event(Doing("stack", text))
            self._said = text

    def _look(self, services: Sequence[str]) -> list[str]:
        """What does not run yet, with the state it is in. Raises ProviderError for what never will."""
        there = {service.name.partition("_")[2]: service for service in self._swarm.services(self._study)}
        tasks = self._new(self._swarm.tasks(self._study))
        waiting = []
        for name in services:
            service = there.get(name)
            own = [
                task for task in tasks if service and (task.service, task.spec) == (service.id, service.spec)
            ]
            if any(task.state == "running" and task.desired == "running" for task in own):
                continue
            self._give_up(name, own)
            current = [task for task in own if not task.is_over]
            stage = current[-1].state if current else "new"
            waiting.append(f"{name}: {_STAGES.get(stage, stage)}")
        return waiting

    def _new(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """Without those that were over when we came: what failed then may be mended by now."""
        if self._old is None:
            self._old = frozenset(task.id for task in tasks if task.is_over)
        return [task for task in tasks if task.id not in self._old]

    def _give_up(self, service: str, tasks: Sequence[Task]) -> None:
        """Raises ProviderError when it failed again and again, or no node would take it."""
        failed = [task for task in tasks if task.went_wrong]
        if len(failed) >= FAILURES:
            last = failed[-1]
            where = self._name_of(last.node)
            raise ProviderError(
                f"{service} does not start on {where}: {_reason(last)}", _hint(last, self._swarm.log_of(last))
            )
        for task in tasks:
            if task.state != "pending" or not task.error:
                continue
            since = self._unplaced.setdefault(task.id, time.monotonic())
            if time.monotonic() - since > PLACED_WITHIN:
                raise ProviderError(
                    f"no node takes {service}: {task.error}", "`docker node ls` on the manager says more"
                )

    def _name_of(self, node: str) -> str:
        if not self._nodes:
            self._nodes = self._swarm.nodes()
        return next((one.name for one in self._nodes if one.id == node), "a node")


_STAGES = {
    "new": "not begun",
    "pending": "no node yet",
    "assigned": "not begun",
    "accepted": "not begun",
    "preparing": "fetching its image",
    "ready": "starting",
    "starting": "starting",
    "running": "running",
}


def _reason(task: Task) -> str:
    return task.error or f"it is {task.state}"


def _hint(task: Task, log: str) -> str:
    if (
        "No such image" in task.error
        or "pull access denied" in task.error
        or "manifest unknown" in task.error
    ):
        return "can that node reach the registry? `docker pull` there says more"
    return f"it said:\n{log}" if log else "`docker service ps --no-trunc` on the manager says more"
