# The program, and the server from $dir/scimgate.toml; sourced, not run.
# shellcheck shell=bash disable=SC2154

# find_program [CARGO-OPTION…]: sets scimgate, the program, built unless it was given.
find_program() {
  if [[ -n ${SCIMGATE:-} ]]; then
    scimgate=$(command -v "$SCIMGATE") || stop "SCIMGATE=$SCIMGATE is no program."
    return
  fi
  need cc:gcc
  command -v cargo >/dev/null || stop "Rust is missing: https://rustup.rs tells how to install it."
  # Cargo says where the program is, whatever the target folder. Its progress goes to the terminal.
  local messages
  messages=$(cargo build --locked --bin scimgate --manifest-path "$root/Cargo.toml" "$@" \
    --message-format json-render-diagnostics) || stop "scimgate could not be built."
  scimgate=$(sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<<"$messages" | tail -n 1)
}

start_scimgate() {
  local tries=300
  # In a session of its own: Ctrl-C is for this script, which then ends the servers in their order.
  setsid "$scimgate" serve --config "$dir/scimgate.toml" </dev/null >"$dir/scimgate.log" 2>&1 &
  gateway_pid=$!
  until curl -qsf --noproxy '*' --max-time 5 --output /dev/null "http://127.0.0.1:$admin_port/readyz"; do
    runs "$gateway_pid" || stop "scimgate ended at once:" "$dir/scimgate.log"
    ((--tries)) || stop "scimgate does not become ready:" "$dir/scimgate.log"
    sleep 0.1
  done
}
