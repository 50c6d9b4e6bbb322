#!/usr/bin/env bash
# A private Samba domain controller, which stands for Active Directory: an empty domain and scimgate's account.
#
#   samba-ad.sh start DIR PORT   LDAPS on an address of its own, made from PORT; DIR/access says which, and who may sign in;
#                                with CROWD=N in the environment N users and a group of all of them, cn=crowd, are there already
#   samba-ad.sh stop DIR         ends it and removes DIR
#
# Everything it writes is in DIR. Samba takes no other ports than 389, 636, 3268 and 3269, for which it has to be root; but the
# loopback network has sixteen million addresses, so each instance gets one, and any number run side by side.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=""
# shellcheck source-path=SCRIPTDIR source=server.sh
. "$root/tests/directory/server.sh"

# Debian's Python; Samba's modules are there and nowhere else.
python=/usr/bin/python3

# provision ADDRESS PASSWORD
provision() {
  # Access lists of files are kept in a file of their own, for the file system may have no extended attributes.
  samba-tool domain provision --targetdir="$dir" --realm=EXAMPLE.COM --domain=EXAMPLE --server-role=dc --host-name=dc1 \
    --host-ip="$1" --dns-backend=NONE --use-rfc2307 --adminpass="$2" --option="interfaces=$1/8" \
    --option="bind interfaces only=yes" --option="posix:eadb=$dir/private/eadb.tdb" \
    --option="vfs objects=dfs_samba4 acl_xattr xattr_tdb" >"$dir/provision.log" 2>&1 ||
    stop "Samba does not make a domain:" "$dir/provision.log"
  # Of all that a domain controller does, LDAP is enough.
  sed -i -e '/^\[global\]/a\
\tserver services = ldap\
\tdcerpc endpoint servers =\
\tpid directory = '"$dir"'/run\
\tncalrpc dir = '"$dir"'/run/ncalrpc\
\tlog file = '"$dir"'/log\
\tlog level = 1\
\tprefork children = 2\
\ttls keyfile = '"$dir"'/server.key\
\ttls certfile = '"$dir"'/server.pem\
\ttls cafile = '"$dir"'/ca.pem\
\ttls dh params file =' -e '/^\tlog file =/d' "$dir/etc/smb.conf"
}

# The account may make, change and remove users in ou=people and groups in ou=groups, and is no administrator of any kind.
organisation() {
  "$python" - "$dir" "$suffix" "$1" "${CROWD:-0}" <<'PYTHON' >"$dir/organisation.log" 2>&1 || stop "The domain refuses scimgate's account:" "$dir/organisation.log"
import sys

from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

CLASSES = {"people": "bf967aba-0de6-11d0-a285-00aa003049e2", "groups": "bf967a9c-0de6-11d0-a285-00aa003049e2"}

folder, suffix, password, crowd = sys.argv[1:]
configuration = LoadParm()
configuration.load(folder + "/etc/smb.conf")
domain = SamDB(url=folder + "/private/sam.ldb", session_info=system_session(configuration), lp=configuration)
for branch in [*CLASSES, "services"]:
    domain.add({"dn": f"ou={branch},{suffix}", "objectClass": "organizationalUnit"})
domain.newuser("scimgate", password, userou="ou=services")
account = domain.search(f"cn=scimgate,ou=services,{suffix}", attrs=["objectSid"])[0]
sid = domain.schema_format_value("objectSid", account["objectSid"][0]).decode()
for branch, of_class in CLASSES.items():
    for right in [f"(OA;CI;CCDC;{of_class};;{sid})", f"(OA;CIIO;GA;;{of_class};{sid})"]:
        SDUtils(domain).dacl_add_ace(f"ou={branch},{suffix}", right)
crowd = [f"member{n}" for n in range(int(crowd))]
names = [f"cn={name}@example.com,ou=people,{suffix}" for name in crowd]
# Within one transaction, for each costs as much as hundreds of entries.
domain.transaction_start()
for name, dn in zip(crowd, names):
    domain.add({"dn": dn, "objectClass": "user", "userPrincipalName": f"{name}@example.com", "sAMAccountName": name,
                "adminDescription": "scimgate"})
if crowd:
    domain.add({"dn": f"cn=crowd,ou=groups,{suffix}", "objectClass": "group", "groupType": "-2147483646",
                "sAMAccountName": "crowd", "adminDescription": "scimgate", "member": names})
domain.transaction_commit()
PYTHON
}

start() {
  local port=$2 address library administrator_password service_password
  library="/usr/lib/$(uname -m)-linux-gnu/samba"
  need samba:samba samba-tool:samba-common-bin /usr/share/samba/setup/provision.ldif:samba-ad-provision \
    "$library/ldb/samldb.so:samba-dsdb-modules" "$library/vfs/acl_xattr.so:samba-vfs-modules" winbindd:winbind openssl:openssl \
    "$python:python3" /usr/lib/python3/dist-packages/samba/samdb.py:python3-samba
  ((EUID == 0)) || stop "Samba has to be root."
  make_folder "$1"
  address=127.77.$((port / 256)).$((port % 256))
  if listens "$address" 636 || listens "$address" 389; then
    stop "$address is taken, or another program listens for LDAP on every address of this machine."
  fi
  mkdir "$dir/run"
  administrator_password=$(password)
  service_password=$(password)
  make_certificate "$address"
  # A test that ends Samba does not cut the power of the machine.
  export TDB_NO_FSYNC=1
  provision "$address" "$administrator_password"
  organisation "$service_password"
  launch samba --interactive --no-process-group --configfile="$dir/etc/smb.conf" --debug-stdout
  await "$address" 636 "$dir/output"
  write_access "ldaps://$address" "cn=Administrator,cn=Users,$suffix" "$administrator_password" "$service_password" "ldaps://$address"
}

main "$@"
