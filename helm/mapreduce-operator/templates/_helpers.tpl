{{/* One operator a namespace, so its objects need no release in their names. */}}
{{- define "operator.name" -}}
mapreduce-operator
{{- end }}

{{/* What has no namespace carries the operator's in its name. */}}
{{- define "operator.clusterName" -}}
{{ include "operator.name" . }}-{{ .Release.Namespace }}
{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "operator.tlsSecret" -}}
{{ .Values.tls.existingSecret | default (printf "%s-tls" (include "operator.name" .)) }}
{{- end }}

{{- define "operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where it is and what it watches: for the operator and for the uninstall hook alike. */}}
{{- define "operator.placeEnv" -}}
- name: MAPREDUCE_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: MAPREDUCE_POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
- name: MAPREDUCE_LEASE_NAME
  value: {{ include "operator.name" . }}
- name: MAPREDUCE_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: MAPREDUCE_LOG_LEVEL
  value: {{ .Values.operator.logLevel }}
- name: MAPREDUCE_LOG_FORMAT
  value: {{ .Values.logFormat }}
{{- end }}

{{/* The rights that the operator needs wherever it runs jobs. */}}
{{- define "operator.jobRules" -}}
- apiGroups: [mapreduce.dev]
  resources: [mapreducejobs]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [mapreduce.dev]
  resources: [mapreducejobs/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create]
{{- end }}

{{/* The rights of the uninstall hook there. */}}
{{- define "operator.uninstallRules" -}}
- apiGroups: [mapreduce.dev]
  resources: [mapreducejobs]
  verbs: [list, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, delete]
{{- end }}
