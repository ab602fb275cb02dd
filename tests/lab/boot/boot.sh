#!/bin/bash
# The first process of a host's new namespaces: builds its root file system, pivots into it and
# becomes its init. DIRECTORY IMAGE NAME
set -eu
directory=$1 image=$2 name=$3
root=$directory/root
mkdir -p "$directory"/{upper,work,root,docker}
mount -t overlay overlay -o "lowerdir=$image,upperdir=$directory/upper,workdir=$directory/work" "$root"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --bind "$directory/meminfo" "$root/proc/meminfo"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty kmsg fuse; do
  [ -e "/dev/$node" ] || continue
  touch "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir -p "$root"/dev/{pts,shm,mqueue}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do
  ln -s "/proc/self/fd/${number%%:*}" "$root/dev/${number#*:}"
done

# Docker's overlays cannot lie on an overlay: its directory is a plain one of the machine.
mkdir -p "$root/var/lib/docker"
mount --bind "$directory/docker" "$root/var/lib/docker"

# This process is already in the host's own cgroups and cgroup namespace.
cgroup=$root/sys/fs/cgroup
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mount -t cgroup2 cgroup2 "$cgroup"
  # Version 2 passes no controller on from a group that holds processes itself: those of the host go
  # into one of their own, and launch.sh takes the holder out.
  mkdir "$cgroup/init"
  for _ in {1..100}; do
    xargs -n1 <"$cgroup/cgroup.procs" >"$cgroup/init/cgroup.procs" 2>/dev/null || true
    sed -e 's/ / +/g' -e 's/^/+/' <"$cgroup/cgroup.controllers" >"$cgroup/cgroup.subtree_control" && break
    sleep 0.05
  done
else
  mount -t tmpfs -o mode=755 tmpfs "$cgroup"
  while IFS=: read -r _ controller _; do
    case $controller in
      "") continue ;;
      name=systemd) place=systemd options=none,name=systemd ;;
      *) place=$controller options=$controller ;;
    esac
    mkdir -p "$cgroup/$place"
    mount -t cgroup -o "$options" cgroup "$cgroup/$place" || rmdir "$cgroup/$place"
  done </proc/self/cgroup
fi

hostname "$name"
# A changed root is not enough: runc pivots too, and wants a real one.
mkdir -p "$root/.old"
cd "$root"
pivot_root . .old
umount -l /.old
rmdir /.old 2>/dev/null || true
mount --make-rshared /
exec /usr/sbin/lab-init
