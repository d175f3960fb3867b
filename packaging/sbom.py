"""A list of what the program is made of, in CycloneDX form, from `cargo metadata` on standard input; with --licences,
the licences instead, with their texts as the crates carry them. Both are the same for the same Cargo.lock and toolchain.

C libraries that crates bring along as sources are told besides: faults are published under their names.
"""

import hashlib
import json
import pathlib
import re
import sys
import tomllib
import uuid

# Files in which crates keep the texts.
TEXTS = ("license", "licence", "copying", "copyright", "notice", "unlicense")


def reach(metadata):
    """Everything that ends up in the program: normal and build dependencies, from the program down, with what each needs."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = next(p["id"] for p in metadata["packages"] if p["name"] == "peregrine")
    needs, waiting = {}, [root]
    while waiting:
        one = waiting.pop()
        if one not in needs:
            needs[one] = [
                dependency["pkg"]
                for dependency in nodes[one]["deps"]
                if any(kind["kind"] in (None, "build") for kind in dependency["dep_kinds"])
            ]
            waiting += needs[one]
    return root, needs


def expression(package):
    return " ".join((package["license"] or "LicenseRef-in-file").replace("/", " OR ").split())


def reference(package):
    return f"{package['name']}@{package['version']}"


def bundled(package):
    """C libraries within a crate: name, version, licence."""
    _, _, of_library = package["version"].partition("+")
    match package["name"]:
        case "libbpf-sys":
            yield "libbpf", of_library.removeprefix("v"), "LGPL-2.1-only OR BSD-2-Clause"
        case "zstd-sys":
            yield "zstd", of_library.removeprefix("zstd."), "BSD-3-Clause OR GPL-2.0-only"
        case "libsqlite3-sys":
            header = pathlib.Path(package["manifest_path"]).parent / "sqlite3/sqlite3.h"
            version = re.search(r'#define SQLITE_VERSION +"([^"]+)"', header.read_text())
            yield "sqlite", version[1], "blessing"


def library(name, version, licence):
    return {
        "type": "library",
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "licenses": [{"expression": licence}],
        "purl": f"pkg:generic/{name}@{version}",
    }


def bill(metadata, tree):
    packages = {package["id"]: package for package in metadata["packages"]}
    root, needs = reach(metadata)
    locked = {
        (package["name"], package["version"]): package.get("checksum")
        for package in tomllib.loads((tree / "Cargo.lock").read_text())["package"]
    }
    toolchain = tomllib.loads((tree / "rust-toolchain.toml").read_text())["toolchain"]["channel"]
    components = [library("rust-std", toolchain, "MIT OR Apache-2.0")]
    inside = {}
    for one in needs.keys() - {root}:
        package = packages[one]
        component = {
            "type": "library",
            "bom-ref": reference(package),
            "name": package["name"],
            "version": package["version"],
            "licenses": [{"expression": expression(package)}],
        }
        if package["source"]:
            component["purl"] = f"pkg:cargo/{package['name']}@{package['version']}"
        if checksum := locked.get((package["name"], package["version"])):
            component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        components.append(component)
        for found in bundled(package):
            components.append(library(*found))
            inside.setdefault(one, []).append(f"{found[0]}@{found[1]}")
    components.sort(key=lambda c: c["bom-ref"])
    dependencies = [
        {"ref": reference(packages[one]), "dependsOn": sorted({reference(packages[other]) for other in others} | set(inside.get(one, ())))}
        for one, others in needs.items()
    ]
    program = packages[root]
    text = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": reference(program),
                "name": "peregrine",
                "version": program["version"],
                "licenses": [{"expression": expression(program)}],
            }
        },
        "components": components,
        "dependencies": sorted(dependencies, key=lambda d: d["ref"]),
    }
    content = hashlib.sha256(json.dumps(text, sort_keys=True).encode()).digest()[:16]
    return {**text, "serialNumber": f"urn:uuid:{uuid.UUID(bytes=content, version=4)}"}


def licences(metadata):
    """Each crate with its licence, then each text once, with the crates that carry it."""
    root, needs = reach(metadata)
    packages = sorted(
        (p for p in metadata["packages"] if p["id"] in needs and p["source"]), key=lambda p: (p["name"], p["version"])
    )
    yield "Peregrine is licensed under Apache-2.0 and contains these crates:\n"
    texts = {}
    for package in packages:
        yield f"{package['name']} {package['version']}: {expression(package)}"
        folder = pathlib.Path(package["manifest_path"]).parent
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder).parts
            if path.is_file() and len(inside) < 3 and path.name.lower().startswith(TEXTS) and path.suffix not in (".rs", ".py"):
                text = path.read_text(errors="replace").strip()
                texts.setdefault(text, []).append(f"{package['name']} {package['version']}")
    for text, crates in sorted(texts.items(), key=lambda item: item[1]):
        yield f"\n{'=' * 80}\nIn {', '.join(sorted(set(crates)))}:\n\n{text}"


metadata = json.load(sys.stdin)
if "--licences" in sys.argv:
    for line in licences(metadata):
        print(line)
else:
    json.dump(bill(metadata, pathlib.Path(__file__).resolve().parent.parent), sys.stdout, indent=1)
    print()
