#!/usr/bin/env bash
# The console in Chromium, before a private OpenLDAP: what an administrator does there and what comes of it, with and without
# JavaScript, in both themes and two widths, and whether everybody can use it (axe).
#
#   tests/console/run.sh
#
# Everything listens on the loopback address only. The tools are installed below the target folder. SCIMGATE=FILE takes a program
# that is built already, PICTURES=FOLDER keeps pictures of every page.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${CARGO_TARGET_DIR:-$root/target}/console
# shellcheck source-path=SCRIPTDIR source=../ground.sh
. "$root/tests/ground.sh"

# key NAME LINES…: a key of the configuration; the key itself goes to a file.
key() {
  local name=$1
  shift
  "$scimgate" key new --name "$name" >"$dir/$name.key" || stop "scimgate key new failed."
  sed -n 's/^Key: *//p' "$dir/$name.key" | tr -d '\n' >"$dir/$name.secret"
  sed -n '/^\[\[auth\.api_keys\]\]/,/^$/p' "$dir/$name.key" | sed '/^$/d'
  printf '%s\n' "$@"
}

make_configuration() {
  port=$(free_port)
  admin_port=$(free_port)
  openssl genpkey -algorithm ed25519 -out "$dir/oauth.pem"
  {
    cat <<TOML
[server]
listen = "127.0.0.1:$port"
public_url = "http://localhost:$port"

[admin]
listen = "127.0.0.1:$admin_port"
state = "console.json"

[directory]
urls = ["$ldap_url"]
bind_dn = "$service_dn"
bind_password_file = "bind-password"

[users]
base = "ou=people,$suffix"

[groups]
base = "ou=groups,$suffix"

[rails]
deletes_per_hour = 100

[auth.oauth]
signing_key = "oauth.pem"
TOML
    key root 'scopes = ["admin"]'
  } >"$dir/scimgate.toml"
}

need slapd:slapd ldapsearch:ldap-utils openssl:openssl curl:curl node:nodejs npm:npm chromium:chromium
install_packages_of_npm
find_program --profile=dev

umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-console.XXXXXX")
start_openldap
make_configuration
mkdir "$dir/profile"
export SCIM="http://127.0.0.1:$port/scim/v2" ADMIN="http://127.0.0.1:$admin_port" PROGRAM=$scimgate GROUND=$dir
CHROMIUM=$(command -v chromium)
export CHROMIUM
(cd "$cache" && exec node console.mjs) </dev/null &
tool_pid=$!
wait "$tool_pid" || stop "console.mjs has found a fault. The end of scimgate's log:" "$dir/scimgate.log"
