# Part of deploy.sh: manifests and chart, valid and run.
# shellcheck shell=bash disable=SC2154

step "manifests and chart"
mkdir "$work/rendered"
"$tools/bin/python" "$here/manifests.py" "$work/rendered" 2>"$work/log" || fail "they are not what Kubernetes takes"
sets=("$work"/rendered/*.yaml)
values=${#sets[@]}

# A token that scrapes and asks, and the Secret with its digest.
token=$(openssl rand -hex 32)
mkdir "$work/secret"
# Whoever the pod runs as must be able to get there.
cp -r deploy/demo "$work/claimed"
chmod -R a+rX "$work/claimed"
printf '[[bearer]]\nname = "test"\nsha256 = "%s"\n' "$(printf %s "$token" | sha256sum | cut -d' ' -f1)" >"$work/secret/credentials.toml"

kubelet() { # manifest, more for kubelet.py; what it says is in run.json
  "$tools/bin/python" "$here/kubelet.py" "$1" "$work/volumes" --secret "palisade-admin=$work/secret" --secret "palisade-callers=$work/secret" \
    --claim entities="$work/claimed" "${@:2}" >"$work/run.json"
}
start_pod() { # as the manifest says
  rm -rf "$work/volumes"
  kubelet "$@"
  mapfile -t mounts < <(jq -r '.mounts | to_entries[] | .key, .value' "$work/run.json")
  mapfile -t arguments < <(jq -r '.args[]' "$work/run.json")
  contain "${mounts[@]}" -- "${arguments[@]}"
  until_holds 60 "the startup probe" is startupProbe
  is readinessProbe || fail "not ready: $(cat "$work/probe")"
  is livenessProbe || fail "not alive: $(cat "$work/probe")"
}
is() { # a probe of the manifest
  local words
  mapfile -t words < <(jq -r ".probes.$1[]" "$work/run.json")
  probe "${words[@]}"
}
in_force() { until_holds 5 "the answer $1" answers "$1"; }
code() { near -o /dev/null -w '%{http_code}' "$@"; }

# What the README tells to put into the ConfigMap.
configmap() { # its name
  grep -m1 "create configmap $1 " deploy/kubernetes/README.md | grep -oE -- '--from-file=[^ ]+' | sed "s|--from-file=|--configmap=$1=|"
}
mapfile -t configmaps < <(configmap palisade-policies && configmap palisade-entities)
forbid='@id("local.mona-does-not-export") forbid (principal == Member::"acme/mona", action == Action::"data.export", resource == Project::"acme/dogs");'
echo "$forbid" >"$work/local.cedar"
echo 'forbid (' >"$work/broken.cedar"

step "the sidecar manifest, run"
manifest=deploy/kubernetes/sidecar.yaml
start_pod "$manifest" "${configmaps[@]}"
answers true || fail "the policies do not answer"
[ "$(code http://127.0.0.1:9180/metrics)" = 401 ] || fail "metrics without a token"
[ "$(code -H "authorization: Bearer $token" http://127.0.0.1:9180/metrics)" = 200 ] || fail "no metrics with the token"
kubelet "$manifest" "${configmaps[@]}" --set "palisade-policies/local.cedar=$work/local.cedar"
in_force false
kubelet "$manifest" "${configmaps[@]}" --set "palisade-policies/local.cedar=$work/broken.cedar"
refused() { is readinessProbe && jq -e '.checks.sources.state == "degraded"' "$work/probe" >/dev/null; }
until_holds 5 "the refusal" refused
answers false || fail "what was refused is in force"
kubelet "$manifest" "${configmaps[@]}"
in_force true
ends
echo "   a new file in force, a broken one refused, the old ones back: by ConfigMap, without a restart"

step "the chart as a sidecar, run"
start_pod "$work/rendered/sidecar.yaml"
answers true || fail "the policies do not answer"
cat policies/enterprise/guards.cedar "$work/local.cedar" >"$work/guards.cedar"
kubelet "$work/rendered/sidecar.yaml" --set "demo-palisade/policies__enterprise__guards.cedar=$work/guards.cedar"
in_force false
ends
echo "   an edited file in force"

step "the chart by itself, run"
start_pod "$work/rendered/standalone.yaml"
[ "$(code -H 'content-type: application/json' -d "$may_mona_export" "$decisions/access/v1/evaluation")" = 401 ] || fail "answered without a token"
asking=(-H "authorization: Bearer $token")
answers false || fail "policies.files is not in force"
kill -TERM "$contained"
draining() { ! is readinessProbe; }
until_holds 5 "draining" draining
is livenessProbe || fail "a probe would restart what drains"
answers false || fail "no answer while it drains"
wait "$service" || fail "exit code $?, not 0"
service=
asking=()
echo "   asked with a token alone; drains: not ready, alive, answering until the grace period ends"
