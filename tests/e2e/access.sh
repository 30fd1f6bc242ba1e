#!/usr/bin/env bash
# Who may ask, as an operator sets it up: an authority, certificates, a token, a socket file; what
# curl then sees. PALISADE names a binary to take in place of a release build.
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in curl openssl; do
  command -v "$program" >/dev/null || { echo "missing program: $program (Debian package $program)" >&2; exit 1; }
done

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi

work=$(mktemp -d)
service=
stop() {
  [ -z "$service" ] || { kill "$service" 2>/dev/null; wait "$service" 2>/dev/null; } || true
  rm -rf "$work"
}
trap stop EXIT

fail() { echo "access: $*" >&2; echo "--- the log:" >&2; cat "$work/log" >&2; exit 1; }

# An authority, and certificates that it signs.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=authority" \
  -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
certificate() { # file name, extended key usage
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=%s\n' "$2" >"$work/$1.ext"
  openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial \
    -days 2 -extfile "$work/$1.ext" -out "$work/$1.pem" 2>/dev/null
}
certificate server serverAuth
certificate renewed serverAuth
certificate client clientAuth

# A token, and the file that has its digest.
token=$(openssl rand -hex 32)
sha256=$(printf %s "$token" | openssl dgst -sha256 -r | cut -d' ' -f1)
printf '[[bearer]]\nname = "app"\nsha256 = "%s"\n' "$sha256" >"$work/credentials.toml"

"$PALISADE" serve --listen 127.0.0.1:0 "unix:$work/pdp.sock" --admin-listen 127.0.0.1:0 \
  --tls-cert "$work/server.pem" --tls-key "$work/server.key" --tls-client-ca "$work/ca.pem" \
  --credentials "$work/credentials.toml" --allow-uid "$(id -u)" --socket-mode 0600 \
  --admin-tls-cert "$work/server.pem" --admin-tls-key "$work/server.key" \
  --poll-interval 100ms --shutdown-grace 0s --log-format json 2>"$work/log" &
service=$!

address() { # of a listener, once the log tells it
  sed -nE "s/.*\"message\":\"listening\".*\"listener\":\"$1\".*\"address\":\"([0-9][^\"]*)\".*/\1/p" "$work/log" | head -n 1
}
until_holds() { # what for, command
  local what=$1
  shift
  for _ in $(seq 100); do
    "$@" && return
    kill -0 "$service" 2>/dev/null || fail "the service ended, waiting for $what"
    sleep 0.1
  done
  fail "in vain: $what"
}
told() { [ -n "$(address decisions)" ] && [ -n "$(address admin)" ]; }
until_holds "the addresses" told
decisions="https://$(address decisions)"
admin=$(address admin)
until_holds "health over TLS" "$PALISADE" health --admin-listen "$admin" --admin-tls-cert "$work/server.pem" >/dev/null

path=/access/v1/evaluation
question='{"subject":{"type":"Member","id":"acme/mona"},"action":{"name":"data.export"},"resource":{"type":"Project","id":"acme/cats"}}'
mine=(--cacert "$work/ca.pem" --cert "$work/client.pem" --key "$work/client.key")
bearer=(-H "authorization: Bearer $token")

# ask NAME EXPECTED CURL-ARGUMENTS…: says what happened, and fails if EXPECTED is not in it.
asked=0
ask() {
  local name=$1 expected=$2 answer
  shift 2
  asked=$((asked + 1))
  answer=$(curl -sS -i --max-time 10 -H 'content-type: application/json' -d "$question" "$@" 2>&1) || answer="$answer (curl exit $?)"
  answer=$(tr -d '\r' <<<"$answer")
  [[ $answer == *"$expected"* ]] || fail "$name: expected \`$expected\` in"$'\n'"$answer"
  printf -- '-- %s\n%s\n' "$name" "$answer"
}

ask "certificate and token" '{"decision":true}' "${mine[@]}" "${bearer[@]}" "$decisions$path"
ask "no certificate" "(curl exit " --cacert "$work/ca.pem" "${bearer[@]}" "$decisions$path"
ask "plain HTTP" "(curl exit " "${bearer[@]}" "http://${decisions#https://}$path"
ask "no token" 'www-authenticate: Bearer realm="palisade"' "${mine[@]}" "$decisions$path"
ask "wrong token" 'error="invalid_token"' "${mine[@]}" -H "authorization: Bearer ${token}0" "$decisions$path"
ask "socket file and token" '{"decision":true}' --unix-socket "$work/pdp.sock" "${bearer[@]}" "http://pdp$path"
ask "socket file without token" "HTTP/1.1 401" --unix-socket "$work/pdp.sock" "http://pdp$path"
[ "$(stat -c %a "$work/pdp.sock")" = 600 ] || fail "the mode of the socket file is not 0600"

# A renewed certificate is shown within a poll interval.
fingerprint() { openssl x509 -noout -fingerprint -sha256; }
shown() {
  openssl s_client -connect "${decisions#https://}" -cert "$work/client.pem" -key "$work/client.key" \
    </dev/null 2>/dev/null | fingerprint
}
before=$(shown)
[ "$before" = "$(fingerprint <"$work/server.pem")" ] || fail "another certificate is shown: $before"
for kind in key pem; do
  cp "$work/renewed.$kind" "$work/next"
  mv "$work/next" "$work/server.$kind"
done
renewed() { [ "$(shown)" = "$(fingerprint <"$work/renewed.pem")" ]; }
until_holds "the renewed certificate" renewed
printf -- '-- renewed\nbefore %s\nafter  %s\n' "$before" "$(shown)"
ask "after the renewal" '{"decision":true}' "${mine[@]}" "${bearer[@]}" "$decisions$path"

# A token that is taken out is not taken any more.
echo "# nobody" >"$work/credentials.toml"
revoked() {
  curl -s -o /dev/null -w '%{http_code}' "${mine[@]}" "${bearer[@]}" -H 'content-type: application/json' \
    -d "$question" "$decisions$path" | grep -q 401
}
until_holds "the token is revoked" revoked

! grep -q "$token" "$work/log" || fail "the token is in the log"
kill -TERM "$service"
wait "$service" || fail "the service did not drain: exit $?"
service=
echo "access: $asked questions answered as they should be"
