"""How a machine is recognised: by a key it was given before it was made, or by what its tags say.

The first key is made here, travels with the machine's first instructions and so is known before the first
connection; anybody on the machine could read it there, so it is replaced over that connection. The
fingerprint of every key that is good stands in a tag (`cb-host:<sha256>`), which only who has the account
can set: that is how another machine recognises it. Nothing is ever believed on first sight.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ...compile.fleet import Machine
from ...errors import ProviderError
from ..contexts import SshDocker
from .keys import PublicKey, Ring, make_key, public_half, read_public_key, shown_fingerprint
from .names import HOST_TAG

SCAN_WITHIN = 5
"""Seconds ssh-keyscan waits for an answer."""


@dataclass(frozen=True)
class Planted:
    """A host key for machines that are about to be made."""

    private: str
    public: PublicKey

    @property
    def tag(self) -> str:
        return host_tag(self.public)


def host_tag(key: PublicKey) -> str:
    return f"{HOST_TAG}{key.sha256}"


def good_fingerprints(tags: Iterable[str]) -> frozenset[str]:
    """sha256, in hex, of the host keys that tags name."""
    return frozenset(tag.removeprefix(HOST_TAG) for tag in tags if tag.startswith(HOST_TAG))


class HostKeys:
    """What this machine knows of the study's machines: one file each, as ssh reads it."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring

    @property
    def _known(self) -> Path:
        return self._ring.directory / "known"

    # ── before a machine is made ─────────────────────────────────────────────────────────────
    def plant(self) -> Planted:
        """A new key; its private half is kept nowhere but in the machine's first instructions."""
        self._ring.open()
        place = self._ring.directory / "planted"
        public = make_key(place)
        private = place.read_text("ascii")
        place.unlink()
        with open(self._ring.directory / "planted.list", "a", encoding="utf-8") as file:
            file.write(f"{public}\n")
        public_half(place).unlink()
        return Planted(private, public)

    def planted(self) -> tuple[PublicKey, ...]:
        """The public halves of all that were planted from this machine."""
        return _read_keys(self._ring.directory / "planted.list")

    def planted_tags(self) -> tuple[str, ...]:
        return tuple(host_tag(key) for key in self.planted())

    def forget_planted(self) -> None:
        """Every machine has a key of its own by now."""
        (self._ring.directory / "planted.list").unlink(missing_ok=True)

    # ── what is known ────────────────────────────────────────────────────────────────────────
    def of(self, machine: Machine) -> tuple[PublicKey, ...]:
        """The keys this machine takes for that one's own. Those whose tag is gone are none any more: another
        machine has replaced them."""
        good = good_fingerprints(machine.tags)
        known = (*_read_keys(self._file(machine), after=1), *self.planted())
        return tuple({str(key): key for key in known if key.sha256 in good}.values())

    def believe(self, machine: Machine, keys: Iterable[PublicKey]) -> None:
        """From now on these, and no others."""
        self._ring.open()
        self._known.mkdir(mode=0o700, exist_ok=True)
        file = self._file(machine)
        _write(file, "".join(f"{alias(machine)} {key}\n" for key in keys))
        self._describe(machine)

    def doubt(self, machine: Machine) -> None:
        """Somebody with another key answers: what is known of the machine is looked up anew."""
        self._file(machine).unlink(missing_ok=True)

    def let_in(self, machine: Machine) -> None:
        """That machine takes the deployment's key of this one."""
        self._mark(machine).touch()
        self._describe(machine)

    def takes_our_key(self, machine: Machine) -> bool:
        return self._ring.has_key() and self._mark(machine).exists()

    def give_up(self, machine: Machine) -> None:
        """It came up and will not do."""
        self._ring.open()
        self._known.mkdir(mode=0o700, exist_ok=True)
        self._broken(machine).touch()

    def given_up(self, standing: Iterable[Machine]) -> tuple[Machine, ...]:
        """Those machines, where the ones that were given up count as archived: others take their places."""
        return tuple(
            replace(one, status="archive") if self._broken(one).exists() else one for one in standing
        )

    def forget(self, machine: Machine) -> None:
        own = (self._file(machine), self._mark(machine), self._broken(machine), self._config(machine))
        for file in own:
            file.unlink(missing_ok=True)

    def _file(self, machine: Machine) -> Path:
        return self._known / alias(machine)

    def _mark(self, machine: Machine) -> Path:
        return self._known / f"{alias(machine)}.takes-our-key"

    def _broken(self, machine: Machine) -> Path:
        return self._known / f"{alias(machine)}.broken"

    def _config(self, machine: Machine) -> Path:
        return self._known / f"{alias(machine)}.ssh"

    # ── the way in ───────────────────────────────────────────────────────────────────────────
    def way_to(self, machine: Machine, *, port: int | None = None) -> SshDocker:
        """By ssh as root, believing no other key than those that are known; the machine must have an address."""
        return SshDocker(
            host=machine.public or "",
            user="root",
            port=port,
            options=self._options(machine),
            name=machine.name,
            number=machine.id,
            config=config if (config := self._config(machine)).exists() else None,
        )

    def _describe(self, machine: Machine) -> None:
        """For people, who would not type all the options: what ssh has to know of the machine, in a file."""
        said = (f"HostName={machine.public}", "User=root", *self._options(machine))
        theirs = ("Include ~/.ssh/config", "Include /etc/ssh/ssh_config")
        lines = (f"Host {machine.name}", *said, "Host *", *theirs)
        _write(self._config(machine), "".join(f"{line}\n" for line in lines))

    def _options(self, machine: Machine) -> tuple[str, ...]:
        known = (
            f"HostKeyAlias={alias(machine)}",
            f"UserKnownHostsFile={_quoted(self._file(machine))}",
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=yes",
            "HostKeyAlgorithms=ssh-ed25519",
            "CheckHostIP=no",
            "UpdateHostKeys=no",
            "VerifyHostKeyDNS=no",
        )
        if not self._ring.has_key():
            return known
        own = f"IdentityFile={_quoted(self._ring.key)}"
        # A machine that has the deployment's key needs no other; an agent with many could use up its patience.
        return (*known, own, "IdentitiesOnly=yes") if self.takes_our_key(machine) else (*known, own)


def alias(machine: Machine) -> str:
    """What ssh knows it by: addresses are given to others later, and names as well."""
    return f"{machine.name}-{machine.id}"


def _write(file: Path, text: str) -> None:
    """There as a whole or not at all."""
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text, "utf-8")
    draft.replace(file)


def _quoted(path: Path) -> str:
    """As a value of ssh's options: `%` stands for something there, and a blank parts two files."""
    return f'"{str(path).replace("%", "%%")}"'


def _read_keys(file: Path, *, after: int = 0) -> tuple[PublicKey, ...]:
    """The key of each line, after so many words."""
    try:
        lines = file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    rests = (" ".join(line.split()[after:]) for line in lines)
    return tuple(key for rest in rests if (key := read_public_key(rest)) is not None)


# ── a machine that is not known here ─────────────────────────────────────────────────────────
def shown_by(address: str, *, port: int = 22) -> tuple[PublicKey, ...]:
    """The ed25519 keys that whoever answers there shows. Nothing when nobody does; whoever it is, it is
    not believed for that."""
    command = ["ssh-keyscan", "-T", str(SCAN_WITHIN), "-t", "ed25519", "-p", str(port), "--", address]
    try:
        asked = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=3 * SCAN_WITHIN, check=False
        )
    except FileNotFoundError:
        raise ProviderError(
            "there is no ssh-keyscan program here",
            "install OpenSSH's client (Debian: apt install openssh-client)",
        ) from None
    except subprocess.TimeoutExpired:
        return ()
    lines = asked.stdout.decode("utf-8", "replace").splitlines()
    keys = (read_public_key(line.partition(" ")[2]) for line in lines if not line.startswith("#"))
    return tuple(key for key in keys if key is not None)


def recognised(machine: Machine, shown: Collection[PublicKey]) -> tuple[PublicKey, ...]:
    """Those of the shown keys that the machine's tags name. Raises ProviderError when there are others only."""
    good = good_fingerprints(machine.tags)
    found = tuple(key for key in shown if key.sha256 in good)
    if found or not shown:
        return found
    raise stranger(machine, shown)


def stranger(machine: Machine, shown: Collection[PublicKey]) -> ProviderError:
    seen = " and ".join(key.shown for key in shown)
    good = sorted(shown_fingerprint(one) for one in good_fingerprints(machine.tags) if len(one) == 64)
    own = f"only {' or '.join(good)} is its own" if good else "none is known to be its own"
    return ProviderError(
        f"{machine.name} (id {machine.id}) at {machine.public} shows the host key {seen}, and {own}: nothing was sent there",
        "somebody may stand between you and it, or its key was changed by hand; look at it in DigitalOcean's "
        "console (its own is in /etc/ssh/ssh_host_ed25519_key.pub), or `cloudburst destroy --discard` gives it back",
    )
