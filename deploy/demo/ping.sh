# What Ping Identity sends, in its order; sourced by demo.sh, not run. The requests are curl's, over TLS.
# shellcheck shell=bash disable=SC2154

# call METHOD PATH WANTED-STATUS WORDS [BODY]: one request and a line about it. Any other status ends the demo.
call() {
  local method=$1 path=$2 wanted=$3 words=$4 body=${5:-} status colour=$green
  local options=(--request "$method" --output "$dir/answer" --dump-header "$dir/answer.head" --write-out '%{http_code}')
  if [[ -n $body ]]; then
    options+=(--header 'Content-Type: application/scim+json' --data-binary "$body")
  fi
  : >"$dir/answer"
  status=$(curl -q --config "$dir/curl" "${options[@]}" "$base_url$(encoded "$path")" 2>"$dir/curl.log") ||
    stop "$method $path could not be sent:" "$dir/curl.log"
  [[ $status == "$wanted" ]] || colour=$red
  printf '  %-6s %-50s %s%s%s  %s\n' "$method" "$(shortened "$path")" "$colour" "$status" "$plain" "$words"
  [[ $status == "$wanted" ]] || stop "The answer should have been $wanted. It was:" "$dir/answer"
}

# expect PATTERN / expect_not PATTERN: about the last answer.
expect() {
  grep -Eq -- "$1" "$dir/answer" || stop "The answer has no $1:" "$dir/answer"
}
expect_not() {
  ! grep -Eq -- "$1" "$dir/answer" || stop "The answer should not have $1:" "$dir/answer"
}

# The id of the resource just made: the last part of the Location header (RFC 7644 section 3.3).
new_id() {
  local id
  id=$(sed -n 's/\r$//; s,^[Ll]ocation: .*/,,p' "$dir/answer.head")
  [[ -n $id ]] || stop "The answer has no Location:" "$dir/answer.head"
  echo "$id"
}

# The characters that Ping's filters hold and a URL must not.
encoded() {
  local path=${1// /%20}
  path=${path//\"/%22}
  echo "${path//@/%40}"
}

# Ids are long: eight digits tell them apart on the screen.
shortened() {
  sed -E 's/([0-9a-f]{8})-[0-9a-f-]{27}/\1.../' <<<"$1"
}

# user USERNAME GIVEN FAMILY TITLE ACTIVE [ID]: a whole user, with the attributes that Ping's default mapping fills.
user() {
  local id=${6:+"\"id\":\"$6\","}
  cat <<JSON
{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
 $id "userName":"$1","name":{"givenName":"$2","familyName":"$3"},"title":"$4",
 "emails":[{"value":"$1","type":"work","primary":true}],"active":$5,
 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R&D"}}
JSON
}

# group NAME ID…: a whole group with these members.
group() {
  local name=$1 members
  shift
  members=$(printf ',{"value":"%s"}' "$@")
  echo "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:Group\"],\"displayName\":\"$name\",\"members\":[${members#,}]}"
}

# patch_add_member ID: what Ping sends where PATCH is ticked for groups.
patch_add_member() {
  echo "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],
    \"Operations\":[{\"op\":\"add\",\"path\":\"members\",\"value\":[{\"value\":\"$1\"}]}]}"
}

# lookup USERNAME WORDS: Ping's default user filter; nobody is there yet.
lookup() {
  call GET "/Users?filter=userName Eq \"$1\"" 200 "$2"
  expect '"totalResults": *0[,}]'
}

provision_as_ping() {
  local ana jun ola developers

  call GET '/Users?count=1' 200 "test connection; no user is managed yet"
  expect '"totalResults": *0[,}]'

  lookup ana.ruiz@example.com "Ana is not there yet"
  call POST /Users 201 "Ana is created" "$(user ana.ruiz@example.com Ana Ruiz Engineer true)"
  ana=$(new_id)
  lookup jun.sato@example.com "Jun is not there yet"
  call POST /Users 201 "Jun is created" "$(user jun.sato@example.com Jun Sato Engineer true)"
  jun=$(new_id)
  lookup ola.berg@example.com "Ola is not there yet"
  call POST /Users 201 "Ola is created" "$(user ola.berg@example.com Ola Berg Analyst true)"
  ola=$(new_id)

  call PUT "/Users/$ana" 200 "Ana has a new title" "$(user ana.ruiz@example.com Ana Ruiz "Principal Engineer" true "$ana")"
  expect '"title": *"Principal Engineer"'

  call GET '/Groups?startIndex=1&count=1000' 200 "no group is managed yet; cn=staff is not ours"
  expect '"totalResults": *0[,}]'
  call POST /Groups 201 "created, with Ana and Jun" "$(group lightrun-developers "$ana" "$jun")"
  developers=$(new_id)
  call PATCH "/Groups/$developers" 204 "Ola joins" "$(patch_add_member "$ola")"
  call GET "/Groups/$developers" 200 "three members"
  expect "\"$ana\"" && expect "\"$jun\"" && expect "\"$ola\""

  call PUT "/Users/$jun" 200 "Jun is deactivated" "$(user jun.sato@example.com Jun Sato Engineer false "$jun")"
  call GET "/Users/$jun" 200 "inactive, and still a member"
  expect '"active": *false'
  expect "\"$developers\""

  call DELETE "/Users/$ola" 204 "Ola is removed"
  call GET "/Users/$ola" 404 "gone"
  call GET "/Groups/$developers" 200 "and no longer a member"
  expect_not "\"$ola\""
}

# Refusals, with the sentence that the administrator reads in Ping's audit.
refusals() {
  call POST /Users 400 "the default mapping of PingOne sends a user name" "$(user aruiz Ana Ruiz Engineer true)"
  detail
  call POST /Users 409 "Erin was in the directory before" "$(user erin.byrne@example.com Erin Byrne Engineer true)"
  detail
}

detail() {
  local text
  text=$(sed -n 's/.*"detail": *"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$dir/answer" | sed 's/\\"/"/g')
  [[ -n $text ]] || stop "The answer gives no reason:" "$dir/answer"
  fold -s -w 100 <<<"$text" | sed "s/ *$//; s/.*/         $dim&$plain/"
}
