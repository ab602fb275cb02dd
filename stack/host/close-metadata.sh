#!/bin/sh
# The metadata service tells whoever asks what this machine was told at its first boot. Packets of containers
# to it are dropped in the raw table, which Docker does not rewrite; what the machine itself sends never comes
# by here. Again and again the same rule is one rule.
set -u
closed="PREROUTING -d 169.254.169.254/32 -j DROP"
# shellcheck disable=SC2086 # words on purpose
iptables -w -t raw -C $closed 2>/dev/null || iptables -w -t raw -I $closed
