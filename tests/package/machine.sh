#!/usr/bin/env bash
# The life of the package on a machine: what is below is this one, and what is written is in memory only. Called by run.sh in a mount
# namespace of its own, with `folder` and `version`.
set -euo pipefail

stop() {
  printf '%s\n' "$1" >&2
  exit 1
}

view=$folder/view
mkdir "$view"
mount -t tmpfs -o mode=755 none "$view"
mkdir "$view/written" "$view/work" "$view/machine"
mount -t overlay -o "lowerdir=/,upperdir=$view/written,workdir=$view/work" overlay "$view/machine"
machine=$view/machine
mount -t proc none "$machine/proc"
mount -t tmpfs none "$machine/run"
mount --bind "$folder" "$machine/mnt"

on() { chroot "$machine" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
package() { on dpkg --force-confdef --force-confold "$@" >"$folder/log" 2>&1 || stop "dpkg $*: $(tail -n 20 "$folder/log")"; }
# All files of the machine that this package could have to do with, beside dpkg's own notes.
files() { (cd "$machine" && find etc usr var -xdev -name '*scimgate*' -not -path 'var/lib/dpkg/*' | LC_ALL=C sort); }
state() { on dpkg-query -W -f '${db:Status-Abbrev}' scimgate 2>/dev/null || true; }
# Whether systemd would start it with the machine.
enabled() { [[ -L $machine/etc/systemd/system/multi-user.target.wants/scimgate.service ]]; }
settings=$machine/etc/scimgate/scimgate.toml

[[ -z $(state) ]] || stop "scimgate is installed on this machine."
files >"$folder/before"

echo "installation"
package -i /mnt/old.deb
[[ $(state) == "ii " ]] || stop "It is not installed: $(state)"
[[ $(on scimgate --version) == "scimgate $version" ]] || stop "Another version was installed."
enabled || stop "The service is not enabled."
[[ ! -e $machine/etc/systemd/system/sockets.target.wants/scimgate.socket ]] || stop "The socket is enabled, and nobody asked for it."
on dpkg --verify scimgate >"$folder/log" 2>&1 || stop "Files are not as packed: $(<"$folder/log")"
# It is judged as installed, with the program where the unit says it is.
said=$(on systemd-analyze verify /usr/lib/systemd/system/scimgate.service /usr/lib/systemd/system/scimgate.socket 2>&1 || true)
! grep -F scimgate <<<"$said" >&2 || stop "systemd does not take the units as they are installed."
# The sample says nothing, so nothing is served by it.
if on scimgate check --offline >"$folder/log" 2>&1; then stop "The untouched sample passes the check."; fi
grep -q users.base "$folder/log" || grep -q '\[users\]' "$folder/log" || stop "The check does not say what is missing: $(<"$folder/log")"

echo "configuration"
cp "$folder/scimgate.toml" "$settings"
cp "$folder/tls.crt" "$folder/ldap-ca.pem" "$machine/etc/scimgate/"
sed -i 's|= "/.*/\(tls.key\|bind-password\|audit.jsonl\)"|= "/mnt/\1"|' "$settings"
on scimgate check --offline >"$folder/log" 2>&1 || stop "The check does not pass: $(<"$folder/log")"
mine=$(sha256sum <"$settings")
# Kept in the state's folder: the audit. And the administrator switches the service off.
mkdir -p "$machine/var/lib/private/scimgate"
ln -s private/scimgate "$machine/var/lib/scimgate"
echo '{}' >"$machine/var/lib/scimgate/audit.jsonl"
on systemctl disable scimgate.service >/dev/null 2>&1
! enabled || stop "It cannot be switched off."

echo "upgrade"
package -i /mnt/new.deb
[[ $(on dpkg-query -W -f '${Version}' scimgate) == 9.9.9-1 ]] || stop "It was not upgraded."
[[ $(sha256sum <"$settings") == "$mine" ]] || stop "The upgrade changed the configuration."
grep -q 'Another sample' "$settings.dpkg-dist" || stop "The new sample is not beside the configuration."
[[ -s $machine/var/lib/scimgate/audit.jsonl ]] || stop "The upgrade took the audit away."
! enabled || stop "The upgrade switched the service on again."
on systemctl enable scimgate.service >/dev/null 2>&1

echo "removal"
package -r scimgate
[[ $(state) == "rc " ]] || stop "It is not removed: $(state)"
[[ $(sha256sum <"$settings") == "$mine" ]] || stop "Removing took the configuration away."
[[ -s $machine/var/lib/scimgate/audit.jsonl ]] || stop "Removing took the audit away."
[[ ! -e $machine/usr/bin/scimgate ]] || stop "Removing left the program."
package -i /mnt/old.deb
enabled || stop "Installed again, it is not enabled as it was."
on scimgate check --offline >"$folder/log" 2>&1 || stop "Installed again, it lost its configuration."

echo "purging"
package -P scimgate
[[ -z $(state) || $(state) == "un " ]] || stop "It is not purged: $(state)"
# What the administrator put beside the configuration is the administrator's.
[[ $(cd "$machine/etc/scimgate" && echo *) == "ldap-ca.pem tls.crt" ]] || stop "Purging left $(ls "$machine/etc/scimgate")."
rm -r "$machine/etc/scimgate"
files >"$folder/after"
diff "$folder/before" "$folder/after" >&2 || stop "Purging left something."

echo "the same with the RPM"
red_hat() { on rpm "$@" >"$folder/log" 2>&1 || stop "rpm $*: $(tail -n 20 "$folder/log")"; }
mkdir -p "$machine/var/lib/rpm"
red_hat --initdb
# Debian's packages are nothing that rpm knows of.
red_hat -i --force-debian --nosignature --nodeps /mnt/scimgate.rpm
red_hat -V --nodeps scimgate
[[ $(on scimgate --version) == "scimgate $version" ]] || stop "The RPM installed another version."
enabled || stop "The RPM's service is not enabled."
if on scimgate check --offline >"$folder/log" 2>&1; then stop "The RPM's untouched sample passes the check."; fi
echo '# Mine.' >>"$settings"
red_hat -e --nodeps scimgate
[[ ! -e $settings ]] && tail -n 1 "$settings.rpmsave" | grep -q Mine || stop "Removing the RPM lost a changed configuration."
rm -r "$machine/etc/scimgate"
files >"$folder/after"
diff "$folder/before" "$folder/after" >&2 || stop "Removing the RPM left something."
