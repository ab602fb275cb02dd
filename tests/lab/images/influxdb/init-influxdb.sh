#!/bin/bash
# The official image's first run: users only with authentication on and an administrator named;
# nothing at all once the directory of the metadata exists.
set -e
meta=${INFLUXDB_META_DIR:-/var/lib/influxdb/meta}
users=
if [ -n "$INFLUXDB_HTTP_AUTH_ENABLED" ] && [ -n "$INFLUXDB_ADMIN_USER" ]; then users=1; fi
if [ -e "$meta" ] || [ -z "$users$INFLUXDB_DB" ]; then exit 0; fi

export INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:8086 INFLUXDB_HTTP_HTTPS_ENABLED=false
influxd "$@" &
server=$!
credentials=()
ask() { influx -host 127.0.0.1 -port 8086 "${credentials[@]}" -execute "$1"; }

first="CREATE DATABASE \"$INFLUXDB_DB\""
if [ -n "$users" ]; then
  : "${INFLUXDB_ADMIN_PASSWORD:=$(tr -dc A-Za-z0-9 </dev/urandom | head -c 32)}"
  first="CREATE USER \"$INFLUXDB_ADMIN_USER\" WITH PASSWORD '$INFLUXDB_ADMIN_PASSWORD' WITH ALL PRIVILEGES"
fi
for _ in {1..300}; do
  if ask "$first" >/dev/null 2>&1; then ready=1 && break; fi
  sleep 0.1
done
[ -n "$ready" ] || { echo >&2 "influxdb init process failed"; exit 1; }

if [ -n "$users" ]; then
  credentials=(-username "$INFLUXDB_ADMIN_USER" -password "$INFLUXDB_ADMIN_PASSWORD")
  [ -z "$INFLUXDB_DB" ] || ask "CREATE DATABASE \"$INFLUXDB_DB\""
  if [ -n "$INFLUXDB_USER" ] && [ -n "$INFLUXDB_USER_PASSWORD" ]; then
    ask "CREATE USER \"$INFLUXDB_USER\" WITH PASSWORD '$INFLUXDB_USER_PASSWORD'"
    ask "REVOKE ALL PRIVILEGES FROM \"$INFLUXDB_USER\""
    [ -z "$INFLUXDB_DB" ] || ask "GRANT ALL ON \"$INFLUXDB_DB\" TO \"$INFLUXDB_USER\""
  fi
fi
kill -TERM "$server"
wait "$server" || true
