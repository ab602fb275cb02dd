"""Private networks."""

from __future__ import annotations

import ipaddress
import re

from .. import forms
from ..answers import NO_CONTENT, Answer, Call, conflict, forbidden, not_found, unprocessable
from ..nouns import Vpc
from ..routes import endpoint

VPCS = "/v2/vpcs"
VPC = "/v2/vpcs/{vpc_id}"
NAME = re.compile(r"[a-zA-Z0-9\-.]+")
PRIVATE = tuple(ipaddress.IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


@endpoint("GET", VPCS)
def list_vpcs(call: Call) -> Answer:
    return call.listed("vpcs", [forms.vpc(one) for one in call.account.vpcs.values()])


@endpoint("GET", VPC)
def show_vpc(call: Call) -> Answer:
    return Answer(200, {"vpc": forms.vpc(_vpc(call))})


@endpoint("POST", VPCS)
def create_vpc(call: Call) -> Answer:
    """The first one of a region becomes its default, and can then never be removed."""
    state, name, region = call.account, _name(call), call.text("region")
    if region not in state.regions:
        raise unprocessable("region is invalid")
    if any(one.name == name for one in state.vpcs.values()):
        raise unprocessable("name has already been taken")
    default = all(one.region != region for one in state.vpcs.values())
    vpc = state.add_vpc(name, region, _ip_range(call, region), _description(call), default=default)
    return Answer(201, {"vpc": forms.vpc(vpc)})


@endpoint("PUT", VPC)
def update_vpc(call: Call) -> Answer:
    vpc = _vpc(call)
    vpc.name, vpc.description = _name(call), _description(call)
    return _updated(call, vpc)


@endpoint("PATCH", VPC)
def patch_vpc(call: Call) -> Answer:
    vpc = _vpc(call)
    if "name" in call.body:
        vpc.name = _name(call)
    if "description" in call.body:
        vpc.description = _description(call)
    return _updated(call, vpc)


def _updated(call: Call, vpc: Vpc) -> Answer:
    if call.body.get("default") is True:
        for other in call.account.vpcs.values():
            other.default = other is vpc or (other.default and other.region != vpc.region)
    return Answer(200, {"vpc": forms.vpc(vpc)})


@endpoint("DELETE", VPC)
def remove_vpc(call: Call) -> Answer:
    vpc = _vpc(call)
    if vpc.default:
        raise forbidden("Can not delete default VPCs")
    if call.account.members(vpc):
        raise _refused(call)
    if vpc.lingering > 0:
        vpc.lingering -= 1
        raise _refused(call)
    del call.account.vpcs[vpc.id]
    return NO_CONTENT


def _refused(call: Call) -> Exception:
    sentence = "Can not delete VPC with members"
    return conflict(sentence) if call.account.manners.vpc_refuses == 409 else forbidden(sentence)


@endpoint("GET", VPC + "/members")
def list_members(call: Call) -> Answer:
    members = call.account.members(_vpc(call))
    if call.query.get("resource_type", "droplet") != "droplet":
        members = []
    return call.listed("members", [forms.member(one) for one in members])


def _vpc(call: Call) -> Vpc:
    found = call.account.vpcs.get(call.place["vpc_id"])
    if found is None:
        raise not_found()
    return found


def _name(call: Call) -> str:
    if not NAME.fullmatch(call.text("name")):
        raise unprocessable("name may only contain alphanumeric characters, dashes, and periods")
    return call.text("name")


def _description(call: Call) -> str:
    said = call.body.get("description", "")
    if not isinstance(said, str) or len(said) > 255:
        raise unprocessable("description may have at most 255 characters")
    return said


def _ip_range(call: Call, region: str) -> str:
    """What is asked for, if nobody has it; what the backend has, whatever is asked for."""
    said, given = call.body.get("ip_range"), call.account.backend.ip_range(region)
    if said is None or given is not None:
        return call.account.free_range(region)
    try:
        network = ipaddress.IPv4Network(said)
    except ValueError as error:
        raise unprocessable("ip_range is invalid") from error
    if not 16 <= network.prefixlen <= 28 or not any(network.subnet_of(one) for one in PRIVATE):
        raise unprocessable("ip_range must be a private network between /28 and /16")
    if call.account.overlapping(network):
        raise unprocessable("This range/size overlaps with another VPC network in your account")
    return str(network)
