"""What a machine is told at its first boot: cloud-init takes it, and the script does it in the right order."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from lab.metadata import closes_metadata
from stack.parts import program

from cloudburst import assets
from cloudburst.compile import first_boot
from cloudburst.compile.first_boot import FirstBoot, user_data
from cloudburst.compile.switch import CONFIG_PATH, PROGRAM_PATH, switch_program
from cloudburst.errors import ProviderError
from cloudburst.secret import Secret

HOST_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
SCRIPT = assets.stack_directory() / "host" / "first-boot.sh"


def boot(docker: Any = "distribution", keys: tuple[str, ...] = ("ssh-ed25519 AAAAB me",)) -> FirstBoot:
    switch = {"format": 1, "study": "waves", "role": "manager", "api": "https://api.example/é"}
    return FirstBoot("waves", "manager", Secret(HOST_KEY), "ssh-ed25519 AAAAC host", keys, docker, switch)


def config(made: FirstBoot) -> dict[str, Any]:
    head, _, body = user_data(made).partition("\n")
    assert head == "#cloud-config"
    found: dict[str, Any] = json.loads(body)
    return found


def planted(made: FirstBoot) -> dict[str, str]:
    files = {}
    for file in config(made)["write_files"]:
        packed = file.get("encoding") == "gz+b64"
        content = gzip.decompress(base64.b64decode(file["content"])).decode() if packed else file["content"]
        files[file["path"]] = content
    return files


@pytest.mark.slow
@pytest.mark.parametrize("docker", ["distribution", "docker", "image"])
def test_cloud_init_takes_it(docker: str, tmp_path: Path) -> None:
    checker = program("cloud-init", "cloud-init")
    (tmp_path / "user-data").write_text(user_data(boot(docker)))
    command = [checker, "schema", "--config-file", str(tmp_path / "user-data")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Valid" in said.stdout, said.stdout + said.stderr
    assert said.returncode == 0


def test_it_plants_one_host_key_and_the_keys_of_who_may_come_in() -> None:
    found = config(boot(keys=("ssh-ed25519 AAAAB me", "ssh-rsa AAAAD you")))
    assert found["ssh_keys"] == {"ed25519_private": HOST_KEY, "ed25519_public": "ssh-ed25519 AAAAC host"}
    assert found["ssh_deletekeys"] is True
    assert found["ssh_authorized_keys"] == ["ssh-ed25519 AAAAB me", "ssh-rsa AAAAD you"]
    assert (found["disable_root"], found["ssh_pwauth"]) == (False, False)
    assert "PasswordAuthentication no" in planted(boot())["/etc/ssh/sshd_config.d/10-cloudburst.conf"]


def test_it_plants_the_switch_and_what_it_is_told() -> None:
    files = planted(boot())
    assert files[PROGRAM_PATH] == switch_program()
    assert json.loads(files[CONFIG_PATH])["api"] == "https://api.example/é"
    modes = {file["path"]: file["permissions"] for file in config(boot())["write_files"]}
    assert modes[CONFIG_PATH] == "0600"


def test_the_same_machine_is_told_the_same_and_has_room_for_many_keys() -> None:
    assert user_data(boot()) == user_data(boot())
    assert len(user_data(boot()).encode()) < first_boot.LIMIT // 2


def test_what_is_too_much_for_the_provider_is_a_sentence() -> None:
    with pytest.raises(ProviderError, match="and 65,536 can be sent") as found:
        user_data(boot(keys=tuple(f"ssh-rsa {'A' * 700} {n}" for n in range(80))))
    assert "cluster.ssh_keys" in found.value.hint


@pytest.mark.parametrize(
    ("rules", "closed"),
    [
        ("-P PREROUTING ACCEPT\n-A PREROUTING -d 169.254.169.254/32 -j DROP\n", True),
        ("-P PREROUTING ACCEPT\n", False),
        ("", False),
        ("-A PREROUTING -j ACCEPT\n-A PREROUTING -d 169.254.169.254/32 -j DROP\n", False),
        ("-A PREROUTING -s 10.0.0.1/32 -d 169.254.169.254/32 -j DROP\n", False),
    ],
)
def test_the_rule_is_read_and_the_address_never_asked(rules: str, closed: bool) -> None:
    assert closes_metadata(rules) is closed


# ── the script, with stand-ins for what it calls ─────────────────────────────────────────────
class Machine:
    """A directory as the machine, and programs that note how they were called. `has`: what is installed already."""

    RULE = "-A PREROUTING -d 169.254.169.254/32 -j DROP"

    def __init__(self, place: Path, *has: str) -> None:
        self.place = place
        self.home = place / "home"
        self.bin = place / "bin"
        self.calls = place / "calls"
        self.bin.mkdir()
        self.calls.touch()
        (place / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
        tools = ("sh", "cat", "tail", "mv", "rm", "mkdir", "date", "grep", "awk", "tr", "env", "timeout")
        for tool in tools:
            (self.bin / tool).symlink_to(program(tool, "coreutils"))
        self.plays("systemctl", "dpkg", "sleep", "gpg", "curl")
        self.plays("iptables", says=self.RULE)
        self.plays("dpkg", says="amd64")
        self.plays("apt-get", then=f'case "$*" in *docker*) cp {self.bin}/.docker {self.bin}/docker;; esac')
        (self.bin / "cp").symlink_to(program("cp", "coreutils"))
        self.plays(".docker")
        self.plays(*has)

    def plays(self, *names: str, says: str = "", then: str = "true") -> None:
        for name in names:
            path = self.bin / name
            path.write_text(
                f"#!/bin/sh\necho {name} \"$@\" >>{self.calls}\n[ -z '{says}' ] || echo '{says}'\n{then}\n"
            )
            path.chmod(0o755)

    def boot(self, docker: str) -> int:
        text = SCRIPT.read_text("utf-8")
        for real, here in (
            ("/var/lib/cloudburst", self.home),
            ("/etc/os-release", self.place / "os-release"),
            ("/etc/apt", self.place / "apt"),
        ):
            assert real in text
            text = text.replace(real, str(here))
        (self.place / "apt" / "sources.list.d").mkdir(parents=True)
        script = self.place / "first-boot.sh"
        script.write_text(text)
        command = [str(self.bin / "sh"), str(script), docker]
        return subprocess.run(
            command, env={"PATH": str(self.bin)}, capture_output=True, check=False
        ).returncode

    @property
    def did(self) -> list[str]:
        return self.calls.read_text().splitlines()

    @property
    def failed(self) -> str:
        return (self.home / "failed").read_text()


def position(did: list[str], start: str) -> int:
    return next(n for n, call in enumerate(did) if call.startswith(start))


def test_the_switch_comes_first_and_docker_last(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.boot("distribution") == 0
    steps = (
        "systemctl enable --now cloudburst-switch",
        "systemctl enable --now cloudburst-metadata",
        "apt-get",
    )
    found = [position(machine.did, step) for step in (*steps, ".docker version")]
    assert found == sorted(found)
    assert (machine.home / "ready").exists()
    assert not (machine.home / "failed").exists()


@pytest.mark.parametrize("docker", ["distribution", "docker", "image"])
def test_nothing_is_installed_where_docker_answers(tmp_path: Path, docker: str) -> None:
    machine = Machine(tmp_path, "docker")
    assert machine.boot(docker) == 0
    assert not [call for call in machine.did if call.startswith("apt-get")]


def test_an_image_without_docker_is_a_sentence(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.boot("image") == 1
    assert machine.failed.startswith(
        "the image has no Docker: let cluster.provider.digitalocean.docker be distribution"
    )
    assert not (machine.home / "ready").exists()


def test_docker_that_never_answers_is_a_sentence_with_what_it_said(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.plays("docker", says="Cannot connect to the Docker daemon", then="exit 1")
    assert machine.boot("image") == 1
    assert machine.failed.splitlines() == [
        "Docker is installed on this image and does not answer: docker version fails",
        "Cannot connect to the Docker daemon",
    ]


def test_a_switch_that_does_not_start_ends_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.plays("systemctl", then="exit 1")
    assert machine.boot("distribution") == 1
    assert machine.failed.startswith("the switch that ends this machine's rental cannot be started")


def test_a_rule_that_is_not_there_ends_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "docker")
    machine.plays("iptables")
    assert machine.boot("distribution") == 1
    assert machine.failed.startswith("the metadata service is not closed to containers: the rule is missing")


def test_locks_that_others_hold_are_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.plays("apt-get", says="Could not get lock /var/lib/dpkg/lock-frontend", then="exit 100")
    assert machine.boot("distribution") == 1
    assert len([call for call in machine.did if call.startswith("apt-get")]) == 6
    assert machine.failed.splitlines() == [
        "the lists of packages cannot be fetched: apt-get update fails",
        "Could not get lock /var/lib/dpkg/lock-frontend",
    ]


DOCKERS = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
OTHERS = "0000000000000000000000000000000000000000"


@pytest.mark.parametrize("found", [[OTHERS], [DOCKERS, OTHERS], []])
def test_packages_that_another_key_signs_are_not_installed(tmp_path: Path, found: list[str]) -> None:
    machine = Machine(tmp_path)
    machine.plays("gpg", says="\n".join(f"pub:-:4096:1:0:0:::\nfpr:::::::::{key}:" for key in found))
    assert machine.boot("docker") == 1
    assert "is not Docker's key" in machine.failed
    assert not [call for call in machine.did if "docker-ce" in call]


def test_dockers_own_packages_are_installed_with_dockers_own_key(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.plays(
        "gpg", says=f"pub:-:4096:1:0:0:::\nfpr:::::::::{DOCKERS}:\nsub:-:4096:1\nfpr:::::::::{OTHERS}:"
    )
    assert machine.boot("docker") == 0
    source = (tmp_path / "apt" / "sources.list.d" / "docker.list").read_text()
    assert source.endswith("https://download.docker.com/linux/ubuntu noble stable\n")
    assert [call for call in machine.did if call.startswith("apt-get") and "docker-ce-cli" in call]
