# What the start scripts of directory servers have in common; sourced, not run. A server outlives the script that starts it: all
# there is to know of it is in $dir, also for the call that stops it.
# shellcheck shell=bash disable=SC2034,SC2154

suffix="dc=example,dc=com"
service_dn="cn=scimgate,ou=services,$suffix"

# stop MESSAGE [FILE]: ends the script with the reason, and the end of the file that tells more.
stop() {
  printf '%s\n' "$1" >&2
  if [[ -n ${2:-} ]]; then tail -n 40 "$2" >&2; fi
  exit 1
}

# shellcheck source-path=SCRIPTDIR source=../../deploy/demo/packages.sh
. "$root/deploy/demo/packages.sh"

# Makes $dir, which must be empty or not be there, readable by nobody else.
make_folder() {
  umask 077
  mkdir -p "$1"
  dir=$(cd "$1" && pwd)
  [[ -z $(ls -A "$dir") ]] || stop "$dir is not empty."
  : >"$dir/process"
}

# A password that the rules for complexity of any directory take.
password() {
  echo "Aa1-$(openssl rand -hex 16)"
}

# listens ADDRESS PORT
listens() {
  (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# Makes ca.pem, and server.pem and server.key for this IP address, in $dir.
make_certificate() {
  local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  {
    openssl req -x509 "${key[@]}" -days 3650 -subj "/CN=CA of a test" -addext "basicConstraints=critical,CA:TRUE" \
      -addext "keyUsage=critical,keyCertSign" -keyout "$dir/ca.key" -out "$dir/ca.pem" &&
      openssl req "${key[@]}" -subj "/CN=directory" -keyout "$dir/server.key" -out "$dir/server.csr" &&
      openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -days 3650 -out "$dir/server.pem" \
        -set_serial "0x$(openssl rand -hex 8)" -extfile <(printf 'basicConstraints=CA:FALSE\nsubjectAltName=IP:%s\n' "$1")
  } >"$dir/certificate.log" 2>&1 || stop "openssl does not make a certificate:" "$dir/certificate.log"
}

# The moment a process began, in ticks since the machine did: a number alone may be another process's by now.
born() {
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

runs() {
  local pid begun
  read -r pid begun 2>/dev/null <"$dir/process" && [[ $(born "$pid") == "$begun" ]]
}

# launch COMMAND…: starts a server in a session of its own.
launch() {
  # Some servers make a table of all the files they could open, which takes long where that is a million.
  ulimit -n 4096 2>/dev/null || true
  setsid "$@" </dev/null >"$dir/output" 2>&1 &
  echo "$! $(born $!)" >"$dir/process"
}

# await ADDRESS PORT LOG: until the server listens. It takes a few seconds on a busy machine, a minute is too much.
await() {
  local tries=1200
  until listens "$1" "$2"; do
    runs || stop "The server has ended:" "$3"
    ((tries--)) || stop "Nothing listens on $1:$2:" "$3"
    sleep 0.05
  done
}

# How to reach the server, for whoever uses it: lines of name=value.
# write_access URL ADMINISTRATOR PASSWORD SERVICE-PASSWORD TLS-URL
write_access() {
  cat >"$dir/access" <<ACCESS
url=$1
tls_url=$5
ca=$dir/ca.pem
account=$service_dn
password=$4
administrator=$2
administrator_password=$3
ACCESS
}

# Ends the server and takes its folder away; nothing to do is success.
stop_server() {
  local pid tries=200
  dir=$1
  [[ -d $dir ]] || return 0
  [[ -e $dir/process ]] || stop "$dir is not the folder of a server."
  if runs; then
    read -r pid _ <"$dir/process"
    # The session is the process group of all that the server started.
    kill -TERM -- "-$pid" 2>/dev/null || true
    while runs && ((tries--)); do sleep 0.05; done
    kill -KILL -- "-$pid" 2>/dev/null || true
  fi
  rm -rf "$dir"
}

# main COMMAND [ARGUMENT…]
main() {
  case "${1:-} $#" in
    "start 3") start "$2" "$3" ;;
    "stop 2") stop_server "$2" ;;
    *)
      sed -n 's/^#  *\([a-z0-9-]*\.sh .*\)/\1/p' "$0" >&2
      exit 2
      ;;
  esac
}
