#!/bin/sh
# Has a k3s server send its audit events: run as root on each server, beside policy.yaml and webhook.yaml.
set -eu
here=$(dirname "$0")
place=/var/lib/rancher/k3s/server/audit
install -d -m 0700 "$place"
install -m 0600 "$here/policy.yaml" "$here/webhook.yaml" "$place/"
install -d /etc/rancher/k3s/config.yaml.d
cat > /etc/rancher/k3s/config.yaml.d/audit.yaml <<EOF
kube-apiserver-arg+:
  - audit-policy-file=$place/policy.yaml
  - audit-webhook-config-file=$place/webhook.yaml
  - audit-webhook-batch-max-wait=5s
EOF
systemctl restart k3s
