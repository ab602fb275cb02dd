#!/bin/bash
# Process 1 of a host. A rented one, which has a seed, is first told by cloud-init who it is. Then sshd, and
# dockerd kept as its unit file would keep it: started again 2 s after it ended, whatever ended it. While
# /run/hold-docker exists it stays down. The signals PWR and INT switch the host off, or start it anew.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
umask 022
exec </dev/null >>/var/log/lab-init.log 2>&1

boot() {
  ip link set lo up
  mkdir -p /run/sshd
  if [ -e /var/lib/cloud/seed/nocloud/user-data ]; then
    boot_rented
  else
    /usr/sbin/sshd
    keep_docker
  fi
}

# The order of the real unit files: sshd and docker wait for cloud-init's network stage, which plants
# keys and files; cloud-init's last stage, which runs commands, waits for everything that is enabled.
boot_rented() {
  forget_network
  cloud-init init --local
  cloud-init init
  systemctl is-enabled --quiet ssh && systemctl start ssh
  systemctl is-enabled --quiet docker || touch /run/hold-docker
  set -m
  {
    systemctl start-enabled
    cloud-init modules --mode=config
    cloud-init modules --mode=final
  } &
  keep_docker
}

keep_docker() {
  while :; do
    if [ -e /run/hold-docker ]; then
      sleep 0.2
      continue
    fi
    rm -f /run/docker.pid
    dockerd >>/var/log/dockerd.log 2>&1
    sleep 2
  done
}

# A namespace outlives the power; the packet filter and the links of a real machine do not.
forget_network() {
  nft flush ruleset
  for link in /sys/class/net/*; do
    case ${link##*/} in
      lo | eth[01]) ;;
      *) ip link delete "${link##*/}" || true ;;
    esac
  done
}

# Docker ends its containers itself; what still runs then is told, waited for a moment, and killed.
wind_down() {
  trap '' PWR INT
  touch /run/hold-docker
  pkill -TERM -x dockerd
  for _ in {1..150}; do pgrep -x dockerd >/dev/null && sleep 0.1 || break; done
  kill -TERM -1
  for _ in {1..20}; do [ "$(pgrep -vc -x 'pgrep|lab-init')" -gt 0 ] && sleep 0.1 || break; done
  kill -KILL -1
}

start_anew() {
  wind_down
  find /run /tmp -xdev -mindepth 1 -delete
  trap - PWR INT # what is ignored when a shell starts, it cannot trap
  exec /usr/sbin/lab-init
}

trap 'wind_down; exit 0' PWR
trap start_anew INT
set -m # without it, all that is started in the background ignores SIGINT for ever
boot &
while :; do
  wait
  sleep 1
done
