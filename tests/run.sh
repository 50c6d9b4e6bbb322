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
  if ((status)); then times+=("$(spent)  $part: FAILED"); fi
  printf '\n%sTime of each part%s\n' "$bold" "$plain"
  for line in "${times[@]}"; do printf '  %s\n' "$line"; done
  if ((status)); then printf '\n%sFailed: %s%s\n' "$red" "$part" "$plain" >&2; else echo "All parts passed."; fi
}
trap report EXIT

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

prepare() {
  need slapd:slapd ldapsearch:ldap-utils curl:curl openssl:openssl cc:gcc
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
run "documentation's examples" cargo test --doc --locked
run "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
# The program and slapd killed by turns; few users here, more by hand: cargo bench --bench survival.
run "survival" cargo test --quiet --locked --bench survival -- 300 6
run "conformance" tests/conformance/run.sh
# On a port of its own, for a demo may be up already.
run "demo" deploy/demo.sh --once --port $((20000 + RANDOM % 12000))
