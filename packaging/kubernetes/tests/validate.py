"""Checks a rendered chart (from standard input): every object against Kubernetes' schema, references between objects,
the configuration and rules inside with `peregrine check`.

    validate.py PEREGRINE FOLDER < objects.yaml

The configuration and the rules are written to FOLDER. Kinds of operators (monitoring.coreos.com,
security.openshift.io) have no schema in the registries; of them only form and references are checked.
"""

import json
import pathlib
import subprocess
import sys

import kubernetes_validate
import yaml

VERSIONS = ["1.25", "1.28", "1.31", "1.37"]
RULES = [pathlib.Path(__file__).resolve().parents[3] / "rules/peregrine_rules.yaml"]
peregrine, folder = sys.argv[1], pathlib.Path(sys.argv[2])
objects = [one for one in yaml.safe_load_all(sys.stdin) if one]
faults = []
checked = 0

for one in objects:
    where = f"{one['kind']} {one['metadata']['name']}"
    if one["apiVersion"].split("/")[0] in ("monitoring.coreos.com", "security.openshift.io"):
        continue
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(one, version, strict=True)
            checked += 1
        except kubernetes_validate.ValidationError as fault:
            faults.append(f"{where}, {version}: {fault.message} at {list(fault.path)}")

named = {(one["kind"], one["metadata"]["name"]) for one in objects}
for one in objects:
    if one["kind"] not in ("DaemonSet", "Deployment"):
        continue
    pod = one["spec"]["template"]["spec"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    for volume in pod["volumes"]:
        if "configMap" in volume and ("ConfigMap", volume["configMap"]["name"]) not in named:
            faults.append(f"volume {volume['name']}: no ConfigMap {volume['configMap']['name']}")
    container = pod["containers"][0]
    for mount in container["volumeMounts"]:
        if mount["name"] not in volumes:
            faults.append(f"mount {mount['mountPath']}: no volume {mount['name']}")
    labels = one["spec"]["template"]["metadata"]["labels"]
    ports = {port["name"] for port in container.get("ports", [])} | {
        port["containerPort"] for port in container.get("ports", [])
    }
    for service in objects:
        if service["kind"] != "Service":
            continue
        if not service["spec"]["selector"].items() <= labels.items():
            faults.append(f"Service {service['metadata']['name']} selects no pod")
        if service["metadata"]["name"].endswith(("-audit", "-metrics")):
            for port in service["spec"]["ports"]:
                if port["targetPort"] not in ports:
                    faults.append(f"Service {service['metadata']['name']}: no port {port['targetPort']}")
    for monitor in objects:
        if monitor["kind"] == "ServiceMonitor":
            wanted = monitor["spec"]["selector"]["matchLabels"].items()
            if not any(
                wanted <= service["metadata"]["labels"].items()
                for service in objects
                if service["kind"] == "Service"
            ):
                faults.append(f"ServiceMonitor {monitor['metadata']['name']} finds no Service")

folder.mkdir(parents=True, exist_ok=True)
for one in objects:
    if one["kind"] != "ConfigMap":
        continue
    for name, text in one["data"].items():
        path = folder / name
        path.write_text(text)
        if name.endswith(".json"):
            json.loads(text)
            continue
        # Own rules come after the shipped ones, and may use their macros.
        files = [path] if name == "peregrine.yaml" else [*RULES, path]
        done = subprocess.run([peregrine, "check", "--no-lints", *files], capture_output=True, text=True)
        if done.returncode or "warning" in (done.stdout + done.stderr).lower():
            faults.append(f"{name}: {done.stdout}{done.stderr}")
        checked += 1

for fault in faults:
    print("fault:", fault)
print(f"{len(objects)} objects, {checked} checks, {len(faults)} faults")
sys.exit(bool(faults))
