{{- define "peregrine.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "peregrine.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "peregrine.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "peregrine.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "peregrine.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "peregrine.selectorLabels" -}}
app.kubernetes.io/name: {{ include "peregrine.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "peregrine.labels" -}}
{{ include "peregrine.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "peregrine.image" -}}
{{- with .Values.image.registry -}}{{ . }}/{{- end -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{/* Whether this release watches system calls: the node's /proc and runtimes are mounted for that alone. */}}
{{- define "peregrine.watches" -}}
{{- if and .Values.driver.enabled (eq .Values.controller.kind "daemonset") -}}true{{- end -}}
{{- end -}}

{{/* The secret with key and certificate of the web server, where there is one. */}}
{{- define "peregrine.certs" -}}
{{- if .Values.certs.existingSecret -}}{{ .Values.certs.existingSecret }}
{{- else if and .Values.certs.server.key .Values.certs.server.crt -}}{{ include "peregrine.fullname" . }}-certs
{{- end -}}
{{- end -}}

{{- define "peregrine.scheme" -}}
{{- if include "peregrine.certs" . }}HTTPS{{ else }}HTTP{{ end -}}
{{- end -}}

{{/* The security context of the container: what `containerSecurityContext` says, or what watching takes. */}}
{{- define "peregrine.securityContext" -}}
{{- if .Values.containerSecurityContext -}}
{{ toYaml .Values.containerSecurityContext }}
{{- else if include "peregrine.watches" . -}}
{{- if .Values.driver.modernEbpf.leastPrivileged -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  add: [BPF, PERFMON, SYS_RESOURCE, SYS_PTRACE, DAC_READ_SEARCH, SYS_ADMIN]
{{- else -}}
privileged: true
readOnlyRootFilesystem: true
{{- end -}}
{{- else -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}
{{- end -}}

{{/* The configuration: `falco` as it stands, with what other values decide laid over it. */}}
{{- define "peregrine.configuration" -}}
{{- $config := deepCopy .Values.falco -}}
{{- /* Paths of Falco's image, as values files of its chart have them. */ -}}
{{- range $key := list "rules_files" "config_files" -}}
{{- with get $config $key -}}
{{- $paths := list -}}
{{- range . -}}
{{- if kindIs "string" . -}}
{{- $paths = append $paths (. | replace "/etc/falco/falco_rules.yaml" "/etc/peregrine/peregrine_rules.yaml" | replace "/etc/falco/falco-" "/etc/peregrine/peregrine-" | replace "/etc/falco/" "/etc/peregrine/") -}}
{{- else -}}
{{- $paths = append $paths . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config $key $paths -}}
{{- end -}}
{{- end -}}
{{- if include "peregrine.watches" . -}}
{{- $ebpf := .Values.driver.modernEbpf -}}
{{- $engine := dict "kind" "modern_ebpf" "modern_ebpf" (dict "buf_size_preset" $ebpf.bufSizePreset "cpus_for_each_buffer" $ebpf.cpusForEachBuffer "drop_failed_exit" $ebpf.dropFailedExit) -}}
{{- $config = mergeOverwrite $config (dict "engine" $engine) -}}
{{- if .Values.collectors.enabled -}}
{{- $c := .Values.collectors -}}
{{- $cri := list -}}
{{- range list $c.containerd $c.crio -}}
{{- if .enabled -}}{{- $cri = append $cri .socket -}}{{- end -}}
{{- end -}}
{{- $engines := dict
  "docker" (dict "enabled" $c.docker.enabled "sockets" (list $c.docker.socket))
  "podman" (dict "enabled" $c.podman.enabled "sockets" (list $c.podman.socket))
  "containerd" (dict "enabled" $c.containerd.enabled "sockets" (list $c.containerd.socket))
  "cri" (dict "enabled" (gt (len $cri) 0) "sockets" $cri)
  "lxc" (dict "enabled" true) "libvirt_lxc" (dict "enabled" true) "bpm" (dict "enabled" true) -}}
{{- $init := dict "engines" $engines -}}
{{- if $c.containerEngine.enabled -}}
{{- $init = dict "engines" $c.containerEngine.engines "label_max_len" $c.containerEngine.labelMaxLen "with_size" $c.containerEngine.withSize "hooks" $c.containerEngine.hooks -}}
{{- end -}}
{{- $plugin := dict "name" "container" "library_path" "libcontainer.so" "init_config" $init -}}
{{- $_ := set $config "plugins" (prepend (default (list) $config.plugins) $plugin) -}}
{{- $_ := set $config "load_plugins" (prepend (default (list) $config.load_plugins) "container") -}}
{{- if $c.kubernetes.enabled -}}
{{- $account := "/var/run/secrets/kubernetes.io/serviceaccount" -}}
{{- $server := dict "url" "https://kubernetes.default.svc" "token_file" (printf "%s/token" $account) "ca_file" (printf "%s/ca.crt" $account) "node" "${NODE_NAME}" -}}
{{- $config = mergeOverwrite (dict "container_metadata" (dict "kubernetes" $server)) $config -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Values.metrics.enabled -}}
{{- $m := .Values.metrics -}}
{{- $metrics := dict "enabled" true "interval" $m.interval "output_rule" $m.outputRule "rules_counters_enabled" $m.rulesCountersEnabled "resource_utilization_enabled" $m.resourceUtilizationEnabled "state_counters_enabled" $m.stateCountersEnabled "kernel_event_counters_enabled" $m.kernelEventCountersEnabled "kernel_event_counters_per_cpu_enabled" $m.kernelEventCountersPerCPUEnabled "libbpf_stats_enabled" $m.libbpfStatsEnabled "convert_memory_to_mb" $m.convertMemoryToMB "include_empty_values" $m.includeEmptyValues -}}
{{- $config = mergeOverwrite $config (dict "metrics" $metrics "webserver" (dict "prometheus_metrics_enabled" true)) -}}
{{- end -}}
{{- if include "peregrine.certs" . -}}
{{- $config = mergeOverwrite $config (dict "webserver" (dict "ssl_enabled" true "ssl_certificate" (printf "/etc/peregrine/tls/%s" .Values.certs.entry))) -}}
{{- end -}}
{{- if .Values.audit.enabled -}}
{{- $config = mergeOverwrite $config (dict "webserver" (dict "k8s_audit_endpoint" .Values.audit.path)) -}}
{{- end -}}
{{ toYaml $config }}
{{- end -}}
