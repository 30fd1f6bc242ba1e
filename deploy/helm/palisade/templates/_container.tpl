{{- define "palisade.container" -}}
{{- $standalone := eq .Values.mode "standalone" -}}
{{- $decisions := .Values.decisions -}}
{{- $admin := .Values.admin -}}
name: palisade
image: {{ include "palisade.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if not $standalone }}
# An init container that always restarts is a sidecar: ready before the application starts, stopped after it.
restartPolicy: Always
{{- end }}
args:
  - serve
  - --root=/etc/palisade
  - --edition={{ .Values.edition }}
  {{- if .Values.entities.existing }}
  - --entities=/etc/palisade/entities
  {{- else if .Values.entities.volume }}
  - --entities=/var/lib/palisade/entities
  {{- end }}
  - --listen={{ if $standalone }}0.0.0.0{{ else }}127.0.0.1{{ end }}:{{ $decisions.port }}
  {{- if $decisions.tlsSecret }}
  - --tls-cert=/etc/palisade-tls/tls.crt
  - --tls-key=/etc/palisade-tls/tls.key
  {{- if $decisions.clientCa }}
  - --tls-client-ca=/etc/palisade-tls/ca.crt
  {{- end }}
  {{- end }}
  {{- if $decisions.credentialsSecret }}
  - --credentials=/etc/palisade-credentials/credentials.toml
  {{- end }}
  {{- if and $standalone $decisions.insecure }}
  - --allow-insecure-bind=decisions
  {{- end }}
  - --admin-listen={{ if eq $admin.scrape "none" }}127.0.0.1{{ else }}0.0.0.0{{ end }}:{{ $admin.port }}
  {{- if eq $admin.scrape "credentials" }}
  - --admin-credentials=/etc/palisade-admin/credentials.toml
  {{- else if eq $admin.scrape "insecure" }}
  - --allow-insecure-bind=admin
  {{- end }}
  - --log-format=json
  - --shutdown-grace={{ if $standalone }}{{ .Values.shutdownGraceSeconds }}s{{ else }}0s{{ end }}
  {{- range .Values.args }}
  - {{ . | quote }}
  {{- end }}
ports:
  {{- if $standalone }}
  - name: decisions
    containerPort: {{ $decisions.port }}
  {{- end }}
  - name: admin
    containerPort: {{ $admin.port }}
{{- $health := printf "[/usr/local/bin/palisade, health, \"--admin-listen=127.0.0.1:%d\"" (int $admin.port) }}
startupProbe:
  exec:
    command: {{ $health }}]
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 60
readinessProbe:
  exec:
    command: {{ $health }}]
  periodSeconds: 5
  timeoutSeconds: 5
# Whether it answers at all: what is not ready is not mended by a restart.
livenessProbe:
  exec:
    command: {{ $health }}, --live]
  periodSeconds: 10
  timeoutSeconds: 5
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  runAsUser: 65532
  runAsGroup: 65532
  runAsNonRoot: true
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: palisade
    mountPath: /etc/palisade
    readOnly: true
  {{- if .Values.entities.volume }}
  - name: palisade-entities
    mountPath: /var/lib/palisade/entities
    readOnly: true
  {{- end }}
  {{- range (include "palisade.secrets" . | fromYamlArray) }}
  - name: palisade-{{ .name }}
    mountPath: /etc/palisade-{{ .name }}
    readOnly: true
  {{- end }}
{{- end }}

{{/* The Secrets that are mounted, as a list of name and secret. */}}
{{- define "palisade.secrets" -}}
{{- with .Values.decisions.tlsSecret }}
- {name: tls, secret: {{ . | quote }}}
{{- end }}
{{- with .Values.decisions.credentialsSecret }}
- {name: credentials, secret: {{ . | quote }}}
{{- end }}
{{- if eq .Values.admin.scrape "credentials" }}
- {name: admin, secret: {{ .Values.admin.credentialsSecret | quote }}}
{{- end }}
{{- end }}

{{- define "palisade.volumes" -}}
# One volume, so that kubelet swaps policies, schema, tests and entities at once.
- name: palisade
  projected:
    defaultMode: 0444
    sources:
      - configMap:
          name: {{ .Values.policies.existing | default (include "palisade.name" .) }}
          items:
            {{- $paths := .Values.policies.paths }}
            {{- if not .Values.policies.existing }}
            {{- $paths = keys (include "palisade.files" . | fromJson) | sortAlpha }}
            {{- end }}
            {{- range $path := $paths }}
            - {key: {{ include "palisade.key" $path | quote }}, path: {{ $path | quote }}}
            {{- end }}
      {{- with .Values.entities.existing }}
      - configMap:
          name: {{ . }}
          items:
            {{- range $.Values.entities.keys }}
            - {key: {{ . | quote }}, path: {{ printf "entities/%s" . | quote }}}
            {{- end }}
      {{- end }}
{{- with .Values.entities.volume }}
- name: palisade-entities
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range (include "palisade.secrets" . | fromYamlArray) }}
- name: palisade-{{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0444
{{- end }}
{{- end }}
