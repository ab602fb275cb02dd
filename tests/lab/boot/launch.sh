#!/bin/bash
# Starts one host; the process that stands for it is noted in its directory, as `pid`.
# DIRECTORY NETNS IMAGE NAME CGROUP_PROCS…
set -eu
here=$(dirname "$(readlink -f "$0")") directory=$1 netns=$2 image=$3 name=$4
shift 4
(
  for procs in "$@"; do echo $BASHPID >"$procs"; done
  exec setsid nsenter --net="/run/netns/$netns" \
    unshare --mount --uts --ipc --cgroup --pid --fork --kill-child --propagation private \
    bash "$here/boot.sh" "$directory" "$image" "$name"
) </dev/null >>"$directory/boot.log" 2>&1 &
holder=$!
echo $holder >"$directory/pid"

# Version 2 of control groups passes controllers on only from a group without processes, and this
# one's must get to the containers: the holder has to be elsewhere once it has entered the group.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  while kill -0 $holder && [ -z "$(cat /proc/$holder/task/$holder/children)" ]; do sleep 0.02; done
  echo $holder >/sys/fs/cgroup/cgroup.procs
fi
