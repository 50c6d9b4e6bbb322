#!/usr/bin/env bash
# What others' conformance tools say of scimgate before a private OpenLDAP.
#
#   tests/conformance/run.sh [TOOL…]     scim2-tester, scim-sanity, schemathesis; all of them if none is named
#
# A line for each tool, and its report where it finds a fault. Everything listens on the loopback address only. The tools are
# installed below the target folder. SCIMGATE=FILE takes a program that is built already.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${CARGO_TARGET_DIR:-$root/target}/conformance
all=(scim2-tester scim-sanity schemathesis)
# shellcheck source-path=SCRIPTDIR source=../ground.sh
. "$root/tests/ground.sh"

make_configuration() {
  local tool
  port=$(free_port)
  admin_port=$(free_port)
  cp "$here/scimgate.toml" "$dir/scimgate.toml"
  for tool in "${all[@]}"; do
    "$scimgate" key new --name "$tool" >"$dir/$tool.key" || stop "scimgate key new failed."
    sed -n '/^\[\[auth\.api_keys\]\]/,/^$/p' "$dir/$tool.key" >>"$dir/scimgate.toml"
  done
  export SCIMGATE__SERVER__LISTEN="127.0.0.1:$port" SCIMGATE__ADMIN__LISTEN="127.0.0.1:$admin_port"
  export SCIMGATE__DIRECTORY__URLS="$ldap_url" SCIMGATE__DIRECTORY__BIND_DN="$service_dn"
  export SCIMGATE__DIRECTORY__BIND_PASSWORD_FILE="$dir/bind-password"
}

# use TOOL: becomes the tool, whose exit code is the verdict.
use() {
  local origin="http://127.0.0.1:$port" key
  key=$(sed -n 's/^Key: *//p' "$dir/$1.key")
  case $1 in
    scim2-tester)
      export SCIM_CLI_HEADERS="Authorization: Bearer $key"
      exec "$tools/python" "$here/scim2.py" --url "$origin/scim/v2" test
      ;;
    scim-sanity)
      exec "$tools/scim-sanity" probe "$origin/scim/v2" --token "$key" --strict --i-accept-side-effects
      ;;
    schemathesis)
      exec "$tools/schemathesis" --config-file "$here/schemathesis.toml" run "$origin/openapi.json" \
        --header "Authorization: Bearer $key"
      ;;
  esac
}

# summary TOOL: how much a tool has done, by its report on the standard input.
summary() {
  case $1 in
    scim2-tester) sed -n '/^SUCCESS/p' | wc -l | sed 's/$/ checks/' ;;
    scim-sanity | schemathesis) sed -n -E 's/^ *([0-9]+ (passed|generated).*)/\1/p' ;;
  esac
}

(($#)) || set -- "${all[@]}"
for tool in "$@"; do
  [[ " ${all[*]} " == *" $tool "* ]] || stop "There is no tool $tool; there are ${all[*]}."
done

need slapd:slapd ldapsearch:ldap-utils openssl:openssl curl:curl
install_python_tools
tools=$cache/venv/bin
find_program --profile=dev

umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-conformance.XXXXXX")
start_openldap
make_configuration
start_scimgate
# The tools may keep files in the working folder.
cd "$dir"

failed=()
for tool in "$@"; do
  started=$SECONDS
  use "$tool" </dev/null >"$dir/$tool.report" 2>&1 &
  tool_pid=$!
  done=""
  if wait "$tool_pid"; then done=$(summary "$tool" <"$dir/$tool.report"); fi
  if [[ $done == [1-9]* ]]; then
    printf '%-14s passed in %d s: %s\n' "$tool" $((SECONDS - started)) "$done"
  else
    failed+=("$tool")
    printf '%-14s FAILED\n' "$tool"
    cat "$dir/$tool.report"
  fi
  runs "$gateway_pid" || stop "scimgate has ended:" "$dir/scimgate.log"
done
((${#failed[@]} == 0)) || stop "Faults were found by ${failed[*]}."
