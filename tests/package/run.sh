#!/usr/bin/env bash
# The packages: built, judged, and as root installed, upgraded, removed and purged in a view of this machine that nothing is kept of.
#
#   tests/package/run.sh                  builds the program first (release), unless it is there
#   SCIMGATE=FILE tests/package/run.sh    packs this program
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD

stop() {
  printf '%s\n' "$1" >&2
  if [[ -n ${2:-} ]]; then tail -n 40 "$2" >&2; fi
  exit 1
}

# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/packages.sh
. deploy/demo/packages.sh
# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/scimgate.sh
. deploy/demo/scimgate.sh

folder=$(mktemp -d "${TMPDIR:-/tmp}/scimgate-package.XXXXXX")
trap 'rm -rf "$folder"' EXIT

need dpkg-deb:dpkg dpkg-shlibdeps:dpkg-dev lintian:lintian rpm:rpm rpm2cpio:rpm2cpio cpio:cpio systemd-analyze:systemd \
  deb-systemd-helper:init-system-helpers cc:gcc openssl:openssl
# They pack once, so what makes them fast is not worth the time it takes.
tools=()
command -v cargo-deb >/dev/null || tools+=(cargo-deb@3.8.0)
command -v cargo-generate-rpm >/dev/null || tools+=(cargo-generate-rpm@0.21.1)
((${#tools[@]} == 0)) ||
  CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo install --locked "${tools[@]}" >"$folder/log" 2>&1 || stop "The tools could not be installed:" "$folder/log"
find_program --release

# Packed from a target folder of its own, in which nothing is compiled.
mkdir -p "$folder/target/release"
ln -s "$(realpath "$scimgate")" "$folder/target/release/scimgate"
version=$("$scimgate" --version | sed 's/^scimgate //')

echo "Debian package"
CARGO_TARGET_DIR=$folder/target cargo deb --no-build --fast --quiet --output "$folder/old.deb" >"$folder/log" 2>&1 ||
  stop "cargo deb failed:" "$folder/log"
# Of the first version there is no bug to close.
lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs "$folder/old.deb" >"$folder/lintian" 2>&1 ||
  stop "lintian found:" "$folder/lintian"
[[ $(dpkg-deb -f "$folder/old.deb" Version) == "$version-1" ]] || stop "The package is of another version than the program."

echo "RPM"
cargo generate-rpm --target-dir "$folder/target" --payload-compress gzip --output "$folder/scimgate.rpm" >"$folder/log" 2>&1 ||
  stop "cargo generate-rpm failed:" "$folder/log"
rpm -K --nosignature "$folder/scimgate.rpm" >"$folder/log" 2>&1 || stop "The RPM is not whole:" "$folder/log"
mkdir "$folder/rpm" "$folder/deb"
# rpm2cpio says that it failed when it did not; the list of files is compared below.
(cd "$folder/rpm" && (rpm2cpio "$folder/scimgate.rpm" || true) | cpio -id --quiet)
dpkg-deb -x "$folder/old.deb" "$folder/deb"

# What each has by its own customs: where licences and Debian's changelog are, and that documents are packed.
contents() {
  (cd "$1" && find . -type f -printf '/%P\n' | sed 's/\.gz$//' | grep -Ev '/licenses/|/copyright$|/changelog\.Debian$' | LC_ALL=C sort)
}
diff <(contents "$folder/deb") <(contents "$folder/rpm") >&2 || stop "The two packages differ in their files."
diff <(rpm -qp --nosignature --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$folder/scimgate.rpm" | sed -n 's/^-[^ ]* //p' | LC_ALL=C sort) \
  <(cd "$folder/rpm" && find . -type f -printf '/%P\n' | LC_ALL=C sort) >&2 || stop "The RPM lists other files than it has."
[[ $(rpm -qcp --nosignature "$folder/scimgate.rpm") == /etc/scimgate/scimgate.toml ]] || stop "The RPM has other configuration files."
cmp "$folder/rpm/etc/scimgate/scimgate.toml" "$folder/deb/etc/scimgate/scimgate.toml"
[[ $(rpm -qp --nosignature --scripts "$folder/scimgate.rpm" | grep -c 'scriptlet (using /bin/sh)') == 3 ]] ||
  stop "The RPM has not its three scripts."
for script in deploy/package/rpm/*.sh deploy/package/debian/p*; do sh -n "$script"; done

# The sample is a configuration once its lines are no comments any more.
sed -E 's/^#([a-z[])/\1/' deploy/package/scimgate.toml >"$folder/scimgate.toml"
printf 'x' >"$folder/bind-password"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=test -keyout "$folder/tls.key" \
  -out "$folder/tls.crt" 2>/dev/null
cp "$folder/tls.crt" "$folder/ldap-ca.pem"
sed -Ei "s|/run/credentials/scimgate.service/|$folder/|; s|sha256:…|sha256:$(printf 'a%.0s' {1..64})|" "$folder/scimgate.toml"
sed -i "s|/var/lib/scimgate/|$folder/|" "$folder/scimgate.toml"
chmod 600 "$folder"/scimgate.toml "$folder"/tls.key "$folder"/bind-password
"$scimgate" check --offline --config "$folder/scimgate.toml" >"$folder/log" 2>&1 || stop "The sample is not valid:" "$folder/log"

# Whether the service would go on to start: the unit's own condition, of a file.
condition=$(sed -n 's/^ExecCondition=+//p' deploy/systemd/scimgate.service | sed 's/\$\$/$/g; s|/etc/scimgate/scimgate.toml$||')
configured() { eval "$condition" '"$1"'; }
! configured deploy/package/scimgate.toml || stop "The untouched sample passes for a configuration."
configured "$folder/scimgate.toml" || stop "A configuration passes for none."

if ((EUID != 0)) || ! unshare -m true 2>/dev/null; then
  echo "LEFT OUT: installing needs root"
  exit
fi

# The next version, with another sample, as a later release may bring it.
dpkg-deb -R "$folder/old.deb" "$folder/next"
sed -i 's/^Version: .*/Version: 9.9.9-1/' "$folder/next/DEBIAN/control"
echo '# Another sample.' >>"$folder/next/etc/scimgate/scimgate.toml"
(cd "$folder/next" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
dpkg-deb -Znone -b "$folder/next" "$folder/new.deb" >/dev/null

export folder version
unshare -m bash -euo pipefail "$root/tests/package/machine.sh"
