"""Cloud firewalls."""

from __future__ import annotations

import re

from .. import forms
from ..answers import NO_CONTENT, Answer, Call, bad_request, conflict, not_found, unprocessable
from ..nouns import Firewall, Json
from ..routes import endpoint
from ..walls import INBOUND, OUTBOUND, read_rules

FIREWALLS = "/v2/firewalls"
FIREWALL = "/v2/firewalls/{firewall_id}"
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.\-]+")


@endpoint("GET", FIREWALLS)
def list_firewalls(call: Call) -> Answer:
    shown = list(call.account.firewalls.values())
    for one in shown:
        one.looks += call.is_first_page
    return call.listed("firewalls", [forms.firewall(call.account, one) for one in shown])


@endpoint("GET", FIREWALL)
def show_firewall(call: Call) -> Answer:
    firewall = _firewall(call)
    firewall.looks += 1
    return Answer(200, {"firewall": forms.firewall(call.account, firewall)})


@endpoint("POST", FIREWALLS)
def create_firewall(call: Call) -> Answer:
    name = _name(call)
    if any(one.name == name for one in call.account.firewalls.values()):
        raise conflict("duplicate name")
    firewall = Firewall(call.account.next_uuid(), name, call.account.clock(), [], [], [], [])
    _fill(call, firewall)
    call.account.firewalls[firewall.id] = firewall
    call.account.tell_walls()
    return Answer(202, {"firewall": forms.firewall(call.account, firewall)})


@endpoint("PUT", FIREWALL)
def update_firewall(call: Call) -> Answer:
    """Replaces the whole of it: what is not said is taken away."""
    firewall, name = _firewall(call), _name(call)
    if any(one.name == name and one is not firewall for one in call.account.firewalls.values()):
        raise conflict("duplicate name")
    _fill(call, firewall)
    firewall.name = name
    _changed(call, firewall)
    return Answer(200, {"firewall": forms.firewall(call.account, firewall)})


@endpoint("DELETE", FIREWALL)
def remove_firewall(call: Call) -> Answer:
    del call.account.firewalls[_firewall(call).id]
    call.account.tell_walls()
    return NO_CONTENT


@endpoint("POST", FIREWALL + "/rules")
def add_rules(call: Call) -> Answer:
    firewall, inbound, outbound = _firewall(call), *_rules(call)
    firewall.inbound += [rule for rule in inbound if rule not in firewall.inbound]
    firewall.outbound += [rule for rule in outbound if rule not in firewall.outbound]
    return _changed(call, firewall)


@endpoint("DELETE", FIREWALL + "/rules")
def remove_rules(call: Call) -> Answer:
    firewall, inbound, outbound = _firewall(call), *_rules(call)
    firewall.inbound = [rule for rule in firewall.inbound if rule not in inbound]
    firewall.outbound = [rule for rule in firewall.outbound if rule not in outbound]
    return _changed(call, firewall)


@endpoint("POST", FIREWALL + "/tags")
def add_tags(call: Call) -> Answer:
    firewall = _firewall(call)
    firewall.tags = list(dict.fromkeys([*firewall.tags, *_tags(call)]))
    return _changed(call, firewall)


@endpoint("DELETE", FIREWALL + "/tags")
def remove_tags(call: Call) -> Answer:
    firewall, unwanted = _firewall(call), call.texts("tags")
    firewall.tags = [tag for tag in firewall.tags if tag not in unwanted]
    return _changed(call, firewall)


@endpoint("POST", FIREWALL + "/droplets")
def add_droplets(call: Call) -> Answer:
    firewall = _firewall(call)
    firewall.droplets = list(dict.fromkeys([*firewall.droplets, *_droplets(call)]))
    return _changed(call, firewall)


@endpoint("DELETE", FIREWALL + "/droplets")
def remove_droplets(call: Call) -> Answer:
    firewall, unwanted = _firewall(call), call.numbers("droplet_ids")
    firewall.droplets = [one for one in firewall.droplets if one not in unwanted]
    return _changed(call, firewall)


def _changed(call: Call, firewall: Firewall) -> Answer:
    firewall.looks = 0
    call.account.tell_walls()
    return NO_CONTENT


def _firewall(call: Call) -> Firewall:
    found = call.account.firewalls.get(call.place["firewall_id"])
    if found is None:
        raise not_found()
    return found


def _name(call: Call) -> str:
    if not NAME.fullmatch(call.text("name")):
        raise unprocessable("name must begin with an alphanumeric character; then also periods and dashes")
    return call.text("name")


def _fill(call: Call, firewall: Firewall) -> None:
    tags, droplets, (inbound, outbound) = _tags(call), _droplets(call), _rules(call)
    firewall.tags, firewall.droplets = tags, droplets
    firewall.inbound, firewall.outbound = inbound, outbound


def _rules(call: Call) -> tuple[list[Json], list[Json]]:
    inbound = read_rules(call.body.get("inbound_rules"), INBOUND)
    outbound = read_rules(call.body.get("outbound_rules"), OUTBOUND)
    if not inbound and not outbound:
        raise bad_request("must have at least one rule")
    for rule in [*inbound, *outbound]:
        target = rule.get(INBOUND) or rule[OUTBOUND]
        _check_tags(call, target.get("tags", []))
    return inbound, outbound


def _tags(call: Call) -> list[str]:
    _check_tags(call, call.texts("tags"))
    return call.texts("tags")


def _check_tags(call: Call, tags: list[str]) -> None:
    """Unlike a droplet, a firewall does not make tags."""
    for tag in tags:
        if tag not in call.account.tags:
            raise bad_request(f"tag {tag} does not exist")


def _droplets(call: Call) -> list[int]:
    known = {one.id for one in call.account.standing()}
    for one in call.numbers("droplet_ids"):
        if one not in known:
            raise bad_request(f"droplet {one} does not exist")
    return call.numbers("droplet_ids")
