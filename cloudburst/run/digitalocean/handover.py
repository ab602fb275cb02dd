"""What machines are told: at their first boot, and by every `apply` after that, over ssh."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from ...compile.first_boot import Docker, FirstBoot, user_data
from ...compile.fleet import Machine, Role
from ...compile.money import Rental
from ...compile.switch import API, CONFIG_PATH, TOKEN_PATH, switch_form
from ...errors import ProviderError
from ...secret import Secret
from ...spec.ensemble import Ensemble
from ..link import Link
from .approach import ask, write
from .host_keys import Planted
from .keys import PublicKey
from .rentals import rentals_in

END_POINT = "DIGITALOCEAN_END_POINT"

_DOCKERS: dict[str, Docker] = {"distribution": "distribution", "docker": "docker", "image": "image"}


def reaper_token(ensemble: Ensemble) -> Secret | None:
    """The value of the variable that `cluster.reaper_token` names. Raises ProviderError when it has none."""
    name = ensemble.cluster.reaper_token
    if name is None:
        return None
    value = os.environ.get(name, "").strip()
    if not value:
        raise ProviderError(
            f"cluster.reaper_token names {name}, which is not set",
            f"export {name}=… with a token of the scopes droplet:read and droplet:delete; without reaper_token "
            "machines that are forgotten only switch themselves off, and are billed all the same",
        )
    return Secret(value)


def first_words(
    ensemble: Ensemble,
    role: Role,
    planted: Planted,
    keys: Sequence[PublicKey],
    rentals: Sequence[Rental],
    now: float,
) -> str:
    """`user_data` of the machines of one role. It holds no token of any kind: whoever is on the machine can read it."""
    return user_data(
        FirstBoot(
            study=ensemble.name,
            role=role,
            host_key_private=Secret(planted.private),
            host_key_public=str(planted.public),
            authorized_keys=tuple(str(key) for key in keys),
            docker=_DOCKERS[str(ensemble.cluster.options["docker"])],
            switch=switch_form(ensemble, role, rentals, armed=now, api=_api()),
        )
    )


def arm(
    link: Link,
    ensemble: Ensemble,
    machine: Machine,
    rentals: Sequence[Rental],
    *,
    now: float,
    manager: str | None,
) -> None:
    """The switch counts from now: its `ttl` begins anew."""
    form = switch_form(
        ensemble, machine.role, rentals, armed=now, manager=manager, own=machine.id, api=_api()
    )
    write(link, CONFIG_PATH, json.dumps(form, indent=1).encode())


def bring_token(link: Link, machine: Machine, token: Secret | None) -> None:
    """To the manager, which gives machines back; a worker needs none. One that the file names no more is removed."""
    if machine.role == "manager" and token is not None:
        write(link, TOKEN_PATH, token.reveal().encode())
    else:
        ask(link, f"rm -f {TOKEN_PATH}")


def told_rentals(link: Link) -> tuple[Rental, ...]:
    """The rentals a manager was told last: those of machines that are gone are known nowhere else."""
    try:
        return rentals_in(json.loads(ask(link, f"cat {CONFIG_PATH}")).get("rentals"))
    except (ProviderError, ValueError, AttributeError):
        return ()


def _api() -> str:
    return os.environ.get(END_POINT) or API
