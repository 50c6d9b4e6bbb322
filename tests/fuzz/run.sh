#!/usr/bin/env bash
# Fuzzes each target for some seconds, on stable Rust: the coverage that libFuzzer is led by is the compiler's own. There is no
# unsafe code for a sanitizer to look at. It begins with the inputs in seeds/ and collects more in corpus/; what is found is left
# in artifacts/.
#
#     tests/fuzz/run.sh [SECONDS [TARGET…]]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seconds=${1:-60}
shift || true
targets=("$@")
((${#targets[@]})) || targets=(filter path patch_apply bulk dn ldap_filter)

host=$(rustc -vV | sed -n 's/^host: //p')
coverage=(-Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  coverage+=("-Cllvm-args=-sanitizer-coverage-$option")
done
# With --target, build scripts are left alone by these flags.
export RUSTFLAGS="--cfg fuzzing ${coverage[*]} -Cdebug-assertions -Coverflow-checks"
cargo build --release --target "$host"

built=${CARGO_TARGET_DIR:-target}/$host/release
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  "$built/$target" "corpus/$target" "seeds/$target" -max_total_time="$seconds" -artifact_prefix="artifacts/$target/" -print_final_stats=0 2>&1 |
    sed -n "/panicked\|ERROR\|SUMMARY\|DONE/s/^/$target: /p"
done
