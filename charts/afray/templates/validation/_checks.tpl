{{/* What a schema of single values can not see. Each message names the value and the remedy. */}}

{{/* First of all: templates would end at a missing value with a message about nil. */}}
{{- define "afray.checks.reused" -}}
{{- if not (hasKey .Values "rbac") -}}
{{- fail "values of an older release are reused without this chart's new ones: upgrade with --reset-then-reuse-values instead of --reuse-values" -}}
{{- end -}}
{{- end -}}

{{- define "afray.checks.times" -}}
{{- with .Values.leaderElection -}}
{{- if ge (int .renewDeadline) (int .duration) -}}
{{- fail (printf "leaderElection.renewDeadline is %d and must be below leaderElection.duration, %d: else two may lead at once" (int .renewDeadline) (int .duration)) -}}
{{- end -}}
{{- if ge (int .retryPeriod) (int .renewDeadline) -}}
{{- fail (printf "leaderElection.retryPeriod is %d and must be below leaderElection.renewDeadline, %d: else the Lease runs out between two renewals" (int .retryPeriod) (int .renewDeadline)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "afray.checks.account" -}}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false and serviceAccount.name is empty: name the account that is there" -}}
{{- end -}}
{{- end -}}

{{- define "afray.checks.monitors" -}}
{{- with .Values.monitoring -}}
{{- if and .podMonitor.enabled .serviceMonitor.enabled -}}
{{- fail "monitoring.podMonitor.enabled and monitoring.serviceMonitor.enabled are both true, so everything would be counted twice: set one of them to false" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "afray.checks.admission" -}}
{{- with .Values.admissionPolicy -}}
{{- if and .enabled (semverCompare "<1.30-0" $.Capabilities.KubeVersion.Version) -}}
{{- fail (printf "admissionPolicy.enabled is true, but Kubernetes is %s, and 1.30 is the first that judges by ValidatingAdmissionPolicies: upgrade it, or set admissionPolicy.enabled=false" $.Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and .enabled (not .requireQueue) (kindIs "invalid" .maxGpus) -}}
{{- fail "admissionPolicy.enabled is true, but the policy would demand nothing: set admissionPolicy.requireQueue=true, or admissionPolicy.maxGpus to a number" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Seen on a cluster alone; offline there is nothing to look up. Who may not read CRDs does not install them either. */}}
{{- define "afray.checks.crd" -}}
{{- if .Values.crds.install -}}
{{- $there := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "selectionjobs.afray.dev" -}}
{{- $by := dig "metadata" "annotations" "afray.dev/chart-version" "0.0.0" $there -}}
{{- if gt ((semver $by).Compare (semver .Chart.Version)) 0 -}}
{{- fail (printf "the CRD selectionjobs.afray.dev in the cluster is of chart %s, newer than this chart, %s, whose CRD would drop fields of jobs that are there: install chart %s or newer, or set crds.install=false to leave the newer CRD in place" $by .Chart.Version $by) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Takes (list $ "Kind" "value that asks for it"): every object for the Prometheus operator begins with it. */}}
{{- define "afray.demandMonitoring" -}}
{{- $kind := printf "monitoring.coreos.com/v1/%s" (index . 1) -}}
{{- if not ((index . 0).Capabilities.APIVersions.Has $kind) -}}
{{- fail (printf "%s is true, but the cluster has no CRD %ss.monitoring.coreos.com (%s): install those of the Prometheus operator first, or set %s=false. Without a cluster, say that it is there: helm template --api-versions %s" (index . 2) (index . 1 | lower) (index . 1) (index . 2) $kind) -}}
{{- end -}}
{{- end -}}
