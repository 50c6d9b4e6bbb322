#!/usr/bin/env bash
# What sslyze says of scimgate's TLS, judged by Mozilla's profile "intermediate" and by every weakness that sslyze looks for.
#
#   tests/tls/run.sh
#
# Everything listens on the loopback address only. sslyze is installed below the target folder. SCIMGATE=FILE takes a program
# that is built already.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${CARGO_TARGET_DIR:-$root/target}/tls
# shellcheck source-path=SCRIPTDIR source=../ground.sh
. "$root/tests/ground.sh"

# The directory is not needed: nobody gets further than the handshake.
make_configuration() {
  {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 91 -subj /CN=authority \
      -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$dir/ca.key" -out "$dir/ca.crt" &&
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj /CN=localhost -keyout "$dir/tls.key" \
        -out "$dir/tls.csr" &&
      openssl x509 -req -in "$dir/tls.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 90 -sha256 -out "$dir/tls.crt" \
        -extfile <(printf '%s\n' subjectAltName=DNS:localhost extendedKeyUsage=serverAuth basicConstraints=CA:FALSE \
          authorityKeyIdentifier=keyid subjectKeyIdentifier=hash)
  } 2>"$dir/openssl.log" || stop "No certificate could be made:" "$dir/openssl.log"
  cat >"$dir/scimgate.toml" <<TOML
[server]
listen = "127.0.0.1:$port"
[server.tls]
certificate = "tls.crt"
private_key = "tls.key"
[admin]
listen = "127.0.0.1:$admin_port"
[directory]
urls = ["ldap://127.0.0.1:1"]
bind_dn = "cn=nobody"
bind_password = "none"
[users]
base = "ou=people,dc=example,dc=com"
[groups]
base = "ou=groups,dc=example,dc=com"
TOML
  "$scimgate" key new --name nobody | sed -n '/^\[\[auth\.api_keys\]\]/,/^$/p' >>"$dir/scimgate.toml"
}

start() {
  local tries=300
  setsid "$scimgate" serve --config "$dir/scimgate.toml" </dev/null >"$dir/scimgate.log" 2>&1 &
  gateway_pid=$!
  until listens "$port"; do
    runs "$gateway_pid" || stop "scimgate ended at once:" "$dir/scimgate.log"
    ((--tries)) || stop "scimgate does not listen:" "$dir/scimgate.log"
    sleep 0.1
  done
}

need openssl:openssl
install_python_tools
find_program --profile=dev
umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-tls.XXXXXX")
port=$(free_port)
admin_port=$(free_port)
make_configuration
start

status=0
"$cache/venv/bin/sslyze" --mozilla_config intermediate --certinfo --certinfo_ca_file "$dir/ca.crt" --early_data \
  --sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --compression --openssl_ccs --fallback --heartbleed --robot --reneg \
  --elliptic_curves --ems --json_out "$dir/report.json" "localhost:$port" >"$dir/report.txt" 2>&1 || status=$?
[[ -s $dir/report.json ]] || stop "sslyze has made no report:" "$dir/report.txt"
"$cache/venv/bin/python" "$here/judge.py" "$dir/report.json" || stop "sslyze has found weaknesses:" "$dir/report.txt"
((status == 0)) || stop "The settings are not those of Mozilla's profile:" "$dir/report.txt"
runs "$gateway_pid" || stop "scimgate has ended:" "$dir/scimgate.log"
