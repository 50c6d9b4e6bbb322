#!/usr/bin/env bash
# The whole of scimgate on one machine, with nothing left behind: a private OpenLDAP with a small organisation, a test
# authority and certificate, scimgate before it over TLS, and what Ping Identity sends.
#
#   deploy/demo.sh            stays up until Ctrl-C
#   deploy/demo.sh --once     the same, and ends
#   deploy/demo.sh --port N   the port of the SCIM listener (default 8443)
#
# Everything listens on the loopback address only and is kept in one temporary folder. Root is needed only to install what
# is missing (slapd, ldap-utils, openssl, curl). SCIMGATE=FILE takes a program that is built already.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir="" slapd_pid="" gateway_pid="" admin_port="" base_url="" api_key="" ldap_url=""

if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold="" dim="" green="" red="" plain=""
fi

heading() {
  printf '\n%s%s%s\n' "$bold" "$1" "$plain"
}

# stop MESSAGE [FILE]: ends the demo with the reason, and the end of the file that tells more.
stop() {
  printf '\n%s%s%s\n' "$red" "$1" "$plain" >&2
  if [[ -n ${2:-} ]]; then
    tail -n 40 "$2" >&2
    echo >&2
  fi
  # A server that is up may have written why.
  if [[ -n $gateway_pid && -s $dir/scimgate.log && ${2:-} != "$dir/scimgate.log" ]]; then
    printf '%s\n' "The end of scimgate's log:" >&2
    tail -n 5 "$dir/scimgate.log" >&2
  fi
  exit 1
}

# shellcheck source-path=SCRIPTDIR source=demo/packages.sh
. "$root/deploy/demo/packages.sh"
# shellcheck source-path=SCRIPTDIR source=demo/processes.sh
. "$root/deploy/demo/processes.sh"
# shellcheck source-path=SCRIPTDIR source=demo/openldap.sh
. "$root/deploy/demo/openldap.sh"
# shellcheck source-path=SCRIPTDIR source=demo/scimgate.sh
. "$root/deploy/demo/scimgate.sh"
# shellcheck source-path=SCRIPTDIR source=demo/ping.sh
. "$root/deploy/demo/ping.sh"

usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

once=false port=8443
while (($#)); do
  case $1 in
    --once) once=true ;;
    --port)
      port=${2:-}
      shift
      ;;
    --port=*) port=${1#*=} ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift || true
done
if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
  echo "--port takes a number from 1 to 65535" >&2
  exit 2
fi

clean_up() {
  trap '' INT TERM HUP PIPE
  end_process "$gateway_pid"
  end_process "$slapd_pid"
  [[ -z $dir ]] || rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP PIPE

# A test authority and a certificate of it for this machine.
make_certificate() {
  local log="$dir/tls/log" curve=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  mkdir "$dir/tls"
  {
    openssl req -x509 "${curve[@]}" -days 30 -subj "/CN=scimgate demo authority" \
      -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$dir/tls/ca.key" -out "$dir/ca.pem" &&
      openssl req "${curve[@]}" -subj "/CN=localhost" -keyout "$dir/tls/server.key" -out "$dir/tls/server.csr" &&
      openssl x509 -req -in "$dir/tls/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/tls/ca.key" -days 30 \
        -set_serial "0x$(openssl rand -hex 8)" -out "$dir/tls/server.pem" -extfile <(
          echo "basicConstraints=CA:FALSE"
          echo "keyUsage=digitalSignature"
          echo "extendedKeyUsage=serverAuth"
          echo "subjectAltName=DNS:localhost,IP:127.0.0.1"
        )
  } >"$log" 2>&1 || stop "The test certificate could not be made:" "$log"
}

# make_configuration: sets api_key and writes scimgate.toml.
make_configuration() {
  "$scimgate" key new --name ping >"$dir/key" || stop "scimgate key new failed."
  api_key=$(sed -n 's/^Key: *//p' "$dir/key")
  [[ -n $api_key ]] || stop "scimgate key new printed no key:" "$dir/key"
  admin_port=$(free_port)
  cat >"$dir/scimgate.toml" <<TOML
[server]
listen = "127.0.0.1:$port"
public_url = "https://localhost:$port"
[server.tls]
certificate = "tls/server.pem"
private_key = "tls/server.key"

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

[provisioning]
user_name = "email"
existing_users = false

[log]
format = "text"

$(sed -n '/^\[\[auth\.api_keys\]\]/,/^$/p' "$dir/key")
TOML
  cat >"$dir/curl" <<CURL
silent
show-error
noproxy = "*"
max-time = 30
cacert = "$dir/ca.pem"
header = "Authorization: Bearer $api_key"
header = "Accept: application/scim+json"
CURL
}

# Commands to paste: they work while the demo is up.
try_it() {
  local proxy=""
  [[ -z ${https_proxy:-}${HTTPS_PROXY:-}${all_proxy:-}${ALL_PROXY:-} ]] || proxy="--noproxy '*' "
  local curl="curl $proxy--cacert $dir/ca.pem -H 'Authorization: Bearer $api_key'"
  heading "Try it"
  cat <<TRY
  $curl '$base_url/Users?filter=active%20eq%20false'
  $curl '$base_url/Groups'
  ldapsearch -x -H $ldap_url -D '$service_dn' -y $dir/bind-password -b 'ou=people,$suffix'

  Metrics: http://127.0.0.1:$admin_port/metrics
  Log:     $dir/scimgate.log

Up until Ctrl-C; then everything here is removed.
TRY
}

stay() {
  trap 'echo; exit 0' INT TERM
  wait -n "$gateway_pid" "$slapd_pid" || true
  if runs "$gateway_pid"; then
    stop "slapd has ended:" "$dir/ldap/log"
  fi
  stop "scimgate has ended:" "$dir/scimgate.log"
}

# Settings of the caller's environment would go before the file's.
for variable in "${!SCIMGATE__@}"; do unset "$variable"; done

need slapd:slapd ldapsearch:ldap-utils openssl:openssl curl:curl
[[ -n ${SCIMGATE:-} ]] || heading "Building scimgate (the first time takes a few minutes)"
find_program --release
listens "$port" && stop "Port $port is taken; --port N takes another."

umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-demo.XXXXXX")
base_url="https://localhost:$port/scim/v2"

heading "A private OpenLDAP"
start_openldap
echo "  $ldap_url, $suffix: two people and a group that SCIM has nothing to do with"

heading "scimgate check"
make_certificate
make_configuration
"$scimgate" check --config "$dir/scimgate.toml" >"$dir/check.log" 2>&1 || stop "scimgate check found:" "$dir/check.log"
sed 's/^/  /' "$dir/check.log"

heading "scimgate serve"
start_scimgate
echo "  $base_url is ready"

heading "What Ping Identity sends"
provision_as_ping

heading "What is refused, and what Ping's audit shows then"
refusals

heading "What is in the directory now"
for branch in people groups; do
  directory_search "ou=$branch,$suffix" '(|(objectClass=inetOrgPerson)(objectClass=groupOfNames))' \
    '*' memberOf entryUUID pwdAccountLockedTime || stop "The directory could not be read."
done | sed '$d; /./s/^/  /'

heading "What to enter in Ping"
"$scimgate" settings --config "$dir/scimgate.toml" >"$dir/settings" || stop "scimgate settings failed."
sed '/./s/^/  /' "$dir/settings"
printf '\n  The token of this demo: %s\n' "$api_key"

if [[ $once == true ]]; then
  heading "Everything worked."
else
  try_it
  stay
fi
