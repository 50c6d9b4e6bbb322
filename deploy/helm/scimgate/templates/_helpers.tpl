{{- define "scimgate.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "scimgate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "scimgate.labels" -}}
{{ include "scimgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "scimgate.account" -}}
{{ .Values.serviceAccount.name | default (include "scimgate.name" .) }}
{{- end }}

{{- define "scimgate.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The container. Beside an application it is an init container that goes on: it starts before the others and ends after them. */}}
{{- define "scimgate.container" -}}
- name: scimgate
  image: {{ include "scimgate.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if eq .Values.mode "sidecar" }}
  restartPolicy: Always
  {{- end }}
  args: [serve, --config, /etc/scimgate/scimgate.toml]
  env:
    - { name: SCIMGATE__SERVER__LISTEN, value: "0.0.0.0:8443" }
    - { name: SCIMGATE__ADMIN__LISTEN, value: "0.0.0.0:9090" }
    {{- if .Values.tls.secretName }}
    - { name: SCIMGATE__SERVER__TLS__CERTIFICATE, value: tls.crt }
    - { name: SCIMGATE__SERVER__TLS__PRIVATE_KEY, value: tls.key }
    {{- else }}
    - { name: SCIMGATE__SERVER__PLAINTEXT, value: "true" }
    {{- end }}
    {{- if and (eq .Values.mode "sidecar") .Values.sidecar.upstreamPort }}
    - { name: SCIMGATE__UPSTREAM__URL, value: "http://127.0.0.1:{{ .Values.sidecar.upstreamPort }}" }
    {{- end }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - { name: scim, containerPort: 8443 }
    - { name: admin, containerPort: 9090 }
  startupProbe:
    httpGet: { path: /livez, port: admin }
    periodSeconds: 1
    timeoutSeconds: 2
    failureThreshold: 30
  readinessProbe:
    httpGet: { path: {{ .Values.probes.readinessPath }}, port: admin }
    periodSeconds: 5
    timeoutSeconds: 3
    failureThreshold: 2
  livenessProbe:
    httpGet: { path: /livez, port: admin }
    periodSeconds: 10
    timeoutSeconds: 3
    failureThreshold: 3
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    capabilities: { drop: [ALL] }
    seccompProfile: { type: RuntimeDefault }
  volumeMounts:
    # A folder and not single files, so that changes of the ConfigMap and the Secrets are seen.
    - { name: configuration, mountPath: /etc/scimgate, readOnly: true }
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
