"""A list of what the program is made of, in CycloneDX form, from `cargo metadata` on standard input; with --licences,
the licences as text from that list.
"""

import json
import sys


def bill(metadata):
    """Everything that ends up in the program: normal dependencies, from the program down."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = next(p["id"] for p in metadata["packages"] if p["name"] == "peregrine")
    reached, waiting = set(), [root]
    while waiting:
        one = waiting.pop()
        if one in reached:
            continue
        reached.add(one)
        for dependency in nodes[one]["deps"]:
            if any(kind["kind"] in (None, "build") for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    components = []
    for one in sorted(reached - {root}):
        package = packages[one]
        component = {
            "type": "library",
            "name": package["name"],
            "version": package["version"],
            "licenses": [{"expression": (package["license"] or "see file").replace("/", " OR ")}],
        }
        if package["source"]:
            component["purl"] = f"pkg:cargo/{package['name']}@{package['version']}"
        components.append(component)
    components.sort(key=lambda c: (c["name"], c["version"]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "peregrine", "version": packages[root]["version"]}
        },
        "components": components,
    }


if "--licences" in sys.argv:
    for component in json.load(sys.stdin)["components"]:
        print(f"{component['name']} {component['version']}: {component['licenses'][0]['expression']}")
else:
    json.dump(bill(json.load(sys.stdin)), sys.stdout, indent=1)
    print()
