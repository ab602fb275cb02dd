"""From an address to a machine that may join: recognised, let in, ready, with a host key nobody else has seen.

Every step can be done again, by this machine or another, whatever the one before it was interrupted in.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...compile.first_boot import FAILED_PATH, READY_PATH
from ...compile.fleet import Machine
from ...compile.switch import HOME
from ...errors import ProviderError, Unreachable
from ..contexts import SshDocker
from ..link import Link, make_link
from ..places import Places, socket_directory
from .account import SETTLE, Account
from .host_keys import HostKeys, good_fingerprints, host_tag, recognised, shown_by, stranger
from .keys import PublicKey, Ring, read_public_key
from .names import HOST_TAG

KEY_IS_OWN = f"{HOME}/host-key"
"""Holds the host key once the planted one is replaced. A snapshot of a machine has another machine's."""
ASKED_WITHIN = 60.0
"""Seconds for one short command."""
ANSWER_WITHIN = 15.0
"""Seconds a machine has to answer one attempt to connect."""

OpenLink = Callable[[SshDocker, Path], Link]
Say = Callable[[str], None]

_STAGE = f"""
if [ -s {READY_PATH} ]; then echo ready
elif [ -s {FAILED_PATH} ]; then echo failed; cat {FAILED_PATH}
else echo waiting; fi
"""

_NEW_KEY = f"""
set -eu; umask 077; cd /etc/ssh
shown=$(cat ssh_host_ed25519_key.pub)
if [ "$(cat {KEY_IS_OWN} 2>/dev/null)" = "$shown" ]; then echo own; echo "$shown"; exit; fi
if [ ! -s cloudburst_new_key.pub ]; then
  rm -f cloudburst_new_key cloudburst_new_key.pub
  ssh-keygen -q -t ed25519 -N '' -C cloudburst -f cloudburst_new_key
fi
echo new; cat cloudburst_new_key.pub
"""
"""A half that is there without the other is made anew: the public one is written last and moved first."""

_SWITCH_KEY = """
set -eu; cd /etc/ssh
if [ -e cloudburst_new_key.pub ]; then
  mv cloudburst_new_key.pub ssh_host_ed25519_key.pub
  mv cloudburst_new_key ssh_host_ed25519_key
  chmod 644 ssh_host_ed25519_key.pub
fi
systemctl reload ssh 2>/dev/null || systemctl reload sshd 2>/dev/null || kill -HUP "$(cat /run/sshd.pid)"
"""

_REMEMBER = f"cp /etc/ssh/ssh_host_ed25519_key.pub {KEY_IS_OWN}"

_WRITE = 'set -eu; umask 077; mkdir -p "${1%/*}"; cat > "$1.new"; mv "$1.new" "$1"'

_AUTHORIZE = """
set -eu; umask 077; mkdir -p ~/.ssh; file=~/.ssh/authorized_keys; touch "$file"
[ -z "$(tail -c 1 "$file")" ] || echo >> "$file"
while read -r key; do grep -qF "$key" "$file" || printf '%s\\n' "$key" >> "$file"; done
"""


@dataclass(frozen=True)
class Patience:
    """Seconds, each for one wait; `look_every` between two looks. First boots install Docker: minutes."""

    active: float = 600.0
    answer: float = 300.0
    ready: float = 900.0
    gone: float = 300.0
    action: float = 300.0
    settle: float = SETTLE
    look_every: float = 2.0


def open_link(docker: SshDocker, directory: Path) -> Link:
    return make_link(docker, directory, patience=ANSWER_WITHIN)


class Approach:
    """The way to the machines of one study. Safe to use from several threads, one for each machine."""

    def __init__(
        self,
        account: Account,
        places: Places,
        *,
        patience: Patience | None = None,
        open_link: OpenLink = open_link,
        ended: threading.Event | None = None,
    ) -> None:
        """`ended` is set when the user does not want to wait any more: then every wait raises KeyboardInterrupt."""
        self._account = account
        self._places = places
        self._patience = patience or Patience()
        self._open_link = open_link
        self._ended = ended or threading.Event()
        self.ring = Ring(places)
        self.keys = HostKeys(self.ring)

    def recognise(self, machine: Machine) -> None:
        """From now on ssh knows it. Raises Unreachable when nobody answers there, and ProviderError when it is
        somebody else who does."""
        try:
            self.keys.believe(machine, self.keys.of(machine) or self._shown(machine))
        except _OtherFace:
            try:
                self.keys.believe(machine, self._shown(self._looked_at_again(machine)))
            except _OtherFace as error:
                raise error.refusal from None

    # ── in ───────────────────────────────────────────────────────────────────────────────────
    @contextlib.contextmanager
    def entered(
        self, machine: Machine, say: Say = lambda _text: None, *, patient: bool = True
    ) -> Iterator[Link]:
        """An open connection as root, good inside the `with`.

        A `patient` one waits for a machine that is only just starting. Raises Unreachable when nobody
        answers, and ProviderError when somebody does who is not that machine, or does not let us in.
        """
        with socket_directory(self._places.root) as directory:
            link = self._connected(machine, directory, say, self._patience.answer if patient else 0.0)
            try:
                yield link
            finally:
                link.close()

    def _connected(self, machine: Machine, directory: Path, say: Say, seconds: float) -> Link:
        """A machine shows its last face late: sshd answers before root's keys are in their place."""
        deadline = time.monotonic() + seconds
        looked_again = False
        while True:
            try:
                return self._try(machine, directory)
            except Unreachable as error:
                trouble: ProviderError = error
                say("waiting for ssh")
            except _OtherFace as error:
                if looked_again:
                    raise error.refusal from None
                looked_again, trouble = True, error.refusal
                machine = self._looked_at_again(machine)
                continue
            except ProviderError as error:
                if not self.is_fresh(machine):
                    raise
                trouble = error
                say("waiting to be let in")
            if time.monotonic() >= deadline:
                raise trouble
            self._wait()

    def _try(self, machine: Machine, directory: Path) -> Link:
        keys = self.keys.of(machine) or self._shown(machine)
        self.keys.believe(machine, keys)
        link = self._open_link(self.keys.way_to(machine), directory)
        try:
            link.open()
        except Unreachable:
            raise
        except ProviderError:
            link.close()
            shown = shown_by(machine.public or "")
            if not shown or {str(key) for key in shown} & {str(key) for key in keys}:
                raise
            self.keys.doubt(machine)
            raise _OtherFace(stranger(machine, shown)) from None
        return link

    def _shown(self, machine: Machine) -> tuple[PublicKey, ...]:
        """Keys of a machine that is not known here, vouched for by its tags."""
        shown = shown_by(machine.public or "")
        if not shown:
            raise Unreachable(
                f"{machine.name} (id {machine.id}) at {machine.public} does not answer on ssh",
                f"is it running, and does its firewall let you in? {console(machine)} shows its screen",
            )
        try:
            return recognised(machine, shown)
        except ProviderError as error:
            raise _OtherFace(error) from None

    def _looked_at_again(self, machine: Machine) -> Machine:
        """Another machine may have replaced the key meanwhile, and lists by tag lag behind."""
        found = self._account.droplet(machine.id)
        return replace(machine, tags=found.tags) if found is not None else machine

    def is_fresh(self, machine: Machine) -> bool:
        """Made from this machine, and never entered to the end: it has no key but a planted one."""
        planted = {key.sha256 for key in self.keys.planted()}
        return bool(planted) and good_fingerprints(machine.tags) <= planted

    # ── ready ────────────────────────────────────────────────────────────────────────────────
    def await_ready(self, machine: Machine, link: Link, say: Say) -> None:
        """Until its first boot has come to an end. Raises ProviderError when that was a bad one, or takes too long."""
        deadline = time.monotonic() + self._patience.ready
        while True:
            stage, _, sentence = ask(link, _STAGE).partition("\n")
            if stage == "ready":
                return
            if stage == "failed":
                raise NeverReady(
                    f"{machine.name} (id {machine.id}) could not set itself up: {sentence.strip()}",
                    f"`{self.keys.way_to(machine).shell_words} cat /var/log/cloud-init-output.log` says more",
                )
            if time.monotonic() >= deadline:
                raise NeverReady(
                    f"{machine.name} (id {machine.id}) is not ready after {self._patience.ready / 60:.0f} minutes",
                    f"`{self.keys.way_to(machine).shell_words} cat /var/log/cloud-init-output.log` says what it does",
                )
            say("installing")
            self._wait()

    # ── its own host key ─────────────────────────────────────────────────────────────────────
    def replace_host_key(self, machine: Machine, link: Link) -> None:
        """The planted key goes: anybody on the machine could have read it.

        The new one is made there and leaves it never; its fingerprint is a tag before sshd shows it.
        """
        machine = self._looked_at_again(machine)
        stage, _, line = ask(link, _NEW_KEY).partition("\n")
        key = read_public_key(line)
        if key is None:
            raise ProviderError(f"{machine.name} made no host key of its own: {line.strip() or stage}")
        if host_tag(key) not in machine.tags:
            self._account.create_tag(host_tag(key))
            self._account.tag(host_tag(key), [machine.id])
        if stage == "new":
            self.keys.believe(machine, {*self.keys.of(machine), key})
            ask(link, _SWITCH_KEY)
            self._meet_again(machine, key)
            ask(link, _REMEMBER)
        self.keys.believe(machine, [key])
        for tag in sorted(one for one in machine.tags if one.startswith(HOST_TAG) and one != host_tag(key)):
            self._account.untag(tag, [machine.id])

    def _meet_again(self, machine: Machine, key: PublicKey) -> None:
        """By the new key alone: sshd takes a moment to show it. Raises ProviderError when it never does."""
        before = self.keys.of(machine)
        self.keys.believe(machine, [key])
        deadline = time.monotonic() + ASKED_WITHIN
        while True:
            with socket_directory(self._places.root) as directory:
                link = self._open_link(self.keys.way_to(machine), directory)
                try:
                    link.open()
                    link.close()
                    return
                except ProviderError:
                    if time.monotonic() >= deadline:
                        self.keys.believe(machine, {*before, key})
                        raise
            self._wait()

    def _wait(self) -> None:
        if self._ended.wait(self._patience.look_every):
            raise KeyboardInterrupt


class NeverReady(ProviderError):
    """A machine came up and will not do: another one may."""


class _OtherFace(Exception):
    """Somebody answers who is not the machine, as far as is known now."""

    def __init__(self, refusal: ProviderError) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


# ── commands over there ──────────────────────────────────────────────────────────────────────
def ask(link: Link, script: str, *, stdin: bytes = b"", arguments: tuple[str, ...] = ()) -> str:
    """What a shell script says over there. Raises ProviderError with its last words when it fails."""
    ended = link.run(["sh", "-c", script, "sh", *arguments], stdin=stdin, timeout=ASKED_WITHIN)
    if ended.code != 0:
        words = ended.said.splitlines() or [f"exit code {ended.code}"]
        raise ProviderError(f"a command on {link.where} failed: {words[-1]}")
    return ended.out.decode("utf-8", "replace")


def write(link: Link, path: str, content: bytes) -> None:
    """A file only root may read over there, replaced whole. What it holds is in no list of processes."""
    ask(link, _WRITE, stdin=content, arguments=(path,))


def authorize(link: Link, keys: Sequence[PublicKey]) -> None:
    """These keys open the machine from now on, besides those that did before."""
    ask(link, _AUTHORIZE, stdin="".join(f"{key}\n" for key in keys).encode())


def console(machine: Machine) -> str:
    """Where a browser shows the machine's screen."""
    return f"https://cloud.digitalocean.com/droplets/{machine.id}/console"
