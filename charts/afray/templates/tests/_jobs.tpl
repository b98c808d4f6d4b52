{{/* Where the jobs of `helm test` run: the operator must watch it. */}}
{{- define "afray.testNamespace" -}}
{{- .Values.test.namespace | default (first .Values.watchNamespaces) | default .Release.Namespace -}}
{{- end -}}

{{/* Fit for a SelectionJob, whose name is short and begins with a letter, as that of a release need not. */}}
{{- define "afray.testName" -}}
test-{{ include "afray.name" . | replace "." "-" | trunc 25 | trimSuffix "-" }}
{{- end -}}

{{- define "afray.testHook" -}}
helm.sh/hook: test
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* The smallest job there is; what test.job.spec says is laid over it. Takes the root. */}}
{{- define "afray.testJob" -}}
{{- $job := .Values.test.job -}}
apiVersion: afray.dev/v1alpha1
kind: SelectionJob
metadata:
  namespace: {{ include "afray.testNamespace" . }}
  name: {{ include "afray.testName" . }}
  labels: {{- merge (deepCopy .Values.test.labels) (include "afray.labels" . | fromYaml) | toYaml | nindent 4 }}
spec:
  pool: {uri: {{ $job.pool | default "s3://afray-test/pool" | quote }}, format: images}
  embedding: {model: "package:efficientnet-lite0", imageSize: 32, shardSize: 1000, device: cpu}
  selection: {method: bilaf, budget: {count: 20}, core: {size: 16}}
  output: {uri: {{ $job.output | default "s3://afray-test/out" | quote }}}
  policy: {backoffLimit: 0}
  runtime: {image: {{ $job.image | default "afray-test" | quote }}, rayVersion: {{ $job.rayVersion | quote }}}
  cluster:
    head: {resources: {cpu: 500m, memory: 3Gi}}
    workers: [{name: workers, replicas: 1, resources: {cpu: 500m, memory: 2Gi}}]
{{- end -}}
