#!/usr/bin/env bash
# Tokens of a real authorization server, npm's oidc-provider, at scimgate before a private OpenLDAP. Everything listens on the
# loopback address only. The packages are installed below the target folder. SCIMGATE=FILE takes a program that is built already.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${CARGO_TARGET_DIR:-$root/target}/issuer
# shellcheck source-path=SCRIPTDIR source=../ground.sh
. "$root/tests/ground.sh"

make_configuration() {
  port=$(free_port)
  admin_port=$(free_port)
  issuer_port=$(free_port)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=issuer" \
    -addext "basicConstraints=critical,CA:FALSE" -addext "subjectAltName=IP:127.0.0.1" -keyout "$dir/issuer.key" -out "$dir/issuer.crt" 2>"$dir/openssl.log" ||
    stop "No certificate could be made:" "$dir/openssl.log"
  "$scimgate" key new --name another >"$dir/key" || stop "scimgate key new failed."
  {
    cat <<EOF
[users]
base = "ou=people,dc=example,dc=com"
[groups]
base = "ou=groups,dc=example,dc=com"
[limits]
requests_per_second = 0
# What is refused here is refused for what it is.
failures_per_minute = 0
[[auth.issuers]]
issuer = "https://127.0.0.1:$issuer_port"
audience = "scimgate"
ca = "issuer.crt"
leeway = "1s"
introspection_endpoint = "https://127.0.0.1:$issuer_port/token/introspection"
client_id = "scimgate"
client_secret = "secret+of scimgate"
introspection_cache = "2s"
EOF
    sed -n '/^\[\[auth\.api_keys\]\]/,/^$/p' "$dir/key"
  } >"$dir/scimgate.toml"
  export SCIMGATE__SERVER__LISTEN="127.0.0.1:$port" SCIMGATE__ADMIN__LISTEN="127.0.0.1:$admin_port"
  export SCIMGATE__DIRECTORY__URLS="$ldap_url" SCIMGATE__DIRECTORY__BIND_DN="$service_dn"
  export SCIMGATE__DIRECTORY__BIND_PASSWORD_FILE="$dir/bind-password"
}

need slapd:slapd ldapsearch:ldap-utils openssl:openssl curl:curl node:nodejs npm:npm
install_packages_of_npm
find_program --profile=dev

umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-issuer.XXXXXX")
start_openldap
make_configuration
start_scimgate

NODE_EXTRA_CA_CERTS=$dir/issuer.crt node "$cache/check.mjs" \
  "$issuer_port" "http://127.0.0.1:$port/scim/v2" "$(sed -n 's/^Key: *//p' "$dir/key")" "$dir" </dev/null &
tool_pid=$!
wait "$tool_pid" || stop "Tokens of the issuer are not treated as they should be:" "$dir/scimgate.log"
runs "$gateway_pid" || stop "scimgate has ended:" "$dir/scimgate.log"
