#!/bin/sh
# Starts a minikube whose API server sends its audit events: run beside policy.yaml and webhook.yaml.
# The host is 192.168.49.1 for the docker driver; `minikube ssh 'ip route | grep default'` tells for others.
set -eu
here=$(dirname "$0")
place="${MINIKUBE_HOME:-$HOME/.minikube}/files/etc/ssl/certs/audit"
mkdir -p "$place"
cp "$here/policy.yaml" "$place/"
sed 's/192\.0\.2\.10/192.168.49.1/' "$here/webhook.yaml" > "$place/webhook.yaml"
minikube start \
  --extra-config=apiserver.audit-policy-file=/etc/ssl/certs/audit/policy.yaml \
  --extra-config=apiserver.audit-webhook-config-file=/etc/ssl/certs/audit/webhook.yaml \
  --extra-config=apiserver.audit-webhook-batch-max-wait=5s
