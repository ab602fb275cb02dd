"""Whether containers of a machine reach the metadata service, told without asking it."""

from __future__ import annotations

METADATA_CHECK = ("iptables", "-w", "-t", "raw", "-S", "PREROUTING")
"""What a machine is asked."""


def closes_metadata(said: str) -> bool:
    """Whether METADATA_CHECK's output has the rule, and none before it that lets packets by."""
    for rule in said.splitlines():
        if rule.split() == ["-A", "PREROUTING", "-d", "169.254.169.254/32", "-j", "DROP"]:
            return True
        if rule.endswith(("-j ACCEPT", "-j RETURN")):
            return False
    return False
