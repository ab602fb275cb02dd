#!/bin/sh
# Starts InfluxDB with its one user and the databases the study names (influxdb.iql, beside this).
# They are made before anybody can reach the server, so that there is no moment without a password;
# the password goes through a pipe, since arguments can be read by everybody on the machine.
set -eu

password=$(cat /run/secrets/influxdb-password)
wanted=$(printf %s "$password" | cat - /cloudburst/influxdb.iql | sha256sum | cut -d ' ' -f 1)
mark=${INFLUXDB_META_DIR%/meta}/prepared
alone=127.0.0.1:8087

ask() {
  curl -fsS -X POST --data-urlencode q@- "http://$alone/query"
}

prepare() {
  INFLUXDB_HTTP_AUTH_ENABLED=false INFLUXDB_HTTP_BIND_ADDRESS=$alone influxd -config /dev/null &
  server=$!
  trap 'kill "$server"; wait "$server"; exit 143' TERM INT
  until curl -fsS -o /dev/null "http://$alone/ping" 2>/dev/null; do
    kill -0 "$server"
    sleep 0.2
  done
  # That the user is there already is fine: what follows sets the password, which may be a new one.
  printf "CREATE USER cloudburst WITH PASSWORD '%s' WITH ALL PRIVILEGES" "$password" | ask >/dev/null
  answer=$({ printf "SET PASSWORD FOR cloudburst = '%s';" "$password"; cat /cloudburst/influxdb.iql; } | ask)
  case $answer in
    *'"error"'*) printf '%s\n' "$answer" >&2; exit 1 ;;
  esac
  kill "$server"
  wait "$server" || true
  trap - TERM INT
  printf %s "$wanted" >"$mark"
}

if [ "$(cat "$mark" 2>/dev/null)" != "$wanted" ]; then prepare; fi
exec influxd -config /dev/null
