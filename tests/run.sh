#!/usr/bin/env bash
# Every test, in the order in which a mistake is cheapest to find. The first part that fails ends the run. As root it
# installs what is missing; later runs need no root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

part="preparation" started=$SECONDS times=()
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m'
else
  bold="" red="" plain=""
fi

stop() {
  printf '%s\n' "$1" >&2
  exit 1
}

# shellcheck source-path=SCRIPTDIR source=../deploy/demo/packages.sh
. deploy/demo/packages.sh

report() {
  local status=$? line
  stop_server
  if ((status)); then times+=("$(spent)  $part: FAILED"); fi
  printf '\n%sTime of each part%s\n' "$bold" "$plain"
  for line in "${times[@]}"; do printf '  %s\n' "$line"; done
  if ((status)); then printf '\n%sFailed: %s%s\n' "$red" "$part" "$plain" >&2; else echo "All parts passed."; fi
}
trap report EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

spent() {
  printf '%3d:%02d' $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60))
}

# run NAME COMMAND…
run() {
  part=$1 started=$SECONDS
  shift
  printf '\n%s== %s%s\n' "$bold" "$part" "$plain"
  "$@"
  times+=("$(spent)  $part")
}

# The server of the part that runs now, and the script that stops it.
server="" script=""
stop_server() {
  if [[ -n $server ]]; then
    "$script" stop "$server/server" || true
    rm -rf "$server"
  fi
  server=""
}

# In memory where there is a gigabyte of it, for the servers write a lot and all of it is thrown away. A container may have 64 MB.
roomy_folder() {
  local free
  free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1) || free=0
  if [[ -w /dev/shm ]] && ((free > 1048576)); then echo /dev/shm; else echo "${TMPDIR:-/tmp}"; fi
}

# on_directory NAME SCRIPT: the tests of operations, all of them on one server at the same time.
on_directory() {
  local name=$1 attempt
  script=tests/directory/$2
  server=$(mktemp -d -p "$(roomy_folder)" scimgate-test.XXXXXX)
  # Between the choice of a port and its use another program may take it.
  for attempt in 1 2 3; do
    "$script" start "$server/server" $((20000 + RANDOM % 12000)) && break
    "$script" stop "$server/server"
    ((attempt < 3)) || stop "$2 does not start a server."
  done
  SCIMGATE_TEST_DIRECTORY=$name SCIMGATE_TEST_SERVER=$server/server cargo nextest run --locked --profile "$name"
  stop_server
}

prepare() {
  need slapd:slapd ldapsearch:ldap-utils redis-server:redis-server curl:curl openssl:openssl cc:gcc
  command -v cargo >/dev/null || stop "Rust is missing: https://rustup.rs tells how to install it."
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    rustup component add rustfmt clippy
  fi
  cargo nextest --version >/dev/null 2>&1 || cargo install cargo-nextest --locked
}

# The pure core (scim, directory, mapping) must build without a single crate that does I/O.
run "preparation" prepare
run "format" cargo fmt --check
run "lints" cargo clippy --all-targets --locked -- -D warnings
run "core without I/O" cargo check --no-default-features --lib --locked
run "tests of the core" cargo test --no-default-features --lib --locked
run "all tests" cargo nextest run --locked
run "operations on 389 DS" on_directory 389ds 389ds.sh
if ((EUID == 0)); then
  run "operations on Samba AD" on_directory samba-ad samba-ad.sh
else
  times+=("  -:--  operations on Samba AD: LEFT OUT, for a domain controller has to be root")
fi
run "documentation's examples" cargo test --doc --locked
run "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
# The program and slapd killed by turns; few users here, more by hand: cargo bench --bench survival.
run "survival" cargo test --quiet --locked --bench survival -- 300 6
# What a client notices of an attack on the keys, printed and not judged.
run "brute force" cargo test --quiet --locked --bench bruteforce -- 3 100
run "TLS" tests/tls/run.sh
run "conformance" tests/conformance/run.sh
run "tokens of another issuer" tests/issuer/run.sh
run "sign-in page and OAuth clients" tests/browser/run.sh
run "console" tests/console/run.sh
run "deployment" tests/deploy/run.sh
run "traces" tests/traces/run.sh
run "systemd units" tests/systemd/run.sh
# On a port of its own, for a demo may be up already.
run "demo" deploy/demo.sh --once --port $((20000 + RANDOM % 12000))
# They pack what the demo has built.
run "packages" tests/package/run.sh
