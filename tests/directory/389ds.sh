#!/usr/bin/env bash
# A private 389 Directory Server with nothing in it but its suffix and scimgate's account.
#
#   389ds.sh start DIR PORT      LDAP on 127.0.0.1:PORT, LDAPS on the next port; DIR/access says who may sign in
#   389ds.sh stop DIR            ends it and removes DIR
#
# Everything it writes is in DIR, so that any number run side by side. It is made from the package's own template, as dscreate
# makes one, but neither /etc/dirsrv nor systemd takes part.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=""
# shellcheck source-path=SCRIPTDIR source=server.sh
. "$root/tests/directory/server.sh"

template=/usr/share/dirsrv/data/template-dse.ldif

# The plug-ins a company has on: who is a member of what, no dangling names, and a number for every change.
plugins="memberof plugin|referential integrity postoperation|usn"

configuration() {
  local port=$1 administrator_hash=$2
  sed -e "s|%ds_suffix%|$suffix|; s|%rootdn%|cn=Directory Manager|; s|%ds_passwd%|$administrator_hash|; s|%ds_port%|$port|" \
    -e "s|%ds_user%|$(id -un)|; s|%fqdn%|localhost|; s|%db_lib%|mdb|; s|%ldapi_[a-z]*%|off|; s|%ldapi%|$dir/socket|" \
    -e "s|%cert_dir%|$dir/config|; s|%inst_dir%|$dir|; s|%db_home_dir%|$dir/db|; s|%ldif_dir%|$dir|" \
    -e "s|%schema_dir%|$dir/config/schema|; s|%\([a-z]*\)_dir%|$dir/\1|" "$template" |
    awk -v plugins="$plugins" -v secure_port=$((port + 1)) '
      /^dn:/ { dn = tolower($0); split(plugins, names, "|"); on = 0
               for (n in names) if (dn == "dn: cn=" names[n] ",cn=plugins,cn=config") on = 1 }
      tolower($0) == "nsslapd-pluginenabled: off" && on { sub(/off/, "on") }
      # It would take no letters but ASCII in uid and mail.
      tolower($0) == "nsslapd-pluginenabled: on" && dn == "dn: cn=7-bit check,cn=plugins,cn=config" { sub(/on$/, "off") }
      # What an entry gets to carry memberOf, and who else is to be found in a group of groups.
      tolower($0) ~ /^memberofattr:/ { print "memberOfAutoAddOC: nsMemberOf"; print "memberOfSkipNested: off" }
      { print }
      dn == "dn: cn=config" && /^cn:/ {
        print "nsslapd-listenhost: 127.0.0.1"; print "nsslapd-securelistenhost: 127.0.0.1"
        print "nsslapd-security: on"; print "nsslapd-securePort: " secure_port
        print "nsslapd-accesslog-logging-enabled: off"; print "nsslapd-allow-anonymous-access: rootdse"
      }'
  # A user ID is given once.
  cat <<LDIF

dn: cn=mdb,cn=config,cn=ldbm database,cn=plugins,cn=config
objectClass: top
objectClass: extensibleObject
cn: mdb
nsslapd-mdb-max-size: 1073741824
nsslapd-mdb-max-dbs: 256

dn: cn=unique uid,cn=plugins,cn=config
objectClass: top
objectClass: nsSlapdPlugin
objectClass: extensibleObject
cn: unique uid
nsslapd-pluginPath: libattr-unique-plugin
nsslapd-pluginInitfunc: NSUniqueAttr_Init
nsslapd-pluginType: betxnpreoperation
nsslapd-pluginEnabled: on
nsslapd-plugin-depends-on-type: database
nsslapd-pluginId: NSUniqueAttr
nsslapd-pluginVersion: 1
nsslapd-pluginVendor: 389 Project
nsslapd-pluginDescription: unique uid
uniqueness-attribute-name: uid
uniqueness-subtrees: ou=people,$suffix

dn: cn="$suffix",cn=mapping tree,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsMappingTree
cn: "$suffix"
nsslapd-state: backend
nsslapd-backend: userRoot

dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsBackendInstance
cn: userRoot
nsslapd-suffix: $suffix
nsslapd-directory: $dir/db/userRoot

dn: cn=index,cn=userRoot,cn=ldbm database,cn=plugins,cn=config
objectClass: top
objectClass: extensibleObject
cn: index
LDIF
  # The first line is what the server itself works by; the others are what is searched for.
  index subtree entryrdn
  index eq parentid ancestorid nsUniqueId nsTombstoneCSN entryusn
  index pres aci numSubordinates
  index eq objectClass uid cn mail sn givenName displayName employeeNumber scimgateExternalId
  index eq member uniqueMember memberOf manager owner seeAlso
}

# index KIND ATTRIBUTE…
index() {
  local kind=$1 attribute
  shift
  for attribute in "$@"; do
    cat <<LDIF

dn: cn=$attribute,cn=index,cn=userRoot,cn=ldbm database,cn=plugins,cn=config
objectClass: top
objectClass: nsIndex
cn: $attribute
nsSystemIndex: false
nsIndexType: $kind
LDIF
  done
}

# The account writes what is in ou=people and ou=groups, and nothing else; it has no limit on the size of a list. Of the
# operational attributes each has to be named.
organisation() {
  local all="allow (read,search,compare,add,write,delete) userdn = \"ldap:///$service_dn\";"
  local attributes='targetattr = "* || nsUniqueId || nsAccountLock || entryusn || createTimestamp || modifyTimestamp"'
  cat <<LDIF
dn: $suffix
objectClass: domain
dc: example
aci: (targetattr != "userPassword || aci") (version 3.0; acl "users read"; allow (read,search,compare) userdn = "ldap:///all";)

dn: ou=people,$suffix
objectClass: organizationalUnit
ou: people
aci: ($attributes) (targetfilter = "(objectClass=inetOrgPerson)") (version 3.0; acl "scimgate writes people"; $all)
aci: (target_to = "ldap:///ou=people,$suffix") (target_from = "ldap:///ou=people,$suffix") (version 3.0; acl "scimgate moves people"; allow (moddn) userdn = "ldap:///$service_dn";)

dn: ou=groups,$suffix
objectClass: organizationalUnit
ou: groups
aci: ($attributes) (targetfilter = "(objectClass=groupOfNames)") (version 3.0; acl "scimgate writes groups"; $all)

dn: ou=services,$suffix
objectClass: organizationalUnit
ou: services

dn: $service_dn
objectClass: applicationProcess
objectClass: simpleSecurityObject
objectClass: extensibleObject
cn: scimgate
userPassword: $1
nsSizeLimit: -1
nsLookThroughLimit: -1
nsPagedSizeLimit: -1
LDIF
}

# The certificate where the server looks for it: in a database of NSS.
store_certificate() {
  {
    echo "pin" >"$dir/config/pwdfile.txt"
    echo "Internal (Software) Token:pin" >"$dir/config/pin.txt"
    openssl pkcs12 -export -in "$dir/server.pem" -inkey "$dir/server.key" -name Server-Cert -passout pass:pin -out "$dir/server.p12" &&
      certutil -N -d "sql:$dir/config" -f "$dir/config/pwdfile.txt" &&
      certutil -A -d "sql:$dir/config" -f "$dir/config/pwdfile.txt" -n CA -t CT,, -a -i "$dir/ca.pem" &&
      pk12util -i "$dir/server.p12" -d "sql:$dir/config" -k "$dir/config/pwdfile.txt" -W pin
  } >>"$dir/certificate.log" 2>&1 || stop "The certificate could not be stored:" "$dir/certificate.log"
}

start() {
  local port=$2 administrator_password service_password
  need ns-slapd:389-ds-base certutil:libnss3-tools openssl:openssl
  make_folder "$1"
  if listens 127.0.0.1 "$port" || listens 127.0.0.1 $((port + 1)); then stop "The port $port or the next is taken."; fi
  mkdir -p "$dir"/{bak,config/schema,db/userRoot,lock,log,run,tmp}
  administrator_password=$(password)
  service_password=$(password)
  make_certificate 127.0.0.1
  store_certificate
  # The standard schema is read where the package has it; this folder is for what is added.
  cp /etc/dirsrv/schema/99user.ldif "$root/config/schema/99scimgate.ldif" "$dir/config/schema/"
  cp /etc/dirsrv/config/slapd-collations.conf "$dir/config/"
  # A fast hash: the tests sign in often.
  configuration "$port" "$(pwdhash -s SSHA512 "$administrator_password")" | cat -s >"$dir/config/dse.ldif"
  organisation "$(pwdhash -s SSHA512 "$service_password")" >"$dir/organisation.ldif"
  ns-slapd ldif2db -D "$dir/config" -n userRoot -i "$dir/organisation.ldif" >"$dir/import.log" 2>&1 ||
    stop "The suffix was refused:" "$dir/import.log"
  launch ns-slapd -D "$dir/config" -i "$dir/run/pid" -d 0
  await 127.0.0.1 "$port" "$dir/log/errors"
  await 127.0.0.1 $((port + 1)) "$dir/log/errors"
  write_access "ldap://127.0.0.1:$port" "cn=Directory Manager" "$administrator_password" "$service_password" \
    "ldaps://127.0.0.1:$((port + 1))"
}

main "$@"
