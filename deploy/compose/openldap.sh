#!/usr/bin/env bash
# slapd with the demo's small organisation, which is made at the first start; the entry point of the image.
#
#   openldap.sh FOLDER URL     BIND_PASSWORD=FILE holds the password of scimgate's account
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$1 port=
stop() {
  printf '%s\n' "$1" >&2
  if [[ -n ${2:-} ]]; then tail -n 40 "$2" >&2; fi
  exit 1
}
# shellcheck source-path=SCRIPTDIR source=../demo/processes.sh
. "$root/deploy/demo/processes.sh"
# shellcheck source-path=SCRIPTDIR source=../demo/openldap.sh
. "$root/deploy/demo/openldap.sh"

umask 077
if [[ ! -e $dir/complete ]]; then
  rm -rf "$dir/ldap"
  cat "${BIND_PASSWORD:-/run/secrets/bind-password}" >"$dir/bind-password"
  start_openldap
  end_process "$slapd_pid"
  touch "$dir/complete"
fi
exec "$(slapd_program)" -d 0 -h "$2" -f "$dir/ldap/slapd.conf"
