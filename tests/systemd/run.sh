#!/usr/bin/env bash
# The units as systemd itself reads and judges them: tests/systemd/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

# What systemd-analyze may give a unit at most, in tenths.
most=20

command -v systemd-analyze > /dev/null || { apt-get update -qq && apt-get install -y -qq systemd > /dev/null; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The program is wherever it was built; verify wants it to be there.
true=$(command -v true)
for unit in scimgate.service scimgate.socket; do
  sed "s|/usr/bin/scimgate |$true |" "deploy/systemd/$unit" > "$folder/$unit"
done

said=$(systemd-analyze verify "$folder/scimgate.service" "$folder/scimgate.socket" 2>&1 || true)
if grep -F "$folder" <<< "$said"; then
  echo "systemd does not take the units as they are" >&2
  exit 1
fi
systemd-analyze security --offline=true --threshold=$most "$folder/scimgate.service" | tail -n 1

# Neither check lets everything pass.
sed 's/^Type=notify$/Type=notified/' "$folder/scimgate.service" > "$folder/wrong.service"
systemd-analyze verify "$folder/wrong.service" 2>&1 | grep -q "wrong.service" || { echo "verify finds no mistake" >&2; exit 1; }
printf '[Service]\nExecStart=%s\n' "$true" > "$folder/open.service"
if systemd-analyze security --offline=true --threshold=$most "$folder/open.service" > /dev/null; then
  echo "the judgement does not tell an open unit from a closed one" >&2
  exit 1
fi
