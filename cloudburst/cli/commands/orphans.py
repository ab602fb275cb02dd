"""`cloudburst orphans`: what any study left in the account; no file is needed, and nothing on this machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ..arguments import json_option, pass_screen, yes_option
from ..views.screen import Screen

if TYPE_CHECKING:
    from ...run.digitalocean.estate import Estate, Leftovers

SOMETHING_LEFT = 1


@click.command()
@click.argument("studies", nargs=-1, metavar="[STUDY]...")
@click.option("--remove", is_flag=True, help="Give all of it back, machines that compute included.")
@click.option("--snapshots", is_flag=True, help="With --remove: snapshots of the studies' machines too.")
@yes_option
@json_option
@pass_screen
def command(screen: Screen, studies: tuple[str, ...], remove: bool, snapshots: bool, yes: bool) -> int:
    """Find what any study has in the DigitalOcean account: machines, keys, firewalls, networks, tags.

    Everything of ours is found by its name and tags, so that nothing on this machine is needed. A study that
    computes right now is among it: say which STUDY to see or remove only that one. Exit code 1 while anything
    is left there.
    """
    from ...run.digitalocean.estate import find_orphans
    from ..views import orphans as view

    if snapshots and not remove:
        raise UsageError("--snapshots says what --remove removes", "give --remove too")
    found = _named(find_orphans(on_wait=screen.note), studies)
    document = view.document(found, None, time.time())
    shown = [*view.lines(document, width=screen.width, paint=screen.paint)]
    if not (remove and found):
        screen.document(document)
        for line in shown:
            screen.say(line)
        if found:
            screen.note("\nnext: `cloudburst orphans --remove` gives it back")
        return SOMETHING_LEFT if found else 0
    if not yes:
        for line in shown:
            screen.note(line)
        if not _agreed(screen):
            screen.note("nothing was removed")
            return SOMETHING_LEFT
    removed = _removed(screen, found, snapshots=snapshots)
    document = view.document(found, removed, time.time())
    screen.document(document)
    for line in view.removed_lines(document["removed"], screen.paint):
        screen.say(line)
    return SOMETHING_LEFT if any(removed) else 0


def _named(found: tuple[Estate, ...], studies: tuple[str, ...]) -> tuple[Estate, ...]:
    """Only those that were asked for; one that has nothing there is no mistake."""
    return tuple(estate for estate in found if not studies or estate.study in studies)


def _removed(screen: Screen, found: tuple[Estate, ...], *, snapshots: bool) -> tuple[Leftovers, ...]:
    from ...run.digitalocean.estate import remove_orphans
    from ..views.telling import telling

    if screen.as_json:  # the answer is one document
        return remove_orphans(found, on_event=lambda _event: None, snapshots=snapshots)
    with telling(screen) as teller:
        return remove_orphans(found, on_event=teller.tell, snapshots=snapshots, on_wait=teller.say)


def _agreed(screen: Screen) -> bool:
    if screen.as_json or not screen.can_ask:
        raise UsageError("orphans asks before it removes anything, and there is nobody to ask", "give --yes")
    return screen.ask("Remove all of that, whatever still computes there?")
