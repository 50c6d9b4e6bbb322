# Processes and ports; sourced, not run.
# shellcheck shell=bash disable=SC2154

# Whether a child of ours is still running, by the shell's own list: a number alone may be another process's by now.
runs() {
  [[ -n $1 ]] && jobs -rp | grep -qx "$1"
}

# Ends a child of ours, gently at first.
end_process() {
  local pid=$1 tries=300
  if runs "$pid"; then kill -TERM "$pid" 2>/dev/null || true; fi
  while runs "$pid" && ((tries--)); do sleep 0.05; done
  if runs "$pid"; then kill -KILL "$pid" 2>/dev/null || true; fi
}

listens() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A port below those that the kernel gives to outgoing connections.
free_port() {
  local candidate
  while candidate=$((20000 + RANDOM % 12000)); [[ $candidate == "$port" ]] || listens "$candidate"; do :; done
  echo "$candidate"
}
