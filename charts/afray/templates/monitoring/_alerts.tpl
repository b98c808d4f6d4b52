{{/* Takes (list $ "Name"): name, `for` and labels of an alert, as values of the same name have them. */}}
{{- define "afray.alert" -}}
{{- $rules := (index . 0).Values.monitoring.rules -}}
{{- $alert := index $rules (index . 1 | untitle) -}}
alert: {{ index . 1 }}
for: {{ $alert.for }}
labels: {{- merge (dict "severity" $alert.severity) $rules.alertLabels | toYaml | nindent 2 }}
{{- end -}}

{{/* Takes (list $ "Name"): where the runbook speaks of an alert. */}}
{{- define "afray.runbook" -}}
{{ (index . 0).Values.monitoring.rules.runbookUrl }}#{{ index . 1 | lower }}
{{- end -}}
