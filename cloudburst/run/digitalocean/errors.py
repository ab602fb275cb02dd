"""What DigitalOcean refuses, in sentences with a way out; and what stays open when an answer is lost.

ProviderError
 ├─ ApiRefused       the API said no: nothing was done
 └─ Unreachable      no answer that counts: the API may be fine, trying again may help
     └─ Ambiguous    … to a request that changes something and must not be said twice
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import ProviderError, Unreachable

TOKENS = "https://cloud.digitalocean.com/account/api/tokens"
STATUS = "https://status.digitalocean.com"
AGAIN = "the same command again goes on where this one stopped"


class ApiRefused(ProviderError):
    """`status` is HTTP's, `id` and `said` are the API's own words; `retry_after` in seconds when it names them.
    `lasting`: the token or the account may not, however often it is asked."""

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        status: int,
        id: str = "",
        said: str = "",
        retry_after: float | None = None,
        lasting: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.status = status
        self.id = id
        self.said = said
        self.retry_after = retry_after
        self.lasting = lasting


class Ambiguous(Unreachable):
    """The request left, and no answer came back that says whether it was done. Look before asking again."""


@dataclass(frozen=True)
class Act:
    """What a request is for, in words that fit after "may not" and "refused to"; the scope it needs."""

    method: str
    path: re.Pattern[str]
    words: str
    scope: str


def _act(method: str, path: str, words: str, scope: str) -> Act:
    return Act(method, re.compile(path.replace("{}", "[^/]+")), words, scope)


ACTS = (
    _act("GET", "account", "read the account", "account:read"),
    _act("GET", "account/keys(/{})?", "read the account's ssh keys", "ssh_key:read"),
    _act("POST", "account/keys", "add an ssh key", "ssh_key:create"),
    _act("DELETE", "account/keys/{}", "remove an ssh key", "ssh_key:delete"),
    _act("GET", "regions", "read the regions", "regions:read"),
    _act("GET", "sizes", "read sizes and prices", "sizes:read"),
    _act("GET", "images(/.+)?", "read images", "image:read"),
    _act("DELETE", "images/{}", "remove a snapshot", "image:delete"),
    _act("GET", "droplets(/.+)?", "read droplets", "droplet:read"),
    _act("POST", "droplets", "create droplets", "droplet:create"),
    _act("DELETE", "droplets(/{})?", "remove droplets", "droplet:delete"),
    _act("POST", "droplets/{}/actions", "switch, resize or copy a droplet", "droplet:update"),
    _act("GET", "actions/{}", "read what is being done to a droplet", "actions:read"),
    _act("GET", "firewalls(/{})?", "read firewalls", "firewall:read"),
    _act("POST", "firewalls", "create a firewall", "firewall:create"),
    _act("POST", "firewalls/{}/rules", "add a rule to the firewall", "firewall:update"),
    _act("PUT", "firewalls/{}", "change the firewall", "firewall:update"),
    _act("DELETE", "firewalls/{}", "remove the firewall", "firewall:delete"),
    _act("GET", "vpcs(/.+)?", "read VPCs", "vpc:read"),
    _act("POST", "vpcs", "create a VPC", "vpc:create"),
    _act("DELETE", "vpcs/{}", "remove the VPC", "vpc:delete"),
    _act("GET", "tags", "read tags", "tag:read"),
    _act("POST", "tags", "create a tag", "tag:create"),
    _act("POST", "tags/{}/resources", "tag a droplet", "tag:create"),
    _act("DELETE", "tags/{}/resources", "take a tag off a droplet", "tag:delete"),
    _act("DELETE", "tags/{}", "remove a tag", "tag:delete"),
)
"""Every request that run/digitalocean makes. Scopes are those of the official description."""

_SCOPE = re.compile(
    r"\b(?:account|actions|droplet|firewall|image|regions|sizes|ssh_key|tag|vpc):(?:create|read|update|delete)\b"
)

_ABOUT_RIGHTS = re.compile(r"authori[sz]ed|permission|scope|forbidden|lock|:delete", re.IGNORECASE)


def act_of(method: str, path: str) -> Act:
    for act in ACTS:
        if act.method == method and act.path.fullmatch(path):
            return act
    return Act(method, re.compile(""), f"{method} /v2/{path}", "")


def refusal(
    act: Act, status: int, said: tuple[str, str], origin: str, *, retry_after: float | None = None
) -> ApiRefused:
    """The API's no as a sentence. `said` is its id and its words; `origin` is where the token comes from, the
    name of a variable."""
    code, words = said
    if status == 403 and act.scope == "vpc:delete" and not _ABOUT_RIGHTS.search(words):
        status_meant = (
            409  # the description: 403 as well for a VPC that has members, or is a region's default
        )
    else:
        status_meant = status
    message, hint = _sentence(act, status_meant, words, origin)
    lasting = status_meant in (401, 403)
    return ApiRefused(
        message, hint, status=status, id=code, said=words, retry_after=retry_after, lasting=lasting
    )


def _sentence(act: Act, status: int, said: str, origin: str) -> tuple[str, str]:
    words = f": {said}" if said else ""
    if status in (401, 403) and "lock" in said.lower():
        return (
            f"DigitalOcean has locked the account{words}",
            f"sign in at https://cloud.digitalocean.com, it says why there; what stands is billed meanwhile. {AGAIN}",
        )
    if status == 401:
        return (
            f"DigitalOcean does not take the token in {origin}{words}",
            f"make one at {TOKENS} (docs/digitalocean.md has the scopes it needs) and put it into {origin}",
        )
    if status == 403:
        scopes = ", ".join(dict.fromkeys(_SCOPE.findall(said))) or act.scope
        return (
            f"the token in {origin} may not {act.words}{words}",
            f"it needs the scope {scopes}: change it at {TOKENS}"
            if scopes
            else f"see its scopes at {TOKENS}",
        )
    if status == 429:
        return (
            f"DigitalOcean takes no more requests for now, and so did not {act.words}{words}",
            "it allows 250 a minute and 5,000 an hour for all programs that use this account; wait, then again",
        )
    if status == 422 and "limit" in said.lower():
        return (
            f"DigitalOcean refused to {act.words}{words}",
            "remove machines that nobody needs (`cloudburst orphans` finds those of forgotten studies), or ask "
            "DigitalOcean for a higher limit at https://cloud.digitalocean.com/account",
        )
    if 300 <= status < 400:
        return (
            f"instead of an answer from DigitalOcean there is a redirection ({status}), which is not followed",
            "something between here and there answers for it: a proxy or a sign-in page of this network? "
            "DIGITALOCEAN_END_POINT, if it is set, ends in /v2/",
        )
    if status == 404:
        return f"DigitalOcean could not {act.words}: there is none by that name{words}", AGAIN
    if status in (409, 412, 423):
        return f"DigitalOcean cannot {act.words} now{words}", AGAIN
    return f"DigitalOcean refused to {act.words}{words or f' ({status})'}", ""
