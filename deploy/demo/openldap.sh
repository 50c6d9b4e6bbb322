# A private OpenLDAP with a small organisation; sourced by demo.sh, not run. Everything is below $dir, where a bind-password of the
# caller's may be already.
# shellcheck shell=bash disable=SC2154

suffix="dc=example,dc=com"
service_dn="cn=scimgate,ou=services,$suffix"

# start_openldap: sets ldap_port, ldap_url and slapd_pid.
start_openldap() {
  local attempt
  mkdir "$dir/ldap"
  [[ -s $dir/bind-password ]] || openssl rand -hex 24 | tr -d '\n' >"$dir/bind-password"
  openssl rand -hex 24 | tr -d '\n' >"$dir/ldap/root-password"
  slapd_configuration >"$dir/ldap/slapd.conf"
  # Between the choice of a port and its use another program may take it, so there are several attempts.
  for attempt in 1 2 3 4 5; do
    ldap_port=$(free_port)
    ldap_url="ldap://127.0.0.1:$ldap_port"
    launch_slapd && break
    ((attempt < 5)) || stop "slapd does not start:" "$dir/ldap/log"
  done
  organisation | ldapadd -x -H "$ldap_url" -D "cn=root,$suffix" -y "$dir/ldap/root-password" >"$dir/ldap/add.log" 2>&1 ||
    stop "The sample organisation was refused:" "$dir/ldap/add.log"
}

launch_slapd() {
  local tries=200
  # -d 0 keeps it in the foreground, so that it is a child of ours. It sizes tables by the limit of open files.
  (ulimit -n 4096 2>/dev/null || true; exec setsid "$(slapd_program)" -d 0 -h "$ldap_url" -f "$dir/ldap/slapd.conf") \
    </dev/null >"$dir/ldap/log" 2>&1 &
  slapd_pid=$!
  until ldapwhoami -x -H "$ldap_url" >/dev/null 2>&1; do
    if ! runs "$slapd_pid" || ((--tries == 0)); then
      end_process "$slapd_pid"
      slapd_pid=
      return 1
    fi
    sleep 0.05
  done
}

# Ubuntu's AppArmor profile lets /usr/sbin/slapd use its own folders only. A copy elsewhere is not under that profile.
slapd_program() {
  local program
  program=$(command -v slapd)
  if [[ -e /etc/apparmor.d/usr.sbin.slapd ]] && grep -qs Y /sys/module/apparmor/parameters/enabled; then
    cp -u "$program" "$dir/ldap/slapd"
    program="$dir/ldap/slapd"
  fi
  echo "$program"
}

slapd_configuration() {
  mkdir "$dir/ldap/data"
  cat <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include "$root/config/schema/scimgate.schema"

modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
moduleload syncprov

pidfile "$dir/ldap/slapd.pid"
loglevel none

database mdb
suffix "$suffix"
directory "$dir/ldap/data"
maxsize 268435456
rootdn "cn=root,$suffix"
rootpw $(<"$dir/ldap/root-password")

index objectClass,entryUUID,entryCSN,scimgateExternalId,uid,cn,mail,member,memberOf eq

# What scimgate's account needs: to write both branches, to see the branches themselves, and no limit on the size of a list.
access to attrs=userPassword by self =w by anonymous auth by * none
access to dn.subtree="ou=people,$suffix" by dn.exact="$service_dn" write by users read
access to dn.subtree="ou=groups,$suffix" by dn.exact="$service_dn" write by users read
access to * by users read by anonymous auth
limits dn.exact="$service_dn" size=unlimited time=unlimited

# The refint overlay is left out on purpose: in slapd 2.5 it keeps a core busy after the first removal, and memberof-refint
# does the same work.
overlay memberof
memberof-refint TRUE

overlay ppolicy
ppolicy_default "cn=default,ou=policies,$suffix"
ppolicy_use_lockout

overlay syncprov
CONF
}

# The organisation as it was before SCIM: none of these entries is scimgate's.
organisation() {
  cat <<LDIF
dn: $suffix
objectClass: domain
dc: example

dn: ou=people,$suffix
objectClass: organizationalUnit
ou: people

dn: ou=groups,$suffix
objectClass: organizationalUnit
ou: groups

dn: ou=services,$suffix
objectClass: organizationalUnit
ou: services

dn: ou=policies,$suffix
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,$suffix
objectClass: organizationalRole
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdLockout: TRUE

dn: $service_dn
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: scimgate
userPassword: $(slappasswd -T "$dir/bind-password")

dn: uid=erin.byrne@example.com,ou=people,$suffix
objectClass: inetOrgPerson
uid: erin.byrne@example.com
cn: Erin Byrne
sn: Byrne
givenName: Erin
mail: erin.byrne@example.com

dn: uid=tom.okafor@example.com,ou=people,$suffix
objectClass: inetOrgPerson
uid: tom.okafor@example.com
cn: Tom Okafor
sn: Okafor
givenName: Tom
mail: tom.okafor@example.com

dn: cn=staff,ou=groups,$suffix
objectClass: groupOfNames
cn: staff
member: uid=erin.byrne@example.com,ou=people,$suffix
member: uid=tom.okafor@example.com,ou=people,$suffix
LDIF
}

# directory_search BASE FILTER ATTRIBUTE…: what an administrator sees, with scimgate's account.
directory_search() {
  local base=$1 filter=$2
  shift 2
  ldapsearch -x -LLL -o ldif-wrap=no -H "$ldap_url" -D "$service_dn" -y "$dir/bind-password" -b "$base" "$filter" "$@"
}
