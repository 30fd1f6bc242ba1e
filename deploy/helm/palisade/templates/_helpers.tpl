{{- define "palisade.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "palisade.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "palisade.labels" -}}
{{ include "palisade.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What the ConfigMap of this release holds, as JSON: path below the root -> text. */}}
{{- define "palisade.files" -}}
{{- $files := dict }}
{{- range $path, $text := .Files.Glob "files/**" }}
{{- $_ := set $files (trimPrefix "files/" $path) (toString $text) }}
{{- end }}
{{- range $path, $text := .Values.policies.files }}
{{- $_ := set $files $path $text }}
{{- end }}
{{- toJson $files }}
{{- end }}

{{/* A ConfigMap's keys have no slashes. */}}
{{- define "palisade.key" -}}
{{ replace "/" "__" . }}
{{- end }}

{{- define "palisade.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* What cannot be meant, each in a sentence that says what to do. */}}
{{- define "palisade.check" -}}
{{- $values := .Values }}
{{- if and (eq $values.mode "sidecar") (not $values.app.containers) }}
{{- fail "mode sidecar: name the application's containers in `app.containers`, or set `mode: standalone`" }}
{{- end }}
{{- with $values.decisions }}
{{- if and (eq $values.mode "standalone") (not (or .tlsSecret .credentialsSecret .insecure)) }}
{{- fail "mode standalone: anybody on the network could ask; set `decisions.tlsSecret` or `decisions.credentialsSecret`, or `decisions.insecure: true`" }}
{{- end }}
{{- if and .clientCa (not .tlsSecret) }}
{{- fail "`decisions.clientCa` is in the Secret `decisions.tlsSecret`: set it" }}
{{- end }}
{{- end }}
{{- with $values.admin }}
{{- if and (eq .scrape "credentials") (not .credentialsSecret) }}
{{- fail "`admin.scrape: credentials` needs the Secret `admin.credentialsSecret`" }}
{{- end }}
{{- if and .monitor.enabled (eq .scrape "none") }}
{{- fail "`admin.monitor.enabled`: nobody can scrape a listener on loopback; set `admin.scrape`" }}
{{- end }}
{{- if and .monitor.enabled (eq .scrape "credentials") (not .monitor.tokenSecret) }}
{{- fail "`admin.monitor.enabled`: name the Secret with the token in `admin.monitor.tokenSecret`" }}
{{- end }}
{{- end }}
{{- if and $values.networkPolicy.enabled (not $values.networkPolicy.decisionsFrom) }}
{{- fail "`networkPolicy.enabled`: say who may ask in `networkPolicy.decisionsFrom`" }}
{{- end }}
{{- if and $values.policies.existing (not $values.policies.paths) }}
{{- fail "`policies.existing`: list the paths that it has in `policies.paths`" }}
{{- end }}
{{- if and $values.entities.existing $values.entities.volume }}
{{- fail "`entities.existing` and `entities.volume`: one of both" }}
{{- end }}
{{- end }}
