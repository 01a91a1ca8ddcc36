{{- define "recorderbot.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "recorderbot.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "recorderbot.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "recorderbot.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "recorderbot.selector" -}}
app.kubernetes.io/name: {{ include "recorderbot.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "recorderbot.labels" -}}
{{ include "recorderbot.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "recorderbot.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "recorderbot.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "recorderbot.claimName" -}}
{{- default (include "recorderbot.fullname" .) .Values.persistence.existingClaim }}
{{- end }}

{{- define "recorderbot.image" -}}
{{- $repository := required "image.repository: set it to where you have pushed the image" .Values.image.repository }}
{{- if .Values.image.digest }}
{{- printf "%s@%s" $repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "recorderbot.credentialKey" -}}
{{- default (ternary "bot.pem" "client-secret" (eq .Values.credential.type "certificate")) .Values.credential.key }}
{{- end }}

{{- /* All that can't be right is refused here, once, with its remedy. */ -}}
{{- define "recorderbot.check" -}}
{{- if gt (int .Values.replicas) 1 }}
{{- fail (printf "replicas: %d is refused: the SQLite catalogue and the spool belong to exactly one process. Set replicas to 1; for more capacity give the pod more CPU and a faster disk" (int .Values.replicas)) }}
{{- end }}
{{- $_ := required "config.publicURL: set it to what Teams reaches, for example https://bot.example.com" .Values.config.publicURL }}
{{- if not (hasPrefix "https://" .Values.config.publicURL) }}
{{- fail (printf "config.publicURL: %q is not https, and Teams accepts no other" .Values.config.publicURL) }}
{{- end }}
{{- $_ := required "config.app.id: set it to the Entra application (client) ID" .Values.config.app.id }}
{{- if not .Values.config.app.tenants }}
{{- fail "config.app.tenants: list the tenants whose calls are recorded; with none no call is taken" }}
{{- end }}
{{- if not .Values.config.mediaHosts.addresses }}
{{- fail "config.mediaHosts.addresses: list the media hosts as host:port; with none no call can be answered" }}
{{- end }}
{{- $_ := required "credential.existingSecret: name the Secret with the application's certificate or client secret" .Values.credential.existingSecret }}
{{- $_ := required "callbacks.tls.existingSecret: name the kubernetes.io/tls Secret with the certificate of publicURL's host" .Values.callbacks.tls.existingSecret }}
{{- $_ := required "mediaHosts.tls.existingSecret: name the Secret with tls.crt, tls.key and ca.crt for the media hosts" .Values.mediaHosts.tls.existingSecret }}
{{- if .Values.console.enabled }}
{{- $_ := required "console.tls.existingSecret: name the kubernetes.io/tls Secret of the console's listener" .Values.console.tls.existingSecret }}
{{- if not (or .Values.console.tokens.users .Values.console.clients.users) }}
{{- fail "console.tokens.users and console.clients.users: list who may use the console; with neither nobody could" }}
{{- end }}
{{- if .Values.console.tokens.users }}
{{- $_ := required "console.tokens.existingSecret: name the Secret with the tokens of console.tokens.users" .Values.console.tokens.existingSecret }}
{{- end }}
{{- if .Values.console.clients.users }}
{{- $_ := required "console.clients.existingCASecret: name the Secret with ca.crt, which signs the certificates of console.clients.users" .Values.console.clients.existingCASecret }}
{{- end }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.mediaHostCIDRs) }}
{{- fail "networkPolicy.mediaHostCIDRs: list the media hosts' addresses, for example [10.1.0.0/24]; without them no frame would arrive" }}
{{- end }}
{{- end }}

{{- /* recorderbot.yaml: config with the addresses and files that this chart decides. */ -}}
{{- define "recorderbot.config" -}}
{{- $c := deepCopy .Values.config }}
{{- $file := ternary "certificateFile" "secretFile" (eq .Values.credential.type "certificate") }}
{{- $_ := set $c.app "credential" (dict $file (printf "/secrets/credential/%s" (include "recorderbot.credentialKey" .))) }}
{{- $_ := set $c "listen" (dict
      "callbacks" (dict "address" ":9441" "certFile" "/secrets/callbacks/tls.crt" "keyFile" "/secrets/callbacks/tls.key")
      "ops" (dict "address" "0.0.0.0:9440")) }}
{{- if .Values.console.enabled }}
{{- $_ := set $c.listen "console" (dict "address" ":9442" "certFile" "/secrets/console/tls.crt" "keyFile" "/secrets/console/tls.key") }}
{{- $who := dict }}
{{- with .Values.console.tokens.users }}
{{- $tokens := list }}
{{- range . }}
{{- $tokens = append $tokens (dict "name" .name "role" .role "file" (printf "/secrets/console-tokens/%s" .key)) }}
{{- end }}
{{- $_ := set $who "tokens" $tokens }}
{{- end }}
{{- with .Values.console.clients.users }}
{{- $_ := set $who "clientCAFile" "/secrets/console-clients/ca.crt" }}
{{- $_ := set $who "clients" . }}
{{- end }}
{{- $_ := set $c "console" $who }}
{{- end }}
{{- if .Values.endpoints.existingCASecret }}
{{- $_ := set $c.endpoints "caFile" "/secrets/endpoints/ca.crt" }}
{{- end }}
{{- $_ := set $c.mediaHosts "certFile" "/secrets/mediahosts/tls.crt" }}
{{- $_ := set $c.mediaHosts "keyFile" "/secrets/mediahosts/tls.key" }}
{{- $_ := set $c.mediaHosts "caFile" "/secrets/mediahosts/ca.crt" }}
{{- $_ := set $c "catalogue" (dict "url" "sqlite:/data/catalogue/recorderbot.db") }}
{{- $_ := set $c.spool "dir" "/data/spool" }}
{{- $_ := set $c.archive "url" "file:/data/archive" }}
{{- $_ := set $c "shutdown" (dict "drainLimit" (printf "%ds" (int .Values.drain.limitSeconds))) }}
{{- toYaml $c }}
{{- end }}
