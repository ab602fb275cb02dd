"""How awkward the imitation is, and how much it lets pass: knobs, counted in looks and not in seconds.

A look is a request that would show the object: the first page of a list it belongs to, or the object by its id. So a
test that waits for nothing sees the same as one on a slow machine.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Manners:
    """Each number is how many looks pass before something is as it should be; 0: at once.

    `listed_after`: a new droplet in the list of all, and by name. `tagged_after`: in the list of one of its tags.
    `found_after`: by its id. `boots_after`: it is `active`. `addresses_after`: it has addresses.
    `deletes_after`: a deleted droplet is listed no more. `tags_forget_after`: the list of its tag still has it
    for so many looks after it is gone (and by its id it is not found). `acts_after`: an action is completed.
    `firewall_settles_after`: a firewall is `succeeded`. `vpc_lingers`: so many attempts to delete a VPC
    are refused after its last droplet has gone.

    `new_refuses_delete`: deleting a `new` droplet is refused (422, a pending event); by tag it is passed over.
    `deletes_again`: the status for deleting a droplet that is being deleted. `vpc_refuses`: the status for deleting a
    VPC that has members. `stale_delete_by_tag`: deleting by tag sees what the list of that tag shows, no more.
    `largest_page`: no page has more objects, whatever is asked for (the description allows up to 200).
    """

    listed_after: int = 1
    tagged_after: int = 1
    found_after: int = 0
    boots_after: int = 2
    addresses_after: int = 2
    deletes_after: int = 1
    tags_forget_after: int = 1
    acts_after: int = 1
    firewall_settles_after: int = 1
    vpc_lingers: int = 1
    new_refuses_delete: bool = False
    deletes_again: int = 204
    vpc_refuses: int = 403
    stale_delete_by_tag: bool = False
    largest_page: int = 200


MILD = Manners()
"""A good day."""

HARSH = Manners(
    listed_after=2,
    tagged_after=3,
    found_after=1,
    boots_after=3,
    addresses_after=5,
    deletes_after=3,
    tags_forget_after=3,
    acts_after=3,
    firewall_settles_after=3,
    vpc_lingers=3,
    new_refuses_delete=True,
    deletes_again=422,
    vpc_refuses=409,
    stale_delete_by_tag=True,
    largest_page=2,
)
"""A bad one: everything late, pages of two. Still all of it within what the description allows."""

PROMPT = Manners(
    listed_after=0,
    tagged_after=0,
    boots_after=0,
    addresses_after=0,
    deletes_after=0,
    tags_forget_after=0,
    acts_after=0,
    firewall_settles_after=0,
    vpc_lingers=0,
)
"""No waiting at all: for tests that are about something else."""


@dataclass(frozen=True)
class Limits:
    """Requests a token may make; `keys` is for the list of account keys."""

    minute: int = 250
    hour: int = 5000
    keys_minute: int = 10


UNLIMITED = Limits(minute=10**9, hour=10**9, keys_minute=10**9)
