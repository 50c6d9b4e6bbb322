# shellcheck shell=bash
# What the scripts that let other programs at scimgate stand on; sourced by tests/*/run.sh, which set `here`, `root` and `cache`.
# (The folders that shellcheck is told are as seen from those.)

dir="" slapd_pid="" gateway_pid="" tool_pid="" port="" admin_port="" ldap_url=""

# stop MESSAGE [FILE]: ends the run with the reason, and the end of the file that tells more.
stop() {
  printf '%s\n' "$1" >&2
  if [[ -n ${2:-} ]]; then tail -n 40 "$2" >&2; fi
  exit 1
}

# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/packages.sh
. "$root/deploy/demo/packages.sh"
# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/processes.sh
. "$root/deploy/demo/processes.sh"
# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/openldap.sh
. "$root/deploy/demo/openldap.sh"
# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/scimgate.sh
. "$root/deploy/demo/scimgate.sh"

clean_up() {
  trap '' INT TERM HUP PIPE
  end_process "$tool_pid"
  end_process "$gateway_pid"
  end_process "$slapd_pid"
  [[ -z $dir ]] || rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP PIPE

# What requirements.txt names, in a virtual environment in $cache/venv that is made anew whenever the versions change.
install_python_tools() {
  need python3:python3
  # Debian keeps this part of Python in a package of its own.
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv || stop "Python's venv could not be installed."
  cmp -s "$here/requirements.txt" "$cache/installed.txt" && return
  rm -rf "$cache"
  mkdir -p "$cache"
  {
    python3 -m venv "$cache/venv" && "$cache/venv/bin/python" -m pip install --disable-pip-version-check -r "$here/requirements.txt"
  } >"$cache/log" 2>&1 || stop "The tools could not be installed:" "$cache/log"
  cp "$here/requirements.txt" "$cache/installed.txt"
}

# What package-lock.json names, in $cache beside the scripts that import it, anew whenever the versions change. No browser is fetched.
install_packages_of_npm() {
  mkdir -p "$cache"
  if ! cmp -s "$here/package-lock.json" "$cache/installed.json"; then
    rm -rf "$cache/node_modules" "$cache/installed.json"
    cp "$here/package.json" "$here/package-lock.json" "$cache"
    npm ci --prefix "$cache" --ignore-scripts --no-audit --no-fund >"$cache/log" 2>&1 ||
      stop "npm could not install the packages:" "$cache/log"
    cp "$here/package-lock.json" "$cache/installed.json"
  fi
  cp "$here"/*.mjs "$cache"
}

# Settings of the caller's environment would go before the file's; and nothing here goes through a proxy.
for variable in "${!SCIMGATE__@}"; do unset "$variable"; done
export NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1 PYTHONDONTWRITEBYTECODE=1
