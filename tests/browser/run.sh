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
dir="" slapd_pid="" gateway_pid="" tool_pid="" port="" admin_port="" ldap_url=""

# stop MESSAGE [FILE]: ends the run with the reason, and the end of the file that tells more.
stop() {
  printf '%s\n' "$1" >&2
  if [[ -n ${2:-} ]]; then tail -n 40 "$2" >&2; fi
  exit 1
}

# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/packages.sh
. "$root/deploy/demo/packages.sh"
# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/processes.sh
. "$root/deploy/demo/processes.sh"
# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/openldap.sh
. "$root/deploy/demo/openldap.sh"
# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/scimgate.sh
. "$root/deploy/demo/scimgate.sh"

clean_up() {
  trap '' INT TERM HUP PIPE
  end_process "$tool_pid"
  end_process "$gateway_pid"
  end_process "$slapd_pid"
  [[ -z $dir ]] || rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP PIPE

# Sets python, with what the parts need, and chromium. Ubuntu's package of that name is none: it installs by another way.
install_tools() {
  need python3:python3
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv || stop "Python's venv could not be installed."
  for chromium in chromium-headless-shell chromium google-chrome-stable ""; do
    if [[ -z $chromium ]] || command -v "$chromium" >/dev/null; then break; fi
  done
  if [[ -z $chromium ]]; then
    need chromium-headless-shell:chromium-headless-shell
    chromium="chromium-headless-shell"
  fi
  chromium=$(command -v "$chromium")
  python=$cache/venv/bin/python
  cmp -s "$here/requirements.txt" "$cache/installed.txt" && return
  rm -rf "$cache"
  mkdir -p "$cache"
  {
    python3 -m venv "$cache/venv" && "$python" -m pip install --disable-pip-version-check -r "$here/requirements.txt"
  } >"$cache/log" 2>&1 || stop "The tools could not be installed:" "$cache/log"
  cp "$here/requirements.txt" "$cache/installed.txt"
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

# Settings of the caller's environment would go before the file's; and nothing here goes through a proxy.
for variable in "${!SCIMGATE__@}"; do unset "$variable"; done
export NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1 PYTHONDONTWRITEBYTECODE=1

need slapd:slapd ldapsearch:ldap-utils openssl:openssl curl:curl
install_tools
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
  "$python" "$here/$part.py" </dev/null &
  tool_pid=$!
  wait "$tool_pid" || stop "$part.py has found a fault. The end of scimgate's log:" "$dir/scimgate.log"
  runs "$gateway_pid" || stop "scimgate has ended:" "$dir/scimgate.log"
done
