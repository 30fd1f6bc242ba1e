# Part of deploy.sh: the unit.
# shellcheck shell=bash disable=SC2154

step "the systemd unit"
unit=deploy/systemd/palisade.service
# The worst exposure that is taken, in tenths: 0 is none, 100 all.
threshold=15
mkdir "$work/unit"
sed "s|/usr/local/bin/palisade|$root/usr/local/bin/palisade|" "$unit" >"$work/unit/palisade.service"
# It warns of a key that it does not know, and exits with 0.
verify() { systemd-analyze verify --man=no --recursive-errors=one "$1" >"$work/log" 2>&1 && [ ! -s "$work/log" ]; }
verify "$work/unit/palisade.service" || fail "it does not verify"
mkdir "$work/wrong"
sed 's/^RuntimeDirectory=/RuntimeDirectorys=/' "$work/unit/palisade.service" >"$work/wrong/palisade.service"
refuses "a misspelt key" verify "$work/wrong/palisade.service"
security() { systemd-analyze security --no-pager --offline=true --threshold="$threshold" "$1"; }
security "$work/unit/palisade.service" >"$work/log" || fail "it is too exposed"
exposure=$(sed -nE 's/.*exposure level for .*: ([0-9.]+) .*/\1/p' "$work/log")
sed '/^ProtectSystem=/d; /^SystemCallFilter=/d' "$work/unit/palisade.service" >"$work/wrong/palisade.service"
refuses "a unit without protection" security "$work/wrong/palisade.service"
echo "   verified, exposure $exposure"

# The user, made in a root of its own.
mkdir -p "$work/sysroot/etc"
systemd-sysusers --root="$work/sysroot" "$PWD/deploy/systemd/palisade.sysusers.conf" >"$work/log" 2>&1 || fail "no user"
grep -q '^palisade:' "$work/sysroot/etc/passwd" || fail "no user palisade"

step "what the service does, held against its sandbox"
mkdir -m 777 "$work/run" "$work/logs"
sed "s|/run/palisade|$work/run|; s|/usr/local/share/palisade|$PWD|; s|127.0.0.1:9180|127.0.0.1:0|; s|shutdown-grace = .*|shutdown-grace = \"0s\"|" \
  deploy/systemd/palisade.toml >"$work/palisade.toml"
sed -i -E "s|^# (decision-log = \")/var/log/palisade|\1$work/logs|" "$work/palisade.toml"
cp -r policies "$work/edited"
"$root/usr/local/bin/palisade" --version >/dev/null
# Interruptible, or it would outlive a failure here.
strace -I 2 -f -qq -o "$work/trace" "$root/usr/local/bin/palisade" serve --config "$work/palisade.toml" --prove=warn --policies "$work/edited/enterprise" 2>"$work/log" &
service=$!
admin() { sed -nE 's/.*"message":"listening".*"listener":"admin".*"address":"([0-9][^"]*)".*/\1/p' "$work/log" | head -n 1; }
healthy() { [ -n "$(admin)" ] && "$root/usr/local/bin/palisade" health --admin-listen "$(admin)" >"$work/probe" 2>&1; }
until_holds 60 "health" healthy
near() { curl -sS --max-time 5 --unix-socket "$work/run/pdp.sock" "$@"; }
decisions=http://palisade
answers true || fail "the socket does not answer"
[ "$(stat -c %a "$work/run/pdp.sock")" = 660 ] || fail "the mode of the socket file is not 0660"
cp "$work/local.cedar" "$work/edited/enterprise/"
until_holds 30 "the edit" answers false
traced=$(pgrep -P "$service" | head -n 1)

# As logrotate does, by the unit's ExecReload.
reload=$(sed -n "s/^ExecReload=//p" "$unit")
[ "$reload" = '/bin/kill -HUP $MAINPID' ] || fail "the unit reloads by $reload"
sed "s|/var/log/palisade|$work/logs|; s|su palisade palisade|su $(id -un) $(id -gn)|; s|systemctl reload palisade.service|kill -HUP $traced|" \
  deploy/systemd/palisade.logrotate >"$work/logrotate.conf"
chmod 644 "$work/logrotate.conf" && chmod 755 "$work/logs"
logrotate --force --state "$work/logrotate.state" "$work/logrotate.conf" 2>"$work/probe" || fail "logrotate: $(cat "$work/probe")"
recorded() { jq -se "any(.[]; $2)" "$work/logs/$1" >/dev/null 2>&1; }
until_holds 5 "the new decision log" recorded decisions.jsonl '.event == "reopened"'
recorded decisions.jsonl.1 '.type == "decision" and .decision == "allow"' || fail "the allow is not in the old decision log"
answers false || fail "no answer after the rotation"
until_holds 5 "a line of the new one" recorded decisions.jsonl '.type == "decision" and .decision == "deny"'
echo "   the decision log rotated by logrotate, the next decision in the new file"

kill -TERM "$traced"
wait "$service" || fail "exit code $?, not 0"
service=
grep -q '"[^"]*cvc5"' "$work/trace" || fail "no proof was sought, so that its system calls are not known"
python3 "$here/sandbox.py" "$unit" "$work/trace" || fail "the unit forbids what the service does"
sed 's/^SystemCallFilter=~@privileged/&\nSystemCallFilter=~@network-io/' "$unit" >"$work/wrong/palisade.service"
refuses "a filter without sockets" python3 "$here/sandbox.py" "$work/wrong/palisade.service" "$work/trace"
