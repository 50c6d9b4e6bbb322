#!/usr/bin/env bash
# A PATCH before a private OpenLDAP, as a collector of traces gets it: Rotel, which takes OTLP as any collector does. scimgate's own
# tests read what it sends by the messages that OpenTelemetry publishes (tests/it/traces.rs); this is the opinion of others.
#
#   tests/traces/run.sh
#
# Everything listens on the loopback address only. Rotel is installed below the target folder. SCIMGATE=FILE takes a program that
# is built already.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${CARGO_TARGET_DIR:-$root/target}/traces
# shellcheck source-path=SCRIPTDIR source=../ground.sh
. "$root/tests/ground.sh"

# W3C Trace Context's own example.
trace=4bf92f3577b34da6a3ce929d0e0e4736 caller=00f067aa0ba902b7

make_configuration() {
  port=$(free_port)
  admin_port=$(free_port)
  cat >"$dir/scimgate.toml" <<TOML
[server]
listen = "127.0.0.1:$port"
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
[traces]
endpoint = "http://127.0.0.1:$otlp_port"
TOML
  "$scimgate" key new --name ping >"$dir/key"
  sed -n '/^\[\[auth\.api_keys\]\]/,/^$/p' "$dir/key" >>"$dir/scimgate.toml"
  key=$(sed -n 's/^Key: *//p' "$dir/key")
}

# Rotel prints every span that it gets.
start_collector() {
  local tries=300
  otlp_port=$(free_port)
  setsid "$("$cache/venv/bin/python" -c 'import rotel, pathlib; print(pathlib.Path(rotel.__file__).parent / "rotel-agent")')" start \
    --otlp-http-endpoint "127.0.0.1:$otlp_port" --otlp-grpc-endpoint "127.0.0.1:$(free_port)" --exporter blackhole \
    --debug-log traces --debug-log-verbosity detailed --pid-file "$dir/rotel.pid" --log-file "$dir/rotel.log" \
    </dev/null >"$dir/collected" 2>&1 &
  tool_pid=$!
  until listens "$otlp_port"; do
    if ! runs "$tool_pid" || ((--tries == 0)); then stop "Rotel does not start:" "$dir/collected"; fi
    sleep 0.1
  done
}

# scim METHOD PATH BODY [CURL-OPTION…]: a request that must succeed; its answer.
scim() {
  local method=$1 path=$2 body=$3
  shift 3
  curl -qsf --noproxy '*' --max-time 30 -X "$method" -H "Authorization: Bearer $key" -H "Content-Type: application/scim+json" "$@" \
    -d "$body" "http://127.0.0.1:$port/scim/v2$path" || stop "$method $path failed:" "$dir/scimgate.log"
}

# spans: what was collected, a line for each span: trace, parent, id, kind and name, then its attributes.
spans() {
  awk '
    function flush() { if (id != "") print trace, (parent == "" ? "-" : parent), id, kind, name attributes }
    /^Span #/ { flush(); id = parent = attributes = ""; inside = 1 }
    /^ResourceSpans #/ { flush(); id = ""; inside = 0 }
    !inside { next }
    /^ *Trace ID *:/ { trace = $NF }
    /^ *Parent ID *:/ { parent = ($NF == ":" ? "" : $NF) }
    /^ *ID *:/ { id = $NF }
    /^ *Name *:/ { sub(/^ *Name *: */, ""); name = $0 }
    /^ *Kind *:/ { kind = $NF }
    /^ *-> / { sub(/^ *-> /, ""); attributes = attributes "; " $0 }
    END { flush() }
  ' "$dir/collected"
}

need slapd:slapd ldapsearch:ldap-utils openssl:openssl curl:curl awk:gawk
install_python_tools
find_program --profile=dev
umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-traces.XXXXXX")
start_openldap
start_collector
make_configuration
start_scimgate

user='{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ana@example.com","name":{"familyName":"Ruiz"}}'
id=$(scim POST /Users "$user" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
change='{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"nickName","value":"Anita"}]}'
scim PATCH "/Users/$id" "$change" -H "traceparent: 00-$trace-$caller-01" >/dev/null
# What the client does not record is not recorded here either.
scim PATCH "/Users/$id" "$change" -H "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00" >/dev/null
# The last spans are sent before the end.
end_process "$gateway_pid"
end_process "$tool_pid"

spans >"$dir/spans"
patch=$(grep "^$trace $caller [0-9a-f]* SPAN_KIND_SERVER PATCH user;" "$dir/spans") || stop "The PATCH was not collected:" "$dir/collected"
grep -q 'http.response.status_code: Int(200)' <<<"$patch" || stop "Its span has no status:" "$dir/spans"
below=$(grep "^$trace $(cut -d' ' -f3 <<<"$patch") " "$dir/spans") || stop "There is nothing below the PATCH:" "$dir/spans"
grep -q 'SPAN_KIND_CLIENT LDAP modify;.*ldap.result: Str(success)' <<<"$below" || stop "No modification is below the PATCH:" "$dir/spans"
grep -q ' POST users;' "$dir/spans" || stop "A request without a trace of its own was not traced:" "$dir/spans"
if grep -q 0af7651916cd43dd8448eb211c80319c "$dir/collected"; then stop "A trace that is not recorded was sent:" "$dir/spans"; fi
for secret in ana Anita Ruiz example.com dc= "$id" "$key"; do
  if grep -qiF "$secret" "$dir/spans"; then stop "The spans hold $secret:" "$dir/spans"; fi
done
printf 'Rotel has got %d spans; below the PATCH: %s\n' "$(wc -l <"$dir/spans")" "$(grep -o 'LDAP [a-z]*' <<<"$below" | paste -sd, | sed 's/,/, /g')"
