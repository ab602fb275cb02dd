"""A droplet asked for through the API is a machine: it boots as it was told, is guarded, switched, and goes without a trace.

The requests are plain HTTP and the ssh is the system's: nothing of CloudBurst is in this.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab import Host, ground
from lab.commands import LabError, run, succeeds, until
from lab.rented import RentedLab
from lab.swarm import clean

ROOT = Path(__file__).resolve().parents[3]
SWARM = 2377
OFTEN = 0.3
"""Seconds between two looks at the API, which counts them."""
COUNTER = """\
[Unit]
Description=Notes that it was started, and is there until it is stopped
After=docker.service

[Service]
ExecStartPre=/bin/sh -c 'echo started >>/root/starts'
ExecStart=/bin/sleep infinity
Restart=always
RestartSec=50ms

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Keys:
    """A client's key and a host's, as files; what a user of the API makes before the first request."""

    place: Path

    @classmethod
    def made(cls, place: Path) -> Keys:
        for name in ("client", "host"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", place / name)
        return cls(place)

    def text(self, name: str) -> str:
        return (self.place / name).read_text()

    def user_data(self, **more: object) -> str:
        """A #cloud-config that plants the host's key."""
        planted = {"ed25519_private": self.text("host"), "ed25519_public": self.text("host.pub")}
        return "#cloud-config\n" + json.dumps({"ssh_keys": planted, **more})


@dataclass
class Account:
    """The API by plain HTTP."""

    url: str
    token: str
    keys: Keys
    addresses: dict[int, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(f"{self.url}/v2/{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def add_key(self) -> int:
        body = {"name": "test", "public_key": self.keys.text("client.pub").strip()}
        return int(self.ask("POST", "account/keys", body)["ssh_key"]["id"])

    def rent(self, *names: str, user_data: str, **more: object) -> list[int]:
        """The ids of new droplets."""
        body = {"names": list(names), "region": "nyc3", "size": "s-1vcpu-1gb", "image": "ubuntu-24-04-x64"}
        asked = self.ask("POST", "droplets", {**body, "user_data": user_data, **more})
        return [droplet["id"] for droplet in asked["droplets"]]

    def droplet(self, number: int) -> dict[str, Any]:
        return dict(self.ask("GET", f"droplets/{number}")["droplet"])

    def wait_for(self, number: int, status: str) -> dict[str, Any]:
        """The droplet once it has this status, and both addresses."""
        seen: dict[str, Any] = {}

        def is_so() -> bool:
            seen.update(self.droplet(number))
            return bool(seen["status"] == status and len(seen["networks"]["v4"]) == 2)

        until(is_so, f"droplet {number} is {status} and has addresses", 60, OFTEN)
        self.addresses[number] = _address(seen, "public")
        return seen

    def act(self, number: int, kind: str, **more: object) -> None:
        """One action, until it is completed."""
        path = f"actions/{self.ask('POST', f'droplets/{number}/actions', {'type': kind, **more})['action']['id']}"
        until(
            lambda: self.ask("GET", path)["action"]["status"] == "completed",
            f"{kind} is completed",
            60,
            OFTEN,
        )

    def ssh(self, number: int, script: str, *, known: str = "host.pub") -> str:
        """What a script says on a droplet, whose key has to be the one that was planted. Raises LabError."""
        address = self.addresses[number]
        trusted = self.keys.place / f"known-{number}"
        trusted.write_text(f"{address} {self.keys.text(known)}")
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(trusted),
            "ConnectTimeout": "3",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        key = str(self.keys.place / "client")
        return run(*("ssh", "-F", "none", "-i", key, *words, f"root@{address}", script), seconds=30)

    def wait_for_ssh(self, number: int) -> None:
        """Until cloud-init on the droplet has finished."""
        self.wait_for(number, "active")
        until(lambda: self._answers(number), f"droplet {number} has finished its first boot", 90)

    def _answers(self, number: int) -> bool:
        try:
            self.ssh(number, "test -e /var/lib/cloud/instance/boot-finished")
        except LabError:
            return False
        return True


def _address(droplet: dict[str, Any], kind: str) -> str:
    return str(next(one["ip_address"] for one in droplet["networks"]["v4"] if one["type"] == kind))


@pytest.fixture(scope="module")
def account(rented_lab: RentedLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    api = rented_lab.imitation
    yield Account(api.url, api.token, Keys.made(tmp_path_factory.mktemp("keys")))
    rented_lab.clear()
    assert rented_lab.machines.problems == []


@pytest.fixture(scope="module")
def pair(account: Account, rented_lab: RentedLab) -> tuple[int, int]:
    """Two droplets by one request, on both of which a first boot has finished."""
    user_data = account.keys.user_data(
        write_files=[
            {"path": "/root/note", "content": "as written\n", "permissions": "0600"},
            {"path": "/etc/systemd/system/counter.service", "content": COUNTER},
        ],
        runcmd=["echo ran >>/root/runs", ["systemctl", "enable", "--now", "counter"]],
    )
    first, second = account.rent(
        "one", "two", user_data=user_data, ssh_keys=[account.add_key()], tags=["pair"]
    )
    for number in (first, second):
        account.wait_for_ssh(number)
    return first, second


@pytest.fixture
def hosts(rented_lab: RentedLab, pair: tuple[int, int]) -> tuple[Host, Host]:
    return rented_lab.host("one"), rented_lab.host("two")


def test_the_first_connection_is_verified_and_user_data_was_obeyed(
    account: Account, pair: tuple[int, int]
) -> None:
    for number, name in zip(pair, ("one", "two"), strict=True):
        assert account.ssh(number, "hostname; cat /root/note /root/runs") == f"{name}\nas written\nran\n"
        assert account.ssh(number, "ls /etc/ssh/ssh_host_*_key") == "/etc/ssh/ssh_host_ed25519_key\n"
        assert account.ssh(number, "stat -c %a /root/note") == "600\n"


def test_a_droplet_is_as_large_as_its_size_says(account: Account, pair: tuple[int, int]) -> None:
    assert account.ssh(pair[0], "nproc; grep MemTotal /proc/meminfo").split() == [
        "1",
        "MemTotal:",
        "1048576",
        "kB",
    ]


def test_every_image_is_there_and_containers_run(account: Account, pair: tuple[int, int]) -> None:
    assert account.ssh(pair[0], "docker run --rm redis:7.2-alpine redis-server --version").startswith(
        "Redis server"
    )


def test_no_datasource_but_the_seed_is_asked(hosts: tuple[Host, Host]) -> None:
    said = hosts[0].sh(
        "cloud-init query --format '{{ platform }} {{ instance_id }}'; cat /var/log/cloud-init.log"
    )
    assert said.startswith("nocloud ")
    assert "169.254" not in said
    assert "WARNING" not in said


def test_services_run_again_after_a_kill_and_stop_when_told(account: Account, pair: tuple[int, int]) -> None:
    number = pair[0]
    pid = account.ssh(number, "cat /run/lab-units/counter.service/main")
    account.ssh(number, f"kill -KILL {pid}")
    until(lambda: account.ssh(number, "wc -l </root/starts") == "2\n", "it was started again", 20)
    ignored = account.ssh(number, "grep SigIgn /proc/$(cat /run/lab-units/counter.service/main)/status")
    assert not int(ignored.split()[1], 16) & 0b11  # SIGHUP and SIGINT reach a service
    assert (
        account.ssh(number, "systemctl is-active counter; systemctl is-enabled counter")
        == "active\nenabled\n"
    )
    account.ssh(number, "systemctl stop counter.service; ! pgrep -x sleep")
    with pytest.raises(LabError, match="exit code 3\ninactive"):
        account.ssh(number, "systemctl is-active counter")
    account.ssh(number, "systemctl start counter")


def test_a_masked_or_unknown_service_does_not_start(account: Account, pair: tuple[int, int]) -> None:
    number = pair[0]
    account.ssh(number, "systemctl mask --now apt-daily.timer unheard-of; systemctl unmask apt-daily.timer")
    with pytest.raises(LabError, match=r"Unit unheard-of.service is masked"):
        account.ssh(number, "systemctl start unheard-of")
    account.ssh(number, "systemctl unmask unheard-of")
    with pytest.raises(LabError, match=r"exit code 5\n.*unheard-of.service not found"):
        account.ssh(number, "systemctl start unheard-of")


def test_sshd_takes_a_new_key_when_it_is_reloaded(account: Account, pair: tuple[int, int]) -> None:
    number = pair[1]
    replace = "ssh-keygen -q -t ed25519 -N '' -f /root/new && cat /root/new.pub"
    (account.keys.place / "second.pub").write_text(account.ssh(number, replace))
    account.ssh(number, "cp /root/new /etc/ssh/ssh_host_ed25519_key; systemctl reload ssh")
    until(lambda: _enters(account, number, known="second.pub"), "the new key is shown", 20)
    assert not _enters(account, number)
    back = (
        f"echo '{account.keys.text('host').strip()}' >/etc/ssh/ssh_host_ed25519_key; systemctl restart sshd"
    )
    account.ssh(number, back, known="second.pub")
    until(lambda: _enters(account, number), "the old key is shown again", 20)


def _enters(account: Account, number: int, **how: Any) -> bool:
    try:
        account.ssh(number, "true", **how)
    except LabError:
        return False
    return True


def _hears(host: Host, address: str, port: int) -> bool:
    return _does(host, f"timeout 1 bash -c 'exec 3<>/dev/tcp/{address}/{port}'")


def _pings(host: Host, address: str) -> bool:
    return _does(host, f"ping -c 1 -W 1 {address}")


def _does(host: Host, script: str) -> bool:
    try:
        host.sh(script)
    except LabError:
        return False
    return True


@pytest.fixture
def wall(account: Account, pair: tuple[int, int]) -> Iterator[Callable[..., None]]:
    """Puts a firewall around both droplets, or other rules into it; it is removed after the test."""
    made: list[str] = []

    def build(inbound: list[object], outbound: list[object]) -> None:
        rules = {"name": "wall", "inbound_rules": inbound, "outbound_rules": outbound, "tags": ["pair"]}
        if made:
            account.ask("PUT", f"firewalls/{made[0]}", rules)
        else:
            made.append(account.ask("POST", "firewalls", rules)["firewall"]["id"])

    yield build
    for number in made:
        account.ask("DELETE", f"firewalls/{number}")


@pytest.fixture
def listening(hosts: tuple[Host, Host]) -> Iterator[Host]:
    """The second droplet, with the swarm's port open on both of its networks."""
    hosts[1].sh("docker swarm init --advertise-addr eth1 >/dev/null")
    yield hosts[1]
    hosts[1].sh("docker swarm leave --force >/dev/null")


def _allowed(direction: str, protocol: str, ports: str, **others: list[str]) -> dict[str, object]:
    return {"protocol": protocol, "ports": ports, direction: others}


def test_without_a_firewall_everything_passes(hosts: tuple[Host, Host], listening: Host) -> None:
    for address in (listening.public_address, listening.private_address):
        assert listening.reachable_ports(address, (22, SWARM)) == (22, SWARM)
        assert _hears(hosts[0], address, SWARM)
        assert _pings(hosts[0], address)


def test_a_firewall_lets_in_what_its_rules_say_on_both_networks(
    rented_lab: RentedLab, hosts: tuple[Host, Host], listening: Host, wall: Callable[..., None]
) -> None:
    ssh = _allowed("sources", "tcp", "22", addresses=[rented_lab.machines.address])
    swarm = _allowed("sources", "tcp", str(SWARM), tags=["pair"])
    wall(
        [ssh, swarm],
        [_allowed("destinations", one, "0", addresses=["0.0.0.0/0"]) for one in ("tcp", "udp", "icmp")],
    )
    assert listening.reachable_ports(ports=(22, SWARM)) == (22,)
    # There this machine has another address, which no rule names.
    assert listening.reachable_ports(listening.private_address, (22, SWARM)) == ()
    for address in (listening.public_address, listening.private_address):
        assert _hears(hosts[0], address, SWARM)
        assert not _hears(hosts[0], address, 22)
        assert not _pings(hosts[0], address)
    assert _hears(hosts[0], "deb.debian.org", 80)


def test_a_firewall_lets_out_what_its_rules_say(
    rented_lab: RentedLab, hosts: tuple[Host, Host], listening: Host, wall: Callable[..., None]
) -> None:
    api = int(rented_lab.imitation.url.rpartition(":")[2])
    assert _hears(hosts[0], rented_lab.machines.address, api)
    elsewhere = _allowed("sources", "tcp", "22", addresses=["203.0.113.7", "203.0.113.0/28", "2001:db8::/32"])
    echo = _allowed("sources", "icmp", "0", addresses=["0.0.0.0/0"])
    wall([elsewhere, echo], [_allowed("destinations", "icmp", "0", addresses=["0.0.0.0/0"])])
    assert listening.reachable_ports(ports=(22, SWARM)) == ()
    assert not _hears(hosts[0], rented_lab.machines.address, api)
    for address in (listening.public_address, listening.private_address):
        assert not _hears(hosts[0], address, SWARM)
        assert _pings(hosts[0], address)


def test_containers_of_two_droplets_talk_through_a_firewall_that_lets_a_swarm_pass(
    hosts: tuple[Host, Host], listening: Host, wall: Callable[..., None]
) -> None:
    ports = (("tcp", "2377"), ("tcp", "7946"), ("udp", "7946"), ("udp", "4789"))
    within = [_allowed("sources", protocol, number, tags=["pair"]) for protocol, number in ports]
    wall(within, [_allowed("destinations", one, "0", addresses=["0.0.0.0/0"]) for one in ("tcp", "udp")])
    token = listening.docker("swarm", "join-token", "--quiet", "worker").strip()
    hosts[0].docker(
        "swarm", "join", "--token", token, "--advertise-addr", "eth1", f"{listening.private_address}:{SWARM}"
    )
    listening.docker("network", "create", "--driver", "overlay", "--attachable", "between")
    listening.docker("run", "--detach", "--name", "server", "--network", "between", "redis:7.2-alpine")
    ask = "docker run --rm --network between redis:7.2-alpine redis-cli -h server ping | grep -q PONG"
    until(lambda: _does(hosts[0], ask), "the server answers a container on the other droplet", 60)
    listening.docker("rm", "--force", "server")
    hosts[0].docker("swarm", "leave")


def test_the_api_sees_a_droplet_and_the_client_by_their_public_addresses(
    rented_lab: RentedLab, hosts: tuple[Host, Host]
) -> None:
    place = rented_lab.imitation.environment["CLOUDBURST_CALLER_FROM"]
    assert hosts[0].sh(f"curl -s {place}") == hosts[0].public_address
    with urllib.request.urlopen(place, timeout=5) as answer:
        assert answer.read().decode() == rented_lab.machines.address


def test_power_off_and_on_keeps_the_disk_and_starts_what_is_enabled(
    account: Account, pair: tuple[int, int], hosts: tuple[Host, Host]
) -> None:
    number = pair[0]
    before = hosts[0].sh("wc -l </root/starts; nft list ruleset | grep -c DOCKER || true")
    hosts[0].sh("echo kept >/root/kept; iptables -t raw -A PREROUTING -p udp --dport 4711 -j DROP")
    account.act(number, "power_off")
    account.wait_for(number, "off")
    assert not hosts[0].is_on
    account.act(number, "power_on")
    account.wait_for_ssh(number)
    until(lambda: hosts[0].sh("systemctl is-active counter || true") == "active\n", "it runs again", 30)
    assert account.ssh(number, "cat /root/kept /root/runs") == "kept\nran\n"
    assert int(account.ssh(number, "wc -l </root/starts")) == int(before.split()[0]) + 1
    assert "4711" not in hosts[0].sh("iptables -t raw -S")


@pytest.mark.parametrize("command", ["systemctl poweroff", "shutdown -h now"])
def test_a_droplet_that_switches_itself_off_is_off_and_still_there(
    account: Account, pair: tuple[int, int], hosts: tuple[Host, Host], command: str
) -> None:
    hosts[1].sh(f"nohup {command} >/dev/null 2>&1 &")
    account.wait_for(pair[1], "off")
    account.act(pair[1], "power_on")
    account.wait_for_ssh(pair[1])


def test_a_shutdown_ends_containers_and_a_reboot_starts_everything_anew(
    account: Account, pair: tuple[int, int], hosts: tuple[Host, Host]
) -> None:
    account.ssh(
        pair[1], "systemctl start docker; docker run -d --restart=always --name kept redis:7.2-alpine"
    )
    account.ssh(pair[1], "touch /run/before; nohup reboot >/dev/null 2>&1 &")
    until(lambda: _does(hosts[1], "! test -e /run/before"), "it has started anew", 60)
    account.wait_for_ssh(pair[1])
    account.ssh(pair[1], "systemctl start docker")
    assert account.ssh(pair[1], "docker inspect --format '{{.State.Running}}' kept") == "true\n"
    account.act(pair[1], "shutdown")
    account.wait_for(pair[1], "off")
    account.act(pair[1], "power_on")
    account.wait_for_ssh(pair[1])


def test_a_resized_droplet_has_its_new_size_and_its_disk(
    account: Account, pair: tuple[int, int], hosts: tuple[Host, Host]
) -> None:
    number = pair[0]
    account.act(number, "power_off")
    account.act(number, "resize", size="s-2vcpu-4gb")
    account.act(number, "power_on")
    account.wait_for_ssh(number)
    assert account.ssh(number, "nproc; cat /root/note") == "2\nas written\n"
    assert "4194304" in account.ssh(number, "grep MemTotal /proc/meminfo")


def test_a_snapshot_is_an_image_with_the_disk_of_its_droplet(
    account: Account, rented_lab: RentedLab, pair: tuple[int, int]
) -> None:
    account.ssh(pair[0], "docker tag redis:7.2-alpine prepared:1; sync")
    account.act(pair[0], "snapshot", name="prepared")
    images = account.ask("GET", "images?private=true")["images"]
    user_data = account.keys.user_data(runcmd=["echo again >>/root/runs"])
    image = next(one["id"] for one in images if one["name"] == "prepared")
    (number,) = account.rent(
        "copy", user_data=user_data, image=image, ssh_keys=_key_ids(account), size="s-2vcpu-4gb"
    )
    account.wait_for_ssh(number)
    assert account.ssh(number, "hostname; cat /root/runs") == "copy\nran\nagain\n"
    account.ssh(number, "systemctl start docker; docker image inspect prepared:1 >/dev/null")
    account.ask("DELETE", f"droplets/{number}")
    account.ask("DELETE", f"images/{image}")


def _key_ids(account: Account) -> list[int]:
    return [key["id"] for key in account.ask("GET", "account/keys")["ssh_keys"]]


def test_what_can_be_wrong_with_a_droplet(account: Account, rented_lab: RentedLab) -> None:
    state = rented_lab.imitation.account
    state.spoil("silent", "silent")
    state.spoil("impostor", "impostor")
    state.spoil("cut-off", "no network")
    names = ("silent", "impostor", "cut-off")
    numbers = account.rent(*names, user_data=account.keys.user_data(), ssh_keys=_key_ids(account))
    silent, impostor, cut_off = numbers
    address = _address(account.wait_for(silent, "active"), "public")
    assert _address(account.wait_for(impostor, "active"), "public")
    until(lambda: rented_lab.host("impostor").reachable_ports(ports=(22,)), "the impostor answers", 60)
    with pytest.raises(LabError, match="Host key verification failed"):
        account.ssh(impostor, "true")
    assert not rented_lab.host("silent").reachable_ports(address, (22,))
    until(
        lambda: account.droplet(cut_off)["status"] == "active", "the one without network is active", 30, OFTEN
    )
    assert account.droplet(cut_off)["networks"]["v4"] == []
    assert not rented_lab.host("cut-off").reachable_ports(ports=(22,))
    for number in numbers:
        account.ask("DELETE", f"droplets/{number}")


def test_a_droplet_deleted_while_it_is_made_leaves_nothing(account: Account, rented_lab: RentedLab) -> None:
    names = [f"short-lived-{number}" for number in range(4)]
    for number in account.rent(*names, user_data=account.keys.user_data()):
        account.ask("DELETE", f"droplets/{number}")
    rented_lab.machines.settle()
    assert [one for one in rented_lab.traces() if "short-lived" in one] == []
    assert not set(names) & set(rented_lab.hosts())


def test_destroyed_droplets_leave_nothing(
    account: Account, rented_lab: RentedLab, pair: tuple[int, int]
) -> None:
    assert rented_lab.traces() != []
    for number in pair:
        account.ask("DELETE", f"droplets/{number}")
    rented_lab.machines.settle()
    assert rented_lab.traces() == []
    assert rented_lab.hosts() == {}


def test_a_killed_playground_leaves_nothing_after_clean(account: Account) -> None:
    command = [sys.executable, "-m", "tests.lab.imitation", "serve", "--hosts", "--manners", "prompt"]
    said: dict[str, str] = {}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            words = line.rstrip().split(" ", 2)
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                said[name] = value
            elif "hosts are in" in line:
                said["directory"] = line.partition(" in ")[2].partition(":")[0]
            if "CLOUDBURST_CALLER_FROM" in said:
                break
        directory = Path(said["directory"])
        url = said["DIGITALOCEAN_END_POINT"].removesuffix("/v2/")
        there = Account(url, said["DIGITALOCEAN_TOKEN"], account.keys)
        (number,) = there.rent("forgotten", user_data=account.keys.user_data())
        there.wait_for(number, "active")
        process.send_signal(signal.SIGKILL)
    left = ground.find(directory)
    assert left.host("forgotten").is_on
    assert directory in clean()
    assert not directory.exists()
    assert left.network.netns("droplet-") not in run("ip", "netns", "list")
    assert left.network.table not in run("nft", "list", "tables")
    assert not succeeds("ip", "link", "show", left.network.public_bridge)
