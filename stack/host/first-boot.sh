#!/bin/sh
# The first boot of a rented machine: the switch, then the metadata service closed to containers, then Docker.
#
#     first-boot.sh distribution | docker | image      who brings Docker, where it does not answer yet
#
# Ends with /var/lib/cloudburst/ready, or with /var/lib/cloudburst/failed, whose first line is a sentence. May be
# run again.
set -u

home=/var/lib/cloudburst
said=$home/first-boot.said
docker_key=9DC858229FC7DD38854AE2D88D81803C0EBFCD88
docker_packages=https://download.docker.com/linux

fail() {
  echo "cloudburst: $1" >&2
  { echo "$1"; tail -n 12 "$said" 2>/dev/null; } >"$home/failed.new"
  mv "$home/failed.new" "$home/failed"
  exit 1
}

# What it says is kept for `fail`, and printed into cloud-init's log.
quietly() {
  "$@" >"$said" 2>&1
  result=$?
  cat "$said"
  return $result
}

start() {
  quietly systemctl enable --now "$1"
}

# At a first boot the machine's own upgrades often hold apt's locks, and the network may not be whole yet.
apt() {
  attempt=1
  until quietly timeout 900 env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; do
    [ $attempt -ge 6 ] && return 1
    sleep $((attempt * 10))
    attempt=$((attempt + 1))
    timeout 300 dpkg --configure -a >/dev/null 2>&1
  done
}

install() {
  apt update || fail "the lists of packages cannot be fetched: apt-get update fails"
  apt install --no-install-recommends "$@" || fail "a package cannot be installed: apt-get install $* fails"
}

close_metadata() {
  command -v iptables >/dev/null || install iptables
  start cloudburst-metadata.service || fail "the metadata service cannot be closed to containers"
  quietly iptables -w -t raw -S PREROUTING
  grep -q -- '^-A PREROUTING -d 169.254.169.254/32 -j DROP$' "$said" ||
    fail "the metadata service is not closed to containers: the rule is missing"
}

docker_answers() {
  quietly timeout 20 docker version
}

# Its service may still be on its way up.
docker_answers_soon() {
  attempt=1
  until docker_answers; do
    [ $attempt -ge 24 ] && return 1
    sleep 5
    attempt=$((attempt + 1))
  done
}

install_from_distribution() {
  install docker.io
  command -v docker >/dev/null || install docker-cli
}

install_from_docker() {
  install ca-certificates curl gnupg
  . /etc/os-release
  keyring=/etc/apt/keyrings/docker.asc
  mkdir -p /etc/apt/keyrings
  quietly curl -fsSL --retry 5 --connect-timeout 10 --max-time 60 -o $keyring "$docker_packages/$ID/gpg" ||
    fail "the key of Docker's packages cannot be fetched from $docker_packages/$ID/gpg"
  found=$(gpg --show-keys --with-colons $keyring 2>/dev/null | awk -F: '
    $1 == "pub" { keys++; next_is_its = 1 }
    $1 == "fpr" && next_is_its { print $10; next_is_its = 0 }' | tr '\n' ' ')
  [ "$found" = "$docker_key " ] ||
    { rm -f $keyring; fail "what $docker_packages/$ID/gpg holds is not Docker's key $docker_key: ${found:-no key}"; }
  echo "deb [arch=$(dpkg --print-architecture) signed-by=$keyring] $docker_packages/$ID $VERSION_CODENAME stable" \
    >/etc/apt/sources.list.d/docker.list
  install docker-ce docker-ce-cli containerd.io
}

bring_docker() {
  if command -v docker >/dev/null; then
    systemctl enable --now docker >/dev/null 2>&1
    docker_answers_soon || fail "Docker is installed on this image and does not answer: docker version fails"
    return
  fi
  case $1 in
    distribution) install_from_distribution ;;
    docker) install_from_docker ;;
    *) fail "the image has no Docker: let cluster.provider.digitalocean.docker be distribution, or name an image that has it" ;;
  esac
  systemctl enable --now docker >/dev/null 2>&1
  docker_answers_soon || fail "Docker was installed and does not answer: docker version fails"
}

mkdir -p $home
rm -f $home/ready $home/failed
systemctl daemon-reload
start cloudburst-switch.service || fail "the switch that ends this machine's rental cannot be started"
systemctl reload ssh >/dev/null 2>&1 || systemctl reload sshd >/dev/null 2>&1
close_metadata
bring_docker "$1"
rm -f $said
date +%s >$home/ready.new
mv $home/ready.new $home/ready
