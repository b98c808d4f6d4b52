{{/* CEL over (list "pod plan" resource): how many GPUs one pod of a head or of a worker group gets. */}}
{{- define "afray.cel.gpus" -}}
{{- $pod := index . 0 -}}{{- $gpu := index . 1 | squote -}}
({{ $gpu }} in {{ $pod }}.resources ? quantity(string({{ $pod }}.resources[{{ $gpu }}])).asInteger() : 0)
{{- end -}}

{{/* CEL over (list "container" resource): whether a container of a pod template asks for none itself. */}}
{{- define "afray.cel.asksForNone" -}}
{{- $container := index . 0 -}}{{- $gpu := index . 1 | squote -}}
(!has({{ $container }}.resources)
  || (!(has({{ $container }}.resources.limits) && {{ $gpu }} in {{ $container }}.resources.limits)
    && !(has({{ $container }}.resources.requests) && {{ $gpu }} in {{ $container }}.resources.requests)))
{{- end -}}
