{{/* The pod, the same for both kinds of controller. */}}
{{- define "peregrine.pod" -}}
{{- $watches := include "peregrine.watches" . -}}
metadata:
  labels:
    {{- include "peregrine.selectorLabels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # Rules are read again by themselves; some keys of the configuration need a restart.
    checksum/config: {{ include "peregrine.configuration" . | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "peregrine.serviceAccountName" . }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.podSecurityContext }}
  securityContext: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.podPriorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.extra.initContainers }}
  initContainers: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: peregrine
      image: {{ include "peregrine.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - -c
        - /etc/peregrine/config/peregrine.yaml
        {{- if not $watches }}
        - -o
        - engine.kind=nodriver
        {{- end }}
        {{- if .Values.tty }}
        - -U
        {{- end }}
        {{- with .Values.extra.args }}{{ toYaml . | nindent 8 }}{{ end }}
      env:
        {{- if $watches }}
        - {name: HOST_ROOT, value: /host}
        {{- end }}
        - name: NODE_NAME
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
        - name: FALCO_HOSTNAME
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
        {{- with .Values.extra.env }}{{ toYaml . | nindent 8 }}{{ end }}
      securityContext: {{- include "peregrine.securityContext" . | nindent 8 }}
      {{- with .Values.resources }}
      resources: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if .Values.falco.webserver.enabled }}
      ports:
        - {name: web, containerPort: {{ .Values.falco.webserver.listen_port }}, protocol: TCP}
      livenessProbe:
        httpGet: {path: {{ .Values.falco.webserver.k8s_healthz_endpoint }}, port: web, scheme: {{ include "peregrine.scheme" . }}}
        {{- toYaml .Values.healthChecks.livenessProbe | nindent 8 }}
      readinessProbe:
        httpGet: {path: {{ .Values.falco.webserver.k8s_healthz_endpoint }}, port: web, scheme: {{ include "peregrine.scheme" . }}}
        {{- toYaml .Values.healthChecks.readinessProbe | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: config, mountPath: /etc/peregrine/config, readOnly: true}
        - {name: state, mountPath: /var/lib/peregrine}
        - {name: tmp, mountPath: /tmp}
        {{- if .Values.customRules }}
        - {name: rules, mountPath: /etc/peregrine/rules.d, readOnly: true}
        {{- end }}
        {{- if include "peregrine.certs" . }}
        - {name: tls, mountPath: /etc/peregrine/tls, readOnly: true}
        {{- end }}
        {{- if $watches }}
        - {name: proc, mountPath: /host/proc, readOnly: true}
        - {name: etc, mountPath: /host/etc, readOnly: true}
        - {name: tracefs, mountPath: /sys/kernel/tracing, readOnly: true}
        {{- if .Values.collectors.enabled }}
        - {name: run, mountPath: /host/run, readOnly: true}
        - {name: run, mountPath: /host/var/run, readOnly: true}
        {{- end }}
        {{- end }}
        {{- with .Values.mounts.volumeMounts }}{{ toYaml . | nindent 8 }}{{ end }}
  volumes:
    - name: config
      configMap: {name: {{ include "peregrine.fullname" . }}}
    - name: state
      emptyDir: {}
    - name: tmp
      emptyDir: {}
    {{- if .Values.customRules }}
    - name: rules
      configMap: {name: {{ include "peregrine.fullname" . }}-rules}
    {{- end }}
    {{- if include "peregrine.certs" . }}
    - name: tls
      secret: {secretName: {{ include "peregrine.certs" . }}}
    {{- end }}
    {{- if $watches }}
    - name: proc
      hostPath: {path: /proc}
    - name: etc
      hostPath: {path: /etc}
    - name: tracefs
      hostPath: {path: /sys/kernel/tracing}
    {{- if .Values.collectors.enabled }}
    - name: run
      hostPath: {path: /run}
    {{- end }}
    {{- end }}
    {{- with .Values.mounts.volumes }}{{ toYaml . | nindent 4 }}{{ end }}
{{- end -}}
