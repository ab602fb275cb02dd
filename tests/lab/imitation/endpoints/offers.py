"""What can be rented: regions, sizes, images; and the account's own images."""

from __future__ import annotations

from dataclasses import replace

from .. import forms
from ..answers import NO_CONTENT, Answer, Call, forbidden, not_found
from ..catalogue import Image
from ..routes import endpoint

IMAGE = "/v2/images/{image_id}"


@endpoint("GET", "/v2/regions")
def list_regions(call: Call) -> Answer:
    return call.listed("regions", [forms.region(call.account, slug) for slug in call.account.regions])


@endpoint("GET", "/v2/sizes")
def list_sizes(call: Call) -> Answer:
    return call.listed("sizes", [forms.size(call.account, one) for one in call.account.sizes.values()])


@endpoint("GET", "/v2/images")
def list_images(call: Call) -> Answer:
    return call.listed(
        "images", [forms.image(one) for one in call.account.images.values() if _is_asked_for(call, one)]
    )


def _is_asked_for(call: Call, image: Image) -> bool:
    kind, tag = call.query.get("type"), call.query.get("tag_name")
    if call.query.get("private") == "true" and image.public:
        return False
    if kind is not None and (not image.public or image.application != (kind == "application")):
        return False
    return tag is None or tag in image.tags


@endpoint("GET", IMAGE)
def show_image(call: Call) -> Answer:
    return Answer(200, {"image": forms.image(_image(call))})


@endpoint("PUT", IMAGE)
def rename_image(call: Call) -> Answer:
    image = replace(_own(_image(call)), name=call.text("name"))
    call.account.images[image.id] = image
    return Answer(200, {"image": forms.image(image)})


@endpoint("DELETE", IMAGE)
def remove_image(call: Call) -> Answer:
    image = _own(_image(call))
    del call.account.images[image.id]
    for droplet in call.account.droplets.values():
        droplet.snapshots = [one for one in droplet.snapshots if one != image.id]
    return NO_CONTENT


def _image(call: Call) -> Image:
    found = find_image(call, call.place["image_id"])
    if found is None:
        raise not_found()
    return found


def _own(image: Image) -> Image:
    if image.public:
        raise forbidden()
    return image


def find_image(call: Call, identifier: str | int) -> Image | None:
    """An image by its id, a public one also by its slug."""
    for image in call.account.images.values():
        if str(identifier) in (str(image.id), image.slug):
            return image
    return None
