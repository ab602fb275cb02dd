"""What an account can rent, asked of the imitation: the file's slugs in, problems with their places out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudburst.run.digitalocean.account import Account, open_account
from cloudburst.run.digitalocean.judge import HERE, Judged, judge
from cloudburst.run.digitalocean.names import study_tags
from cloudburst.spec import load
from tests.lab.imitation import PROMPT, Imitation

Judge = Callable[..., Judged]


@pytest.fixture
def account(imitation: Imitation) -> Iterator[Account]:
    imitation.account.manners = PROMPT
    with open_account() as account:
        yield account


@pytest.fixture
def ask(account: Account, tmp_path: Path) -> Judge:
    """Judges a study of these droplets, three workers, and what else `cluster` and `worker` say."""

    def ask(droplets: str = "", *, workers: int = 3, worker: str = "") -> Judged:
        written = {"region": "nyc3", "worker": "s-4vcpu-8gb"}
        written |= dict(part.split(": ", 1) for part in filter(None, droplets.split("; ")))
        options = ", ".join(f"{key}: {value}" for key, value in written.items())
        file = tmp_path / "ensemble.yaml"
        file.write_text(
            "cloudburst: 1\nname: waves\nparameters: {}\n"
            f"worker: {{directory: d, entrypoint: a:b, timeout: 1h{worker and ', ' + worker}}}\n"
            f"cluster: {{provider: {{digitalocean: {{{options}}}}}, workers: {workers}, reaper_token: R}}\n"
        )
        loaded = load(file)
        assert loaded.ensemble is not None, loaded.diagnostics
        judged = judge(loaded.ensemble, account)
        places = [loaded.document.place([problem])[0].span for problem in judged.problems]
        assert all(place and (place.line, place.column) > (3, 1) for place in places)
        return judged

    return ask


def only(judged: Judged) -> tuple[str, str, str, str]:
    """(code, last key of the path, message, hint) of the one problem there is."""
    (problem,) = judged.problems
    assert judged.wanted is None
    return problem.code, str(problem.path[-1]), problem.message, problem.hint


def rent(account: Account, size: str, names: list[str], tags: tuple[str, ...]) -> None:
    for tag in tags:
        account.create_tag(tag)
    order: Any = {"region": "nyc3", "size": size, "image": "ubuntu-24-04-x64", "vpc": None}
    account.create_droplets(names, **order, keys=[], tags=tags, user_data="#cloud-config\n{}")


def rent_the_study(account: Account, workers: int, size: str = "s-4vcpu-8gb") -> None:
    common, study, manager, worker = study_tags("waves")
    rent(account, "s-2vcpu-4gb", ["cb-waves-manager"], (common, study, manager))
    names = [f"cb-waves-worker-{number + 1}" for number in range(workers)]
    rent(account, size, names, (common, study, worker))


# ── what is right ────────────────────────────────────────────────────────────────────────────
def test_what_can_be_rented_is_wanted_with_its_prices(ask: Judge) -> None:
    judged = ask()

    assert judged.problems == ()
    wanted = judged.wanted
    assert wanted is not None
    assert (wanted.study, wanted.region, wanted.image, wanted.workers) == (
        "waves",
        "nyc3",
        "ubuntu-24-04-x64",
        3,
    )
    assert (wanted.manager, wanted.worker) == ("s-2vcpu-4gb", "s-4vcpu-8gb")
    assert str(wanted.hourly["s-4vcpu-8gb"]) == "0.07143"


def test_nothing_is_changed_by_asking(ask: Judge, imitation: Imitation) -> None:
    ask("vpc: lab; image: mine; region: nyc9")

    assert {exchange.method for exchange in imitation.exchanges} == {"GET"}


# ── regions and sizes ────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("NYC3", 'did you mean "nyc3"?'),
        ("nyc-3", 'did you mean "nyc3"?'),
        ("sfo4", 'did you mean "sfo'),
        ("Frankfurt1", 'did you mean "fra1"?'),
        ("mars", "there are nyc1, nyc3, ams3"),
    ],
)
def test_a_region_that_is_none(ask: Judge, written: str, hint: str) -> None:
    code, key, message, said = only(ask(f"region: {written}"))

    assert (code, key) == ("unknown-region", "region")
    assert written in message
    assert hint in said


def test_a_region_that_takes_no_more(ask: Judge) -> None:
    code, key, message, hint = only(ask("region: nyc2"))

    assert (code, key) == ("region-closed", "region")
    assert message == "nyc2 (New York 2) takes no new machines"
    assert hint.startswith("open are nyc1, nyc3, ams3")


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("s4vcpu8gb", 'did you mean "s-4vcpu-8gb"?'),
        ("S-4VCPU-8GB", 'did you mean "s-4vcpu-8gb"?'),
        ("s-4vcpus-8gb", 'did you mean "s-4vcpu-8gb"?'),
        ("huge", "the smallest here: s-1vcpu-512mb-10gb"),
    ],
)
@pytest.mark.parametrize("role", ["manager", "worker"])
def test_a_size_that_is_none(ask: Judge, role: str, written: str, hint: str) -> None:
    code, key, message, said = only(ask(f"{role}: {written}"))

    assert (code, key) == ("unknown-size", role)
    assert written in message
    assert hint in said


def test_a_size_that_is_elsewhere(ask: Judge) -> None:
    code, key, message, hint = only(ask("region: lon1; worker: s-4vcpu-8gb-amd"))

    assert (code, key) == ("size-not-here", "worker")
    assert message == "s-4vcpu-8gb-amd is not to be had in lon1"
    assert "it is in nyc1, nyc3, ams3, fra1 and sfo3" in hint
    assert "lon1 has s-4vcpu-8gb: 4 CPUs, 8 GiB, 0.07143 USD an hour" in hint


def test_a_size_that_nobody_can_have_matters_where_machines_are_missing(
    ask: Judge, account: Account, imitation: Imitation
) -> None:
    rent_the_study(account, 3)
    imitation.account.sizes["s-4vcpu-8gb"] = replace(imitation.account.sizes["s-4vcpu-8gb"], regions=())

    assert ask().problems == ()
    code, key, _, hint = only(ask(workers=4))
    assert (code, key) == ("size-gone", "worker")
    assert "nyc3 has s-4vcpu-8gb-amd" in hint


def test_the_size_of_workers_is_nothing_where_there_are_none(ask: Judge) -> None:
    assert ask("worker: huge", workers=0).problems == ()


@pytest.mark.parametrize(
    ("droplets", "workers", "needs", "key", "words"),
    [
        ("worker: s-1vcpu-2gb", 3, "memory: 4 GB", "worker", "has 2 GiB of memory, and a job needs 3.73 GiB"),
        ("worker: s-1vcpu-2gb", 3, "cpus: 2", "worker", "has 1 CPU, and a job needs 2"),
        ("manager: s-1vcpu-2gb", 0, "memory: 4 GB", "manager", "has 2 GiB of memory"),
    ],
)
def test_a_job_that_fits_into_no_machine(
    ask: Judge, droplets: str, workers: int, needs: str, key: str, words: str
) -> None:
    code, where, message, hint = only(ask(droplets, workers=workers, worker=f"needs: {{{needs}}}"))

    assert (code, where) == ("size-too-small", key)
    assert words in message
    assert hint.startswith("nyc3 has s-2vcpu-")


def test_a_manager_beside_workers_may_be_small(ask: Judge) -> None:
    assert ask("manager: s-1vcpu-2gb", worker="needs: {memory: 4 GB, cpus: 2}").problems == ()


# ── images ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("Ubuntu-24.04-x64", 'did you mean "ubuntu-24-04-x64"?'),
        ("Debian 13 x64", 'did you mean "debian-13-x64"?'),
        ("ubuntu-24-04-x86", 'did you mean "ubuntu-24-04-x64"?'),
        ("wvaes-base", 'did you mean "waves-base"?'),
        ("1", "doctl compute image list"),
        ("beos", "doctl compute image list"),
    ],
)
def test_an_image_that_is_none(ask: Judge, imitation: Imitation, written: str, hint: str) -> None:
    imitation.account.add_snapshot("waves-base")

    code, key, message, said = only(ask(f"image: {written}"))

    assert (code, key) == ("unknown-image", "image")
    assert written in message
    assert hint in said


def test_a_snapshot_is_found_by_its_name_and_by_its_id(ask: Judge, imitation: Imitation) -> None:
    image = imitation.account.add_snapshot("waves base")

    for written in ("waves base", str(image.id), f'"{image.id}"'):
        wanted = ask(f"image: {written}").wanted
        assert wanted is not None
        assert wanted.image == str(image.id)


def test_an_image_of_digitaloceans_by_its_id_has_its_slug(ask: Judge, imitation: Imitation) -> None:
    (image,) = (one for one in imitation.account.images.values() if one.slug == "debian-13-x64")

    wanted = ask(f"image: {image.id}").wanted

    assert wanted is not None
    assert wanted.image == "debian-13-x64"


def test_two_snapshots_of_one_name(ask: Judge, imitation: Imitation) -> None:
    images = [imitation.account.add_snapshot("base"), imitation.account.add_snapshot("base", ("ams3",))]

    code, key, message, hint = only(ask("image: base"))

    assert (code, key) == ("ambiguous-image", "image")
    assert message.startswith('2 of your images are called "base"')
    assert f"{images[0].id} (nyc3)" in hint
    assert f"{images[1].id} (ams3)" in hint


def test_a_snapshot_that_is_elsewhere(ask: Judge, imitation: Imitation) -> None:
    image = imitation.account.add_snapshot("base", ("ams3", "fra1"))

    code, key, message, hint = only(ask("image: base"))

    assert (code, key) == ("image-not-here", "image")
    assert message == f"the image base (id {image.id}) is not in nyc3"
    assert "it is in ams3 and fra1" in hint
    assert f"transfer {image.id} --region nyc3" in hint


def test_a_snapshot_that_needs_a_larger_disk(ask: Judge, imitation: Imitation) -> None:
    image = replace(imitation.account.add_snapshot("base"), least_disk=60)
    imitation.account.images[image.id] = image

    code, key, message, hint = only(ask("image: base; worker: c-4"))

    assert (code, key) == ("size-too-small", "worker")
    assert "a disk of 50 GB" in message
    assert "needs 60" in message
    assert hint == "a larger one here is s-2vcpu-2gb, with 60 GB"


def test_an_image_that_is_gone_is_nothing_to_machines_that_stand(
    ask: Judge, account: Account, imitation: Imitation
) -> None:
    rent_the_study(account, 3)
    for image in list(imitation.account.images.values()):
        if image.slug == "ubuntu-24-04-x64":
            del imitation.account.images[image.id]

    assert ask().problems == ()
    assert only(ask(workers=4))[0] == "unknown-image"


# ── VPCs ─────────────────────────────────────────────────────────────────────────────────────
def test_a_vpc_by_its_name_and_by_its_id(ask: Judge, account: Account) -> None:
    vpc = account.create_vpc("lab", "nyc3")

    assert ask("vpc: lab").problems == ()
    assert ask(f"vpc: {vpc.id}").problems == ()


def test_a_vpc_that_is_none(ask: Judge, account: Account) -> None:
    account.create_vpc("hydraulics", "nyc3")

    code, key, message, hint = only(ask("vpc: hydraulic"))
    assert (code, key) == ("unknown-vpc", "vpc")
    assert '"hydraulic"' in message
    assert hint == 'did you mean "hydraulics"?'
    assert "leave `vpc` out" in only(ask("vpc: x"))[3]


def test_a_vpc_that_is_elsewhere(ask: Judge, account: Account) -> None:
    account.create_vpc("far", "ams3")

    code, key, message, hint = only(ask("vpc: far"))

    assert (code, key) == ("vpc-not-here", "vpc")
    assert message == "the VPC far is in ams3, and the machines in nyc3"
    assert "default-nyc3" in hint


# ── the account ──────────────────────────────────────────────────────────────────────────────
def test_a_limit_counts_what_stands_and_what_is_missing(
    ask: Judge, account: Account, imitation: Imitation
) -> None:
    imitation.account.droplet_limit = 4
    assert ask().problems == ()
    imitation.account.droplet_limit = 5
    rent(account, "s-1vcpu-1gb", ["another", "one-more"], ())

    code, key, message, hint = only(ask())

    assert (code, key) == ("droplet-limit", "workers")
    assert message == "your account may have 5 droplets, 2 stand, and 4 more are needed"
    assert "`workers: 2` would fit" in hint


def test_what_stands_of_the_study_is_not_needed_again(
    ask: Judge, account: Account, imitation: Imitation
) -> None:
    imitation.account.droplet_limit = 4
    rent_the_study(account, 3)

    assert ask().problems == ()
    assert ask(workers=1).problems == ()
    message = only(ask(workers=5))[2]
    assert message == "your account may have 4 droplets, 4 stand (4 of this study), and 2 more are needed"


def test_a_locked_account(ask: Judge, imitation: Imitation) -> None:
    imitation.account.status, imitation.account.status_message = "locked", "unpaid"

    judged = ask()

    assert judged.wanted is None
    assert [(problem.code, problem.path) for problem in judged.problems] == [("account-locked", HERE)]
    assert "locked this account: unpaid" in judged.problems[0].message


def test_an_account_with_a_warning_can_rent(ask: Judge, imitation: Imitation) -> None:
    imitation.account.status = "warning"

    judged = ask()

    assert [(problem.code, problem.severity) for problem in judged.problems] == [
        ("account-warning", "warning")
    ]
    assert judged.wanted is not None


def test_an_account_whose_address_nobody_confirmed_is_warned_of(ask: Judge, imitation: Imitation) -> None:
    imitation.account.email_verified = False

    judged = ask()

    assert [(problem.code, problem.severity) for problem in judged.problems] == [
        ("account-unverified", "warning")
    ]
    assert judged.wanted is not None


def test_everything_is_said_at_once(ask: Judge, imitation: Imitation) -> None:
    imitation.account.droplet_limit = 1

    codes = [problem.code for problem in ask("worker: huge; image: beos; vpc: x").problems]

    assert codes == ["unknown-size", "unknown-image", "unknown-vpc", "droplet-limit"]
