#!/usr/bin/env bash
# The files of deploy/ for containers and Kubernetes, as far as they can be tried where no container engine runs:
#
#   chart and kustomizations   rendered by Helm's own library (helm-python-sdk) and kubectl, validated by kubernetes-validate and by
#                              the Prometheus operator's schemas, their configuration read by scimgate
#   Dockerfiles                hadolint; the steps of scimgate's run in a clean folder, and its health check against a server
#   observability              promtool on alerts.yaml, its unit tests, the dashboard's expressions and the metrics of a running scimgate
#   compose                    the specification's schema; prepare.sh, OpenLDAP's entry point and scimgate run as the file says
#
# Every check is also given something that it must refuse. The tools are installed below the target folder. The image's build takes the profile dev and shares the target folder, and so
# needs little time. SCIMGATE=FILE takes a program that is built already.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cache=$target/deploy
# shellcheck source-path=SCRIPTDIR source=../ground.sh
. "$root/tests/ground.sh"

# The files that the examples' configuration names, as Secrets bring them.
make_secrets() {
  rm -rf "${cache:?}/etc"
  mkdir -p "$cache/etc"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=scim.example.com" \
    -keyout "$cache/etc/tls.key" -out "$cache/etc/tls.crt" 2>"$dir/openssl.log" || stop "No certificate could be made:" "$dir/openssl.log"
  cp "$cache/etc/tls.crt" "$cache/etc/ldap-ca.pem"
  echo secret >"$cache/etc/bind-password"
  # As Secrets are mounted; scimgate refuses files that everybody reads.
  chmod 440 "$cache/etc/tls.key" "$cache/etc/bind-password"
}

# must_fail WHAT COMMAND…: a check that accepts a mistake is none.
must_fail() {
  local what=$1
  shift
  if "$@" >"$dir/probe.log" 2>&1; then stop "A mistake passes: $what" "$dir/probe.log"; fi
}

lint() {
  "$tools/hadolint" "$root/Dockerfile" "$root/deploy/compose/openldap.Dockerfile" >"$dir/hadolint.log" 2>&1 ||
    stop "hadolint has found faults:" "$dir/hadolint.log"
  printf 'FROM debian\nRUN cd /tmp && sudo make\n' >"$dir/Dockerfile.bad"
  must_fail "a Dockerfile without a version, with sudo" "$tools/hadolint" "$dir/Dockerfile.bad"
  "$tools/check-jsonschema" --builtin-schema vendor.compose-spec "$root/deploy/compose/compose.yaml" >"$dir/compose.log" 2>&1 ||
    stop "compose.yaml is not by the specification:" "$dir/compose.log"
  sed 's/depends_on:/depend_on:/' "$root/deploy/compose/compose.yaml" >"$dir/compose.bad.yaml"
  must_fail "an unknown key in compose.yaml" "$tools/check-jsonschema" --builtin-schema vendor.compose-spec "$dir/compose.bad.yaml"
  echo "  two Dockerfiles and compose.yaml; a bad one of each is refused"
}

# Sets image, the folder that stands for the image, and metadata.
build_image() {
  metadata=$(CARGO_TARGET_DIR=$target "$tools/python" "$here/image.py" "$root/Dockerfile" "$cache/image" PROFILE=dev 2>"$dir/image.log") ||
    stop "The image's steps do not run:" "$dir/image.log"
  metadata=$(tail -n 1 <<<"$metadata")
  image=$(sed -n 's/^{"root": "\([^"]*\)".*/\1/p' <<<"$metadata")
  grep -q '"USER": "65532:65532"' <<<"$metadata" || stop "The image's user is not the number that the manifests name."
  [[ $("$image/usr/bin/scimgate" --version) == scimgate\ * ]] || stop "The image's program does not run."
  # What distroless/cc has; anything else is not there.
  if ldd "$image/usr/bin/scimgate" | grep -vE 'linux-vdso|/ld-linux|lib(c|m|gcc_s|dl|pthread|rt)\.so'; then
    stop "The program needs a library that the image has not."
  fi
  sed 's/COPY src src/COPY sources src/' "$root/Dockerfile" >"$dir/Dockerfile.bad"
  must_fail "a Dockerfile that copies what is not there" "$tools/python" "$here/image.py" "$dir/Dockerfile.bad" "$dir/bad-image"
  echo "  the image's steps ran in a clean folder: $(stat -c %s "$image/usr/bin/scimgate") bytes, with the C library only"
}

# What Prometheus's own parser says of the rules and of the dashboard's expressions.
observability() {
  local files=$root/deploy/observability
  promtool check rules "$files/alerts.yaml" >"$dir/rules.log" 2>&1 || stop "promtool refuses the rules:" "$dir/rules.log"
  promtool test rules "$files/alerts_test.yaml" >"$dir/rules.log" 2>&1 || stop "The rules do not what their tests say:" "$dir/rules.log"
  cp "$files"/alerts*.yaml "$dir"
  sed -i 's/scimgate_directory_connections == 0/scimgate_directory_connections == 1/' "$dir/alerts.yaml"
  must_fail "a rule that was turned around" promtool test rules "$dir/alerts_test.yaml"
  sed -i 's/ == 0/ === 0/' "$dir/alerts.yaml"
  must_fail "a rule that is no PromQL" promtool check rules "$dir/alerts.yaml"

  "$tools/python" "$here/dashboard.py" "$files/dashboard.json" >"$dir/dashboard.yaml" || stop "The dashboard is not what it should be."
  promtool check rules "$dir/dashboard.yaml" >"$dir/rules.log" 2>&1 || stop "promtool refuses the dashboard:" "$dir/rules.log"
  sed 's/sum by (route/sum by route/' "$files/dashboard.json" >"$dir/dashboard.json"
  "$tools/python" "$here/dashboard.py" "$dir/dashboard.json" >"$dir/dashboard.yaml" || stop "The dashboard is not what it should be."
  must_fail "a dashboard with an expression that is no PromQL" promtool check rules "$dir/dashboard.yaml"
  echo "  alert rules, their unit tests and the dashboard's expressions"
}

# compose.yaml's two services, on ports of their own: the same scripts and configuration, and the image's health check.
compose() {
  local tries=300 health
  mkdir -p "$dir/compose/deploy" "$dir/directory"
  cp -r "$root/deploy/compose" "$root/deploy/demo" "$dir/compose/deploy"
  ln -s "$root/config" "$dir/compose/config"
  rm -rf "$dir/compose/deploy/compose/secrets"
  SCIMGATE=$image/usr/bin/scimgate "$dir/compose/deploy/compose/prepare.sh" >"$dir/prepare.log" 2>&1 ||
    stop "prepare.sh failed:" "$dir/prepare.log"
  must_fail "a second prepare.sh, which would change the key" "$dir/compose/deploy/compose/prepare.sh"
  ldap_port=$(free_port)
  (BIND_PASSWORD=$dir/compose/deploy/compose/secrets/bind-password exec setsid "$dir/compose/deploy/compose/openldap.sh" \
    "$dir/directory" "ldap://127.0.0.1:$ldap_port") </dev/null >"$dir/openldap.log" 2>&1 &
  slapd_pid=$!
  until ldapwhoami -x -H "ldap://127.0.0.1:$ldap_port" >/dev/null 2>&1; do
    if ! runs "$slapd_pid" || ((--tries == 0)); then stop "OpenLDAP does not start:" "$dir/openldap.log"; fi
    sleep 0.1
  done

  port=$(free_port)
  admin_port=$(free_port)
  cp "$dir/compose/deploy/compose/secrets/"* "$dir"
  export SCIMGATE__SERVER__LISTEN="127.0.0.1:$port" SCIMGATE__ADMIN__LISTEN="127.0.0.1:$admin_port"
  export SCIMGATE__DIRECTORY__URLS="ldap://127.0.0.1:$ldap_port" SCIMGATE_CONFIG="$dir/scimgate.toml"
  # The command of HEALTHCHECK, with the image's root before the program.
  health=$(sed -n 's|.*CMD \[\\"\(/usr/bin/scimgate\)\\", \\"health\\"\]".*|\1|p' <<<"$metadata")
  [[ -n $health ]] || stop "The image has no health check by the program itself."
  must_fail "a health check without a server" "$image$health" health
  scimgate=$image/usr/bin/scimgate
  start_scimgate
  "$image$health" health >"$dir/health.log" 2>&1 || stop "The health check says no of a server that is well:" "$dir/health.log"
  key=$(sed -n 's/^Key: *//p' "$dir/prepare.log")
  [[ $(curl -qs --noproxy '*' -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $key" -H "Content-Type: application/scim+json" \
    -d '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ana@example.com","name":{"familyName":"A"}}' \
    "http://127.0.0.1:$port/scim/v2/Users") == 201 ]] || stop "A user could not be created:" "$dir/scimgate.log"
  curl -qsf --noproxy '*' "http://127.0.0.1:$admin_port/metrics" >"$dir/metrics" || stop "There are no metrics:" "$dir/scimgate.log"
  promtool check metrics <"$dir/metrics" >"$dir/promtool.log" 2>&1 || stop "promtool refuses the metrics:" "$dir/promtool.log"
  must_fail "metrics with a broken line" promtool check metrics < <(cat "$dir/metrics"; echo 'scimgate_x{ 1')
  end_process "$slapd_pid"
  must_fail "a health check while the directory is away" "$image$health" health
  "$image$health" health --live >"$dir/health.log" 2>&1 || stop "The server is not alive:" "$dir/health.log"
  end_process "$gateway_pid"
  echo "  compose's services ran: a user was created with prepare.sh's key; its metrics are Prometheus's; healthy, and not without its directory"
}

need slapd:slapd ldapsearch:ldap-utils openssl:openssl curl:curl node:nodejs npm:npm promtool:prometheus
install_python_tools
install_packages_of_npm
tools=$cache/venv/bin
find_program --profile=dev
dir=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-deploy.XXXXXX")
chmod 700 "$dir"

make_secrets
echo "Manifests"
"$tools/python" "$here/manifests.py" "$scimgate" "$cache"
echo "Observability"
observability
echo "Images and compose"
lint
build_image
compose
