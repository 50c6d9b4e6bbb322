# Debian packages that a script needs; sourced, not run. The caller defines `stop MESSAGE`, which ends it.
# shellcheck shell=bash

PATH="$PATH:${HOME:-}/.cargo/bin:/usr/local/sbin:/usr/sbin:/sbin"

# need PROGRAM:PACKAGE…: installs the packages whose program is not there, or whose file, which has a slash in its name.
need() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || [[ $pair == */* && -e ${pair%%:*} ]] || missing+=("${pair##*:}")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    stop "Programs are missing. Install them first: sudo apt-get install ${missing[*]}"
  fi
  echo "installing ${missing[*]}"
  install_packages "${missing[@]}" || stop "apt-get could not install ${missing[*]}; see above."
}

# Debian starts a service as soon as its package is there. A policy forbids that; one that exists already stays as it is.
install_packages() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  install=("${apt[@]}" install -y --no-install-recommends "$@")
  # The second attempt is for a machine whose package lists are old or were never fetched.
  "${install[@]}" >/dev/null 2>&1 || { "${apt[@]}" update && "${install[@]}" >/dev/null; } || exit 1
  # Nor should it start with the machine: what runs here is a private instance.
  if command -v systemctl >/dev/null; then
    local package
    for package in "$@"; do
      case $package in
        slapd | prometheus | redis-server) systemctl disable "$package" >/dev/null 2>&1 || true ;;
        samba) systemctl disable smbd nmbd winbind samba-ad-dc >/dev/null 2>&1 || true ;;
      esac
    done
  fi
)
