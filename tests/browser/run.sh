#!/usr/bin/env bash
# What people and real OAuth clients meet: the sign-in page in Chromium, and tokens by a client library, before a private OpenLDAP.
#
#   tests/browser/run.sh [PART…]     sign_in, clients; all of them if none is named
#
# Everything listens on the loopback address only. The tools are installed below the target folder. SCIMGATE=FILE takes a program
# that is built already, PICTURES=FOLDER keeps pictures of the page.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${CARGO_TARGET_DIR:-$root/target}/browser
all=(sign_in clients)
# shellcheck source-path=SCRIPTDIR source=../ground.sh
. "$root/tests/ground.sh"

# Sets chromium. Ubuntu's package of that name is none: it installs by another way.
find_chromium() {
  for chromium in chromium-headless-shell chromium google-chrome-stable ""; do
    if [[ -z $chromium ]] || command -v "$chromium" >/dev/null; then break; fi
  done
  if [[ -z $chromium ]]; then
    need chromium-headless-shell:chromium-headless-shell
    chromium="chromium-headless-shell"
  fi
  chromium=$(command -v "$chromium")
}

# Erin is an administrator, Tom is not.
make_people() {
  local name
  for name in erin.byrne tom.okafor; do
    ldappasswd -x -H "$ldap_url" -D "cn=root,$suffix" -y "$dir/ldap/root-password" -s "correct horse" \
      "uid=$name@example.com,ou=people,$suffix" >/dev/null || stop "The password of $name could not be set."
  done
  ldapadd -x -H "$ldap_url" -D "cn=root,$suffix" -y "$dir/ldap/root-password" >/dev/null <<LDIF || stop "No group could be made."
dn: cn=scim-administrators,ou=groups,$suffix
objectClass: groupOfNames
cn: scim-administrators
member: uid=erin.byrne@example.com,ou=people,$suffix
LDIF
}

make_certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" -keyout "$dir/tls.key" -out "$dir/tls.crt" 2>"$dir/tls.log" ||
    stop "No certificate could be made:" "$dir/tls.log"
  openssl genpkey -algorithm ed25519 -out "$dir/oauth.pem"
}

# client NAME LINES…: a client of the authorization server; its secret is kept in a file.
client() {
  local name=$1
  shift
  "$scimgate" key new --client --name "$name" >"$dir/$name.key" || stop "scimgate key new failed."
  sed -n 's/^Client secret: *//p' "$dir/$name.key" | tr -d '\n' >"$dir/$name.secret"
  sed -n '/^\[\[auth\.oauth\.clients\]\]/,/^$/p' "$dir/$name.key" | sed '/^$/d'
  printf '%s\n' "$@"
}

make_configuration() {
  port=$(free_port)
  callback_port=$(free_port)
  admin_port=$(free_port)
  local callback="http://127.0.0.1:$callback_port/callback"
  {
    cat <<TOML
[server]
listen = "127.0.0.1:$port"
public_url = "https://localhost:$port"
[server.tls]
certificate = "tls.crt"
private_key = "tls.key"

[admin]
listen = "127.0.0.1:$admin_port"

[directory]
urls = ["$ldap_url"]
bind_dn = "$service_dn"
bind_password_file = "bind-password"

[users]
base = "ou=people,$suffix"

[groups]
base = "ou=groups,$suffix"

[auth.oauth]
signing_key = "oauth.pem"
administrators = "cn=scim-administrators,ou=groups,$suffix"
revocations = "revocations"
TOML
    client okta "redirect_uris = [\"$callback\"]" "pkce = false"
    client modern "redirect_uris = [\"$callback\"]" 'scopes = ["users:write"]'
    client ping
  } >"$dir/scimgate.toml"
  export ORIGIN="https://localhost:$port" CALLBACK=$callback SECRETS=$dir REQUESTS_CA_BUNDLE=$dir/tls.crt CHROMIUM=$chromium
}

(($#)) || set -- "${all[@]}"
for part in "$@"; do
  [[ " ${all[*]} " == *" $part "* ]] || stop "There is no part $part; there are ${all[*]}."
done

need slapd:slapd ldapsearch:ldap-utils openssl:openssl curl:curl
find_chromium
install_python_tools
find_program --profile=dev

umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-browser.XXXXXX")
start_openldap
make_people
make_certificate
make_configuration
start_scimgate
cd "$dir"
for part in "$@"; do
  "$cache/venv/bin/python" "$here/$part.py" </dev/null &
  tool_pid=$!
  wait "$tool_pid" || stop "$part.py has found a fault. The end of scimgate's log:" "$dir/scimgate.log"
  runs "$gateway_pid" || stop "scimgate has ended:" "$dir/scimgate.log"
done
