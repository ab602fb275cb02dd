"""What a study's things are called in an account, and by which tags they are found there.

Machines have their names from compile/fleet.py; whose a thing is by its name, estate.py tells.
"""

from __future__ import annotations

from ...compile.fleet import Role

SHARED_TAG = "cloudburst"
"""On the machines of every study."""
HOST_TAG = "cb-host:"
"""Followed by the sha256, in hex, of a host key that is good."""


def study_tag(study: str) -> str:
    return f"cloudburst:{study}"


def role_tag(study: str, role: Role) -> str:
    return f"cloudburst:{study}:{role}"


def study_tags(study: str) -> tuple[str, ...]:
    """Those that all machines share, the study's, and those of its roles."""
    return (SHARED_TAG, study_tag(study), role_tag(study, "manager"), role_tag(study, "worker"))


def own_name(study: str) -> str:
    """Of its key and its firewall."""
    return f"cb-{study}"


def vpc_name(study: str, region: str) -> str:
    return f"cb-{study}-{region}"
