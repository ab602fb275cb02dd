"""Tags, and what they are on: droplets and images."""

from __future__ import annotations

import re
from collections.abc import Callable

from .. import forms
from ..answers import NO_CONTENT, Answer, Call, not_found, unprocessable
from ..routes import endpoint

TAG = "/v2/tags/{tag_id}"
RESOURCES = "/v2/tags/{tag_id}/resources"
NAME = re.compile(r"[a-zA-Z0-9_\-:]{1,255}")


def check_tag(name: str) -> None:
    """Raises Refused (422) for what cannot be a tag."""
    if not NAME.fullmatch(name):
        raise unprocessable("Tags may only contain letters, numbers, colons, dashes, and underscores.")


@endpoint("GET", "/v2/tags")
def list_tags(call: Call) -> Answer:
    return call.listed("tags", [forms.tag(call.account, name, call.link("")) for name in call.account.tags])


@endpoint("POST", "/v2/tags")
def create_tag(call: Call) -> Answer:
    check_tag(call.text("name"))
    name = call.account.tag(call.text("name"))
    return Answer(201, {"tag": forms.tag(call.account, name, call.link(""))})


@endpoint("GET", TAG)
def show_tag(call: Call) -> Answer:
    return Answer(200, {"tag": forms.tag(call.account, _tag(call), call.link(""))})


@endpoint("DELETE", TAG)
def remove_tag(call: Call) -> Answer:
    call.account.remove_tag(_tag(call))
    return NO_CONTENT


@endpoint("POST", RESOURCES)
def put_on(call: Call) -> Answer:
    return _change(call, lambda tags, tag: [*tags, tag] if tag not in tags else tags)


@endpoint("DELETE", RESOURCES)
def take_off(call: Call) -> Answer:
    return _change(call, lambda tags, tag: [one for one in tags if one != tag])


def _change(call: Call, change: Callable[[list[str], str], list[str]]) -> Answer:
    """Changes the tags of every resource of the body, or of none when one of them is not there."""
    state, tag = call.account, _tag(call)
    for kind, number in _resources(call):
        if kind == "droplet":
            state.droplets[number].tags = change(state.droplets[number].tags, tag)
        else:
            state.tag_image(state.images[number], change(list(state.images[number].tags), tag))
    state.tell_walls()
    return NO_CONTENT


def _resources(call: Call) -> list[tuple[str, int]]:
    """Kind and number of each. Raises Refused: 422 for what is no list of them, 404 for one there is not."""
    said = call.body.get("resources")
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        raise unprocessable("resources is required")
    found = [(str(one.get("resource_type")), str(one.get("resource_id"))) for one in said]
    standing = {("droplet", str(one.id)) for one in call.account.standing()}
    if not set(found) <= standing | {("image", str(one)) for one in call.account.images}:
        raise not_found()
    return [(kind, int(number)) for kind, number in found]


def _tag(call: Call) -> str:
    """Only as it was first written: `prod` is not `PROD` here."""
    if call.place["tag_id"] not in call.account.tags:
        raise not_found()
    return call.place["tag_id"]
