"""Whether the account can rent what the file says: slugs that are there, in that region, and within its limit.

The account is asked once for each thing; every rule reads those answers and asks nothing. Nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ...compile.fleet import Machine, Role, Wanted
from ...compile.rental import slots_of
from ...diagnostics import Path, Problem
from ...spec.canonical import DROPLET_IMAGE
from ...spec.ensemble import Ensemble
from ...spec.scalars import shortened
from ...spec.schema import nearest
from ...words import count, listed
from .account import Account
from .machines import machine_of
from .names import study_tag
from .nouns import AccountFacts, Droplet, Image, Region, Size, Vpc

HERE: Final[Path] = ("cluster", "provider", "digitalocean")
SUPPORT = "https://cloud.digitalocean.com/support"
SHOWN = 5
"""Slugs of a list that a sentence can bear."""

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Judged:
    """What is wrong, as problems of the ensemble file; where none of them is an error, the fleet that is `wanted`
    and how many jobs it runs at a time."""

    problems: tuple[Problem, ...]
    wanted: Wanted | None = None
    slots: int | None = None


def judge(ensemble: Ensemble, account: Account) -> Judged:
    """Raises ProviderError when the account does not answer. `ensemble` is one whose provider is digitalocean."""
    answers = ask(ensemble, account)
    problems = tuple(problem for rule in RULES for problem in rule(answers))
    if any(problem.severity == "error" for problem in problems):
        return Judged(problems)
    return Judged(problems, _wanted(answers), _slots(answers))


def _wanted(answers: Answers) -> Wanted:
    one = answers.images[0] if len(answers.images) == 1 else None
    return Wanted(
        study=answers.ensemble.name,
        region=answers.option("region"),
        manager=answers.option("manager"),
        worker=answers.option("worker"),
        workers=answers.ensemble.cluster.workers,
        image=(one.slug or str(one.id)) if one else answers.option("image"),
        hourly={slug: size.hourly for slug, size in answers.sizes.items()},
    )


def _slots(answers: Answers) -> int:
    size = answers.sizes[answers.option(answers.roles[-1])]
    return slots_of(answers.ensemble, size.vcpus, _bytes(size))


# ── what the account says ────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Answers:
    """All that the rules look at.

    `images` are those that the file can mean: none, one, or snapshots that share a name; `known` what an
    unknown one may have been meant to be. `vpcs` are asked for only when the file names one.
    """

    ensemble: Ensemble
    facts: AccountFacts
    regions: Mapping[str, Region]
    sizes: Mapping[str, Size]
    images: tuple[Image, ...]
    known: tuple[str, ...]
    vpcs: tuple[Vpc, ...]
    droplets: tuple[Droplet, ...]

    def option(self, key: str) -> str:
        return str(self.ensemble.cluster.options[key])

    @cached_property
    def region(self) -> Region | None:
        """None when it is unknown: then nothing can be said of what is there."""
        return self.regions.get(self.option("region"))

    @property
    def is_open(self) -> bool:
        """Whether the region takes new machines at all."""
        return self.region is not None and self.region.available

    @property
    def roles(self) -> tuple[Role, ...]:
        return ("manager", "worker") if self.ensemble.cluster.workers else ("manager",)

    @cached_property
    def standing(self) -> tuple[Machine, ...]:
        """The study's machines, on their way up or off among them."""
        study = self.ensemble.name
        return tuple(machine_of(study, one) for one in self.droplets if study_tag(study) in one.tags)

    def missing(self, role: Role) -> int:
        """Machines of this role that have to be made."""
        wanted = 1 if role == "manager" else self.ensemble.cluster.workers
        return max(0, wanted - sum(machine.role == role for machine in self.standing))

    def is_new(self, role: Role) -> bool:
        """Whether a machine of this role has to be made, or to become another one."""
        size = self.option(role)
        others = any(machine.role == role and machine.size != size for machine in self.standing)
        return others or self.missing(role) > 0

    @cached_property
    def is_anything_new(self) -> bool:
        return any(map(self.is_new, self.roles))

    def sold(self, size: Size) -> bool:
        """Whether new machines of this size are to be had in the region."""
        return size.available and self.region is not None and self.region.slug in size.regions

    @cached_property
    def here(self) -> tuple[Size, ...]:
        """The sizes that are, the cheapest first."""
        return tuple(sorted(filter(self.sold, self.sizes.values()), key=lambda size: size.hourly))


def ask(ensemble: Ensemble, account: Account) -> Answers:
    """Raises ProviderError."""
    options = ensemble.cluster.options
    images, known = _images(str(options["image"]), account)
    return Answers(
        ensemble=ensemble,
        facts=account.facts(),
        regions={region.slug: region for region in account.regions()},
        sizes={size.slug: size for size in account.sizes()},
        images=images,
        known=known,
        vpcs=account.vpcs() if options["vpc"] is not None else (),
        droplets=account.all_droplets(),
    )


def _images(written: str, account: Account) -> tuple[tuple[Image, ...], tuple[str, ...]]:
    """By id or slug, or else the account's own of that name; with what is known besides when there is none."""
    if _SLUG.fullmatch(written) and (image := account.image(written)):
        return (image,), ()
    own = account.own_images()
    if named := tuple(image for image in own if image.name == written):
        return named, ()
    return (), (*_slips(written, account), DROPLET_IMAGE, *(image.name for image in own))


def _slips(written: str, account: Account) -> Iterator[str]:
    """The slug that an upper case, a dot or a space may have hidden: DigitalOcean's are of a-z, 0-9 and hyphens."""
    slug = re.sub(r"[^a-z0-9]+", "-", written.lower()).strip("-")
    if slug and slug != written and account.image(slug):
        yield slug


# ── the rules ────────────────────────────────────────────────────────────────────────────────
def check_account(answers: Answers) -> Iterator[Problem]:
    facts = answers.facts
    said = f": {facts.status_message}" if facts.status_message else ""
    if facts.status == "locked":
        message = f"DigitalOcean has locked this account{said}"
        hint = f"nothing can be rented until that is settled with them: {SUPPORT}"
        yield Problem("account-locked", HERE, message, hint, at="key")
    elif facts.status != "active":
        message = f'DigitalOcean has set this account to "{facts.status}"{said}'
        yield Problem("account-warning", HERE, message, f"settle it with them: {SUPPORT}", "warning", "key")
    if not facts.verified:
        message = "the e-mail address of this DigitalOcean account was never confirmed"
        hint = "follow the link that was sent there: until then they may refuse to rent"
        yield Problem("account-unverified", HERE, message, hint, "warning", "key")


def check_region(answers: Answers) -> Iterator[Problem]:
    """It is one, and takes new machines."""
    path, written = (*HERE, "region"), answers.option("region")
    region, open_ones = answers.region, [one.slug for one in answers.regions.values() if one.available]
    if region is None:
        names = {one.name: one.slug for one in answers.regions.values()}
        close = meant(written, answers.regions) or names.get(meant(written, names) or "")
        hint = f'did you mean "{close}"?' if close else f"there are {listed(open_ones)}"
        yield Problem("unknown-region", path, f'DigitalOcean has no region "{shortened(written)}"', hint)
    elif not region.available and answers.is_anything_new:
        message = f"{region.slug} ({region.name}) takes no new machines"
        yield Problem("region-closed", path, message, f"open are {listed(open_ones)}")


def check_sizes(answers: Answers) -> Iterator[Problem]:
    """The size of each role is one, and is to be had in the region where a machine of it is needed."""
    for role in answers.roles:
        path, written = (*HERE, role), answers.option(role)
        size = answers.sizes.get(written)
        if size is None:
            yield _unknown_size(answers, path, written)
        elif answers.is_new(role) and not (size.available and size.regions):
            message = f"{size.slug} is not to be had at present, anywhere"
            yield Problem("size-gone", path, message, _instead(answers, size))
        elif answers.is_open and answers.is_new(role) and not answers.sold(size):
            message = f"{size.slug} is not to be had in {answers.option('region')}"
            places = f"it is in {listed(size.regions, most=SHOWN)}"
            hint = "; ".join(filter(None, (places, _instead(answers, size))))
            yield Problem("size-not-here", path, message, hint)


def _unknown_size(answers: Answers, path: Path, written: str) -> Problem:
    if close := meant(written, answers.sizes):
        hint = f'did you mean "{close}"?'
    else:
        some = listed([size.slug for size in answers.here], most=SHOWN)
        hint = f"`doctl compute size list` shows them; the smallest here: {some}" if some else ""
    return Problem("unknown-size", path, f'DigitalOcean has no size "{shortened(written)}"', hint)


def _instead(answers: Answers, size: Size) -> str:
    like = _cheapest(answers, lambda one: one.vcpus >= size.vcpus and one.memory >= size.memory)
    return f"{answers.option('region')} has {_described(like)}" if like else ""


def check_needs(answers: Answers) -> Iterator[Problem]:
    """One job fits into a machine that computes: a worker, or the manager where it is alone."""
    role: Role = answers.roles[-1]
    size, needs = answers.sizes.get(answers.option(role)), answers.ensemble.worker.needs
    if size is None:
        return
    memory, cpus = needs.memory or 0, needs.cpus
    fits = _cheapest(answers, lambda one: _bytes(one) >= memory and one.vcpus >= cpus)
    hint = f"{answers.option('region')} has {_described(fits)}" if fits else ""
    short = (
        ("memory", _bytes(size) < memory, f"{_gigabytes(_bytes(size))} of memory", _gigabytes(memory)),
        ("cpus", size.vcpus < cpus, count(size.vcpus, "CPU"), f"{cpus:g}"),
    )
    for key, is_short, has, needed in short:
        if is_short:
            message = f"{size.slug} has {has}, and a job needs {needed}: none could run"
            related = ((("worker", "needs", key), "what a job needs"),)
            yield Problem("size-too-small", (*HERE, role), message, hint, related=related)


def check_image(answers: Answers) -> Iterator[Problem]:
    """It is one and only one, is in the region, and fits onto the disks of what has to be made of it."""
    path, written = (*HERE, "image"), answers.option("image")
    if not answers.is_anything_new:
        return
    if not answers.images:
        close = meant(written, answers.known)
        way_out = "`doctl compute image list --public` shows slugs, without --public your snapshots"
        hint = f'did you mean "{close}"?' if close else way_out
        yield Problem("unknown-image", path, f'there is no image "{shortened(written)}"', hint)
    elif len(answers.images) > 1:
        message = f'{len(answers.images)} of your images are called "{shortened(written)}"'
        ids = [f"{image.id} ({listed(image.regions, most=SHOWN)})" for image in answers.images]
        hint = f"name the one that is meant by its id: {listed(ids, most=SHOWN)}"
        yield Problem("ambiguous-image", path, message, hint)
    else:
        yield from _check_the_image(answers, answers.images[0], path)


def _check_the_image(answers: Answers, image: Image, path: Path) -> Iterator[Problem]:
    shown = image.slug or f"{shortened(image.name)} (id {image.id})"
    if answers.region is not None and answers.region.slug not in image.regions:
        region = answers.region.slug
        where = f"it is in {listed(image.regions, most=SHOWN)}" if image.regions else "it is in no region yet"
        move = f"`doctl compute image-action transfer {image.id} --region {region}` brings it there"
        hint = where if image.public else f"{where}; {move}"
        yield Problem("image-not-here", path, f"the image {shown} is not in {region}", hint)
    for role in answers.roles:
        size = answers.sizes.get(answers.option(role))
        if size is not None and size.disk < image.min_disk and answers.is_new(role):
            message = (
                f"{size.slug} has a disk of {size.disk} GB, and the image {shown} needs {image.min_disk}"
            )
            larger = _cheapest(answers, lambda one: one.disk >= image.min_disk)
            hint = f"a larger one here is {larger.slug}, with {larger.disk} GB" if larger else ""
            yield Problem("size-too-small", (*HERE, role), message, hint, related=((path, "the image"),))


def check_vpc(answers: Answers) -> Iterator[Problem]:
    """The VPC that the file names is there, and in the region."""
    if answers.ensemble.cluster.options["vpc"] is None:
        return
    path, written = (*HERE, "vpc"), answers.option("vpc")
    vpc = next((one for one in answers.vpcs if written in (one.id, one.name)), None)
    here = [one.name for one in answers.vpcs if one.region == answers.option("region")]
    if vpc is None:
        close = meant(written, [one.name for one in answers.vpcs])
        hint = f'did you mean "{close}"?' if close else "leave `vpc` out, and the study gets one of its own"
        yield Problem("unknown-vpc", path, f'this account has no VPC "{shortened(written)}"', hint)
    elif answers.region is not None and vpc.region != answers.region.slug:
        message = (
            f"the VPC {shortened(vpc.name)} is in {vpc.region}, and the machines in {answers.region.slug}"
        )
        hint = (
            f"there you have {listed(here, most=SHOWN)}"
            if here
            else "leave it out, and the study gets its own"
        )
        yield Problem("vpc-not-here", path, message, hint, related=(((*HERE, "region"), "the region"),))


def check_limit(answers: Answers) -> Iterator[Problem]:
    """What is missing still fits into the account; what stands of this study is not needed again."""
    needed = sum(map(answers.missing, answers.roles))
    limit, stand = answers.facts.droplet_limit, len(answers.droplets)
    if not needed or stand + needed <= limit:
        return
    ours = f" ({len(answers.standing)} of this study)" if answers.standing else ""
    message = (
        f"your account may have {count(limit, 'droplet')}, {stand} stand{'s' * (stand == 1)}{ours}, "
        f"and {needed} more {'is' if needed == 1 else 'are'} needed"
    )
    workers = answers.ensemble.cluster.workers - (stand + needed - limit)
    fewer = f"`workers: {workers}` would fit, or " if workers >= 0 else ""
    hint = f"{fewer}ask DigitalOcean for more: {SUPPORT}"
    yield Problem("droplet-limit", ("cluster", "workers"), message, hint, at="key")


RULES: tuple[Callable[[Answers], Iterator[Problem]], ...] = (
    check_account,
    check_region,
    check_sizes,
    check_needs,
    check_image,
    check_vpc,
    check_limit,
)


# ── words ────────────────────────────────────────────────────────────────────────────────────
def meant(written: str, known: Iterable[str]) -> str | None:
    """The one of `known` that was probably meant: the same but for case and hyphens, or else the nearest."""
    plain = {_plain(word): word for word in known}
    return plain.get(_plain(written)) or plain.get(nearest(_plain(written), plain) or "")


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _cheapest(answers: Answers, fits: Callable[[Size], bool]) -> Size | None:
    return next(filter(fits, answers.here), None)


def _described(size: Size) -> str:
    return f"{size.slug}: {count(size.vcpus, 'CPU')}, {_gigabytes(_bytes(size))}, {size.hourly:f} USD an hour"


def _bytes(size: Size) -> int:
    return size.memory * 2**20


def _gigabytes(number: int) -> str:
    return f"{number / 2**30:.3g} GiB"
