"""What is done to droplets: power, size, snapshots; and how far it has got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from .. import forms
from ..answers import Answer, Call, not_found, pending_event, unprocessable
from ..backend import Power
from ..nouns import Action, Droplet
from ..routes import endpoint
from ..state import State
from .droplets import find_droplet

POWER: dict[str, Power] = {
    "power_on": "on",
    "power_off": "off",
    "power_cycle": "cycle",
    "reboot": "reboot",
    "shutdown": "shutdown",
}


@endpoint("GET", "/v2/actions")
def list_actions(call: Call) -> Answer:
    newest_first = sorted(call.account.actions.values(), key=lambda one: -one.id)
    return call.listed("actions", [forms.action(call.account, one) for one in newest_first])


@endpoint("GET", "/v2/actions/{action_id}")
def show_action(call: Call) -> Answer:
    return _shown(call, call.account.actions.get(call.number("action_id")))


@endpoint("GET", "/v2/droplets/{droplet_id}/actions/{action_id}")
def show_action_of_droplet(call: Call) -> Answer:
    found = call.account.actions.get(call.number("action_id"))
    return _shown(call, found if found and found.droplet.id == call.number("droplet_id") else None)


def _shown(call: Call, action: Action | None) -> Answer:
    if action is None:
        raise not_found()
    call.account.look_at(action)
    if action.kind == "create":
        call.account.look("id", [action.droplet], counts=True)
    return Answer(200, {"action": forms.action(call.account, action)})


@endpoint("GET", "/v2/droplets/{droplet_id}/actions")
def list_actions_of_droplet(call: Call) -> Answer:
    droplet = find_droplet(call)
    its = [one for one in call.account.actions.values() if one.droplet is droplet]
    return call.listed("actions", [forms.action(call.account, one) for one in reversed(its)])


@endpoint("POST", "/v2/droplets/{droplet_id}/actions")
def act(call: Call) -> Answer:
    droplet, kind = find_droplet(call), call.text("type")
    if droplet.is_deleted or call.account.pending(droplet):
        raise pending_event()
    begin = BEGINNINGS.get(kind)
    if begin is None:
        raise unprocessable(f"the action {kind} is not imitated")
    action = call.account.act(kind, droplet, begin(call, droplet, kind))
    return Answer(201, {"action": forms.action(call.account, action)})


Then = Callable[[], None] | None


def _switch(call: Call, droplet: Droplet, kind: str) -> Then:
    if kind == "power_on" and droplet.on:
        raise unprocessable("Droplet is already powered on.")
    if kind == "power_off" and not droplet.on:
        raise unprocessable("Droplet is already powered off.")
    call.account.backend.power(droplet.id, POWER[kind])
    return None


def _resize(call: Call, droplet: Droplet, _: str) -> Then:
    size = call.account.sizes.get(call.text("size"))
    if size is None or (droplet.region, size.slug) in call.account.full:
        raise unprocessable("You specified an invalid size for Droplet resize.")
    if droplet.region not in size.regions:
        raise unprocessable("Size is not available in this region.")
    if size.slug == droplet.size.slug:
        raise unprocessable("Droplet is already this size.")
    if droplet.on:
        raise unprocessable("Droplet must be powered off before it can be resized.")
    if size.disk < droplet.disk:
        raise unprocessable("This size is not available because it has a smaller disk.")
    call.account.backend.resize(droplet.id, size)

    def then() -> None:
        droplet.size = size
        droplet.disk = size.disk if call.body.get("disk") is True else droplet.disk

    return then


def _snapshot(call: Call, droplet: Droplet, _: str) -> Then:
    number = call.account.next_id("image")
    name = call.body.get("name") or f"{droplet.name}-snapshot"
    call.account.backend.snapshot(droplet.id, number)
    return partial(_keep, call.account, droplet, number, str(name))


def _keep(state: State, droplet: Droplet, number: int, name: str) -> None:
    state.images[number] = replace(
        droplet.image,
        id=number,
        slug=None,
        name=name,
        kind="snapshot",
        application=False,
        public=False,
        regions=(droplet.region,),
        least_disk=droplet.disk,
        gigabytes=2.5,
        tags=(),
    )
    droplet.snapshots.append(number)


BEGINNINGS: dict[str, Callable[[Call, Droplet, str], Then]] = {
    **dict.fromkeys(POWER, _switch),
    "resize": _resize,
    "snapshot": _snapshot,
}
