"""What else happens to people who rent: their address changes, somebody switches a machine off, its image has no Docker."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from faults.table import RENTED_REST, note

from ..imitation.catalogue import Image
from ..lives import JOBS, Life, machines
from ..studies import Following
from .strikes import Counted, strike

pytestmark = [pytest.mark.timeout(900), pytest.mark.faults]

MANAGER, WORKER = machines(1)

Tell = Callable[[str, str], None]


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers a line of the table; called by a test when everything held."""

    def line(what: str, came: str) -> None:
        print(f"\n{what} | {came}")
        note(pytestconfig, RENTED_REST, (what, came))

    return line


def test_who_calls_from_another_address_is_let_in_again_while_it_follows(life: Life, tell: Tell) -> None:
    life.write(workers=1)
    following = Following(life.project.start("apply", "--yes", "--json"))
    following.until_done(4)
    began = time.monotonic()
    _shut_out(life)
    assert following.finish()["state"] == "finished"
    seconds = time.monotonic() - began
    assert any("trying to come back" in text for text in following.said("warning"))
    admitted = life.lab.imitation.requests("POST", "/v2/firewalls/{firewall_id}/rules")
    assert [one.status for one in admitted] == [204], "asked for once"
    life.is_whole()
    life.each_began_once()
    life.destroy()
    tell(
        "the address of the machine that follows changes: its connection falls silent, and the firewall drops new ones",
        f"it notices, adds its address to the firewall and follows on; the study is done {seconds:.0f} s later",
    )


def test_destroy_switches_a_manager_on_that_is_off_and_fetches_what_it_has(life: Life, tell: Tell) -> None:
    life.write(workers=1)
    struck = strike(life.lab, life.project, Counted(done=10), "apply", "--yes", "--json")
    assert struck.code == -signal.SIGKILL
    life.lab.host(MANAGER).power_off()
    began = time.monotonic()
    said = life.project.said("destroy", "--yes")
    seconds = time.monotonic() - began
    assert f"switching {MANAGER} on to fetch its results" in said
    assert life.lab.imitation.account.left() == []
    rows = life.project.recorded()
    assert len(rows) >= 10, "what was recorded came home"
    tell(
        "somebody switches the manager off in the middle, and then `destroy`",
        f"it is switched on, {len(rows)} of {JOBS} rows are fetched, and all is given back after {seconds:.0f} s",
    )


def test_docker_is_brought_at_the_first_boot_to_an_image_that_has_none(life: Life, tell: Tell) -> None:
    account = life.lab.imitation.account
    life.write(jobs=6, workers=1)
    life.apply()
    image = _snapshot_without_docker(life)
    life.project.run("destroy", "--yes")
    assert account.left() == [f"snapshot {image.name}"], "what the study did not make stays"
    place, name = life.project.place, life.project.name
    life.project.provider = life.lab.project(place, name, image=image.name, docker="distribution").provider
    life.write(jobs=9, workers=1)
    began = time.monotonic()
    life.apply()
    seconds = time.monotonic() - began
    for one in account.standing():
        host = life.lab.host(one.name)
        assert "install ok installed" in host.sh("dpkg -s docker.io")
        shown = host.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub").strip()
        assert shown not in one.user_data, "the snapshot's mark that a key was replaced is not this machine's"
    life.project.run("destroy", "--yes")
    del account.images[image.id]
    life.is_over()
    tell(
        "the image is a snapshot of a machine of the study's, from which Docker was removed; `docker: distribution`",
        f"the first boot installs it, and each machine has a host key of its own; `apply` takes {seconds:.0f} s",
    )


def _snapshot_without_docker(life: Life) -> Image:
    """An image of the account's own, with the worker's disk."""
    host = life.lab.host(WORKER)
    host.docker("swarm", "leave")
    host.stop_daemon()
    host.sh("DEBIAN_FRONTEND=noninteractive apt-get -y -q remove docker.io && ! command -v dockerd")
    account = life.lab.imitation.account
    image = account.add_snapshot("bare")
    life.lab.machines.snapshot(account.droplet(WORKER).id, image.id)
    life.lab.machines.settle()
    return image


def _shut_out(life: Life) -> None:
    """The firewall knows nobody outside, and connections that stand fall silent: as if one called from elsewhere."""
    account = life.lab.imitation.account
    with account.lock:
        for firewall in account.firewalls.values():
            firewall.inbound = [rule for rule in firewall.inbound if "addresses" not in rule["sources"]]
        account.tell_walls()
    for host in life.lab.fleet(life.project.name).hosts:
        host.sh("pkill -STOP -f '^sshd: root' || true")
