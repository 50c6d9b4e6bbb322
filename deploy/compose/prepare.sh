#!/usr/bin/env bash
# Makes what compose.yaml mounts: a password for scimgate's account in the directory, and scimgate.toml with a fresh key, which is
# printed once. SCIMGATE=FILE takes a program that is built already instead of the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ -e secrets ]]; then
  echo "deploy/compose/secrets is there already: remove it, and the volume scimgate_directory with it, to begin anew." >&2
  exit 1
fi
# Containers read the files under numbers of their own, so the files are open and the folder is not.
umask 022
mkdir -m 700 secrets
trap 'rm -rf secrets' ERR
openssl rand -hex 24 | tr -d '\n' >secrets/bind-password
cp scimgate.toml secrets/scimgate.toml
program=(docker compose run --build --rm --no-deps -T scimgate)
[[ -z ${SCIMGATE:-} ]] || program=("$SCIMGATE")
key=$("${program[@]}" key new --name ping)
sed -n '/^\[\[auth\.api_keys\]\]/,/^$/p' <<<"$key" >>secrets/scimgate.toml
sed -n '/^Key:/p' <<<"$key"
