"""Droplets: listed, made, removed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .. import forms
from ..answers import (
    NO_CONTENT,
    Answer,
    Call,
    Refused,
    bad_request,
    not_found,
    pending_event,
    unprocessable,
)
from ..catalogue import Image, Size
from ..nouns import Action, Droplet, Json, Key, Vpc
from ..routes import endpoint
from .account import find_key
from .offers import find_image
from .tags import check_tag

DROPLETS = "/v2/droplets"
DROPLET = "/v2/droplets/{droplet_id}"
HOST_NAME = re.compile(r"[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]")
MOST_NAMES = 10
MOST_USER_DATA = 64 * 1024


@endpoint("GET", DROPLETS)
def list_droplets(call: Call) -> Answer:
    state = call.account
    tag, name, kind = (call.query.get(one) for one in ("tag_name", "name", "type"))
    if tag is not None and (name is not None or kind is not None):
        raise bad_request("tag_name can not be combined with name or type")
    if kind == "gpus":
        return call.listed("droplets", [])
    if tag is not None:
        shown = state.look("tag", state.tagged(tag), counts=call.is_first_page)
    else:
        named = (one for one in state.droplets.values() if name is None or one.name.lower() == name.lower())
        shown = state.look("list", named, counts=call.is_first_page)
    return call.listed("droplets", [forms.droplet(state, one) for one in shown])


@endpoint("GET", DROPLET)
def show_droplet(call: Call) -> Answer:
    return Answer(200, {"droplet": forms.droplet(call.account, find_droplet(call))})


def find_droplet(call: Call) -> Droplet:
    """The droplet of the path, looked at once. Raises Refused (404)."""
    droplet = call.account.droplets.get(call.number("droplet_id"))
    if droplet is None or not call.account.look("id", [droplet], counts=True):
        raise not_found()
    return droplet


@endpoint("POST", DROPLETS)
def create_droplets(call: Call) -> Answer:
    names = _names(call)
    region, size, image = _place(call)
    vpc, keys, user_data, tags = _vpc(call, region), _keys(call), _user_data(call), call.texts("tags")
    for tag in tags:
        check_tag(tag)
    if len(call.account.standing()) + len(names) > call.account.droplet_limit:
        raise unprocessable("creating this/these droplet(s) will exceed your droplet limit")
    made = [
        call.account.create(
            name, region=region, size=size, image=image, keys=keys, tags=tags, vpc=vpc, user_data=user_data
        )
        for name in names
    ]
    return Answer(202, _accepted(call, made))


def _accepted(call: Call, made: list[tuple[Droplet, Action]]) -> Json:
    shown = [forms.droplet(call.account, droplet) for droplet, _ in made]
    links = [
        {"id": action.id, "rel": "create", "href": call.link(f"/v2/actions/{action.id}")}
        for _, action in made
    ]
    droplets: Json = {"droplets": shown} if "names" in call.body else {"droplet": shown[0]}
    return droplets | {"links": {"actions": links}}


def _names(call: Call) -> list[str]:
    names = call.texts("names") if "names" in call.body else [call.text("name")]
    if not names:
        raise unprocessable("names is required")
    if len(names) > MOST_NAMES:
        raise unprocessable(f"You can only create up to {MOST_NAMES} droplets at a time.")
    if not all(len(name) <= 255 and HOST_NAME.fullmatch(name) for name in names):
        raise unprocessable("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
    return names


def _place(call: Call) -> tuple[str, Size, Image]:
    """Region, size and image, each known, and to be had together. Raises Refused (422)."""
    state = call.account
    size, image = state.sizes.get(call.text("size")), _image(call)
    if size is None:
        raise _invalid("size")
    region = call.body.get("region", size.regions[0])
    if region not in state.regions:
        raise _invalid("region")
    if region in state.closed:
        raise unprocessable("The region you selected is not available for new Droplets.")
    if region not in size.regions or (region, size.slug) in state.full:
        raise unprocessable("Size is not available in this region.")
    if region not in image.regions:
        raise unprocessable("Image is not available in this region.")
    if image.least_disk > size.disk:
        raise unprocessable("The image you selected needs a larger disk than the size you selected has.")
    return region, size, image


def _image(call: Call) -> Image:
    wanted = call.body.get("image")
    found = find_image(call, wanted) if isinstance(wanted, str | int) else None
    if found is None:
        raise _invalid("image")
    return found


def _invalid(what: str) -> Refused:
    return unprocessable(f"You specified an invalid {what} for Droplet creation.")


def _vpc(call: Call, region: str) -> Vpc:
    wanted = call.body.get("vpc_uuid")
    if not wanted:
        return call.account.default_vpc(region)
    found = call.account.vpcs.get(str(wanted))
    if found is None or found.region != region:
        raise unprocessable("Failed to resolve VPC")
    return found


def _keys(call: Call) -> list[Key]:
    wanted = call.body.get("ssh_keys") or []
    if not isinstance(wanted, list):
        raise unprocessable("ssh_keys must be a list")
    found = [find_key(call, one) for one in wanted]
    unknown = [str(one) for one, key in zip(wanted, found, strict=True) if key is None]
    if unknown:
        raise unprocessable(f"{', '.join(unknown)} are invalid key identifiers for Droplet creation.")
    return [key for key in found if key is not None]


def _user_data(call: Call) -> str:
    said = call.body.get("user_data") or ""
    if not isinstance(said, str):
        raise unprocessable("user_data must be plain text")
    if len(said.encode()) > MOST_USER_DATA:
        raise unprocessable("user_data is too long, it may not exceed 64 KiB")
    return said


@endpoint("DELETE", DROPLET)
def delete_droplet(call: Call) -> Answer:
    droplet = call.account.droplets.get(call.number("droplet_id"))
    if droplet is None or droplet.gone:
        raise not_found()
    if droplet.is_deleted:
        return _again(call)
    if not droplet.booted and call.account.manners.new_refuses_delete and _will_boot(droplet):
        _looked_at(call, [droplet])
        raise pending_event()
    call.account.delete(droplet)
    return NO_CONTENT


def _will_boot(droplet: Droplet) -> bool:
    """One that never would could never be deleted either."""
    return droplet.fate != "stuck"


def _again(call: Call) -> Answer:
    if call.account.manners.deletes_again == 404:
        raise not_found()
    if call.account.manners.deletes_again == 422:
        raise pending_event()
    return NO_CONTENT


@endpoint("DELETE", DROPLETS)
def delete_tagged(call: Call) -> Answer:
    state, tag = call.account, call.query.get("tag_name")
    if tag is None:
        raise bad_request("tag_name is required")
    if tag not in state.tags:
        raise not_found()
    meant = list(state.tagged(tag))
    if state.manners.stale_delete_by_tag:
        meant = state.look("tag", meant, counts=False)
    spared = [one for one in meant if not one.booted and state.manners.new_refuses_delete and _will_boot(one)]
    _looked_at(call, spared)
    for droplet in meant:
        if droplet not in spared:
            state.delete(droplet)
    return NO_CONTENT


def _looked_at(call: Call, droplets: Iterable[Droplet]) -> None:
    """An attempt at a droplet is a look at it: who only ever tries to delete gets there too."""
    call.account.look("id", droplets, counts=True)
