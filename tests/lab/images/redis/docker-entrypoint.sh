#!/bin/sh
# The official image's rules: an option or a .conf file means redis-server; root becomes redis;
# protected mode is off, since inside a container's network it would refuse every other container.
set -e
case "${1:-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . \! -user redis -exec chown redis '{}' + 2>/dev/null || true
  exec setpriv --reuid redis --regid redis --clear-groups -- "$0" "$@"
fi
case "$*" in
  *protected-mode*) ;;
  redis-server*) set -- "$@" --protected-mode no ;;
esac
umask 0077
exec "$@"
