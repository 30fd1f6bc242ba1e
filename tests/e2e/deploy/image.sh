# Part of deploy.sh: the Dockerfile, the image, and `contain`, which runs the image.
# shellcheck shell=bash disable=SC2154

step "the Dockerfile"
dockerfile=deploy/docker/Dockerfile
"$tools/bin/hadolint" "$dockerfile" || fail "hadolint complains"
sed 's/^USER .*/USER root/' "$dockerfile" >"$work/Dockerfile"
refuses "an image that runs as root" "$tools/bin/hadolint" "$work/Dockerfile"
toolchain=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
grep -q "^ARG RUST=rust:$toolchain-" "$dockerfile" || fail "the image is not built by Rust $toolchain"

step "the image, built as the Dockerfile says"
root=$work/root
[ -z "${PALISADE:-}" ] || binary=(--binary "$PALISADE")
python3 "$here/image.py" "$dockerfile" --image "$root" --target target --build-arg PROFILE=release "${binary[@]}" >"$work/image.json" 2>"$work/log" \
  || fail "it cannot be built"
refuses "a file that .dockerignore keeps out" \
  python3 "$here/image.py" <(sed 's|^COPY schema |COPY docs |' "$dockerfile") --image "$work/none" --target target --binary "$root/usr/local/bin/palisade"

mkdir -p "$root"/{dev,etc/palisade,etc/palisade-admin,etc/palisade-credentials,proc,var/lib/palisade/entities}

said() { jq -r "$1" "$work/image.json"; }
uid=$(said .user | cut -d: -f1)
# Somebody else before the sandbox is made: within it, files that only root may read could be read.
as=(setpriv "--reuid=$uid" "--regid=$uid" --clear-groups)

contain() { # mounts of the container (path folder …), `--`, arguments of `palisade`
  local mounts=()
  while [ "$1" != -- ]; do mounts+=(--ro-bind "$2" "$1") && shift 2; done
  shift
  mapfile -t entrypoint < <(said '.entrypoint[]')
  : >"$work/info"
  "${as[@]}" bwrap --unshare-all --as-pid-1 --die-with-parent --cap-drop ALL --info-fd 3 \
    --clearenv --ro-bind "$root" / --proc /proc --dev /dev "${mounts[@]}" --remount-ro / --chdir "$(said .workdir)" \
    "${entrypoint[@]}" "$@" 3>"$work/info" 2>"$work/log" &
  service=$!
  until_holds 5 "the container" begun
}
begun() {
  contained=$(sed -nE 's/.*"child-pid": ([0-9]+).*/\1/p' "$work/info")
  [ -n "$contained" ]
}
enter() { # namespaces, command: what `kubectl exec` does, or whoever shares the pod's network
  local namespaces=$1
  shift
  # shellcheck disable=SC2086
  nsenter --target "$contained" --user --preserve-credentials $namespaces -- "$@"
}
probe() { enter "--mount --pid --net" "$@" >"$work/probe" 2>&1; }
near() { enter --net curl -sS --max-time 5 "$@"; }
ends() { # the service, told to
  kill -TERM "$contained"
  wait "$service" || fail "exit code $?, not 0"
  service=
}

decisions=http://127.0.0.1:8180
may_mona_export='{"subject":{"type":"Member","id":"acme/mona"},"action":{"name":"data.export"},"resource":{"type":"Project","id":"acme/dogs"}}'
answers() { [ "$(near -H 'content-type: application/json' -d "$may_mona_export" "${asking[@]}" "$decisions/access/v1/evaluation")" = "{\"decision\":$1}" ]; }
asking=()

step "the image, run as it says"
mapfile -t command < <(said '.cmd[]')
mapfile -t healthcheck < <(said '.healthcheck[]')
contain -- "${command[@]}"
until_holds 10 "health" probe "${healthcheck[@]}"
answers true || fail "the shipped policies do not answer"
status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$contained/status"; }
[ "$(status CapEff)" = 0000000000000000 ] || fail "it has capabilities: $(status CapEff)"
[ "$(status NoNewPrivs)" = 1 ] || fail "it may get new privileges"
[ "$(said .user)" = "$uid:$uid" ] && [ "$uid" -gt 0 ] || fail "the user is no number, or root"
awk '$5 == "/" && $6 !~ /(^|,)ro(,|$)/ { exit 1 }' "/proc/$contained/mountinfo" || fail "the root is not read-only"
ends
echo "   as $uid, without capabilities, on a read-only root; healthy, and exit code 0"
