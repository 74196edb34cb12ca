#!/usr/bin/env python3
"""Packages each published crate, and builds the packages alone with the oldest supported Rust.

    tests/packages/check.py             checks manifests and READMEs; packages, unpacks and builds
    tests/packages/check.py --no-build  the same without the build
    tests/packages/check.py --list      the published crates, in the order of publication

The build checks all targets and features. It sees only the files of the packages, not the others of
the repository. Prints each fault on a line of its own. Exits with 1 if there is one.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "target/packages"
# The registry's own bound.
KEYWORDS_MAX = 5
FILES = ("README.md", "LICENSE-MIT", "LICENSE-APACHE")


def cargo(*arguments, toolchain=None, cwd=ROOT, capture=False):
    command = ["cargo", *([f"+{toolchain}"] if toolchain else []), *arguments]
    return subprocess.run(command, cwd=cwd, check=True, text=True, stdout=subprocess.PIPE if capture else None).stdout


def all_crates():
    packages = json.loads(cargo("metadata", "--format-version=1", "--no-deps", "--locked", capture=True))["packages"]
    return {package["name"]: package for package in packages}


def needs(crate, crates):
    """The crates of this workspace that have to be on the registry before this one."""
    versioned = [dependency for dependency in crate["dependencies"] if dependency["req"] != "*"]
    return {dependency["name"] for dependency in versioned} & crates.keys()


def in_order(crates):
    published = {name for name, crate in crates.items() if crate["publish"] is None}
    order = []
    while left := sorted(published - set(order)):
        ready = [name for name in left if not (needs(crates[name], crates) & published) - set(order)]
        if not ready:
            sys.exit(f"these need each other: {', '.join(left)}")
        order += ready
    return order


def wrong_in(crate, crates):
    """What is wrong with the manifest and the README of a published crate."""
    for field in ("description", "documentation", "homepage", "repository", "license", "readme", "rust_version"):
        if not crate[field]:
            yield f"no {field}"
    if not crate["categories"]:
        yield "no categories"
    if not 1 <= len(crate["keywords"]) <= KEYWORDS_MAX:
        yield f"{len(crate['keywords'])} keywords, and there are 1 to {KEYWORDS_MAX}"
    for other in sorted(needs(crate, crates)):
        if crates[other]["publish"] is not None:
            yield f"depends on {other}, which is not published"
    readme = (Path(crate["manifest_path"]).parent / "README.md").read_text()
    if f"minimum Rust version is {crate['rust_version']}." not in readme:
        yield f"README.md does not say that the minimum Rust version is {crate['rust_version']}"
    default = set(crate["features"].get("default", []))
    features = {name for name in crate["features"] if name != "default" and not name.startswith("__")}
    expected = {(name, "on" if name in default else "off") for name in features}
    rows = set(re.findall(r"^\| `([^`]+)` \| (on|off) \|", readme, re.MULTILINE))
    for name, state in sorted(expected ^ rows):
        place = "README.md" if (name, state) in expected else "Cargo.toml"
        yield f"{place} does not have the feature {name}, {state} by default"


def package(order, crates):
    """Packages the crates and unpacks them. Returns what is missing in them."""
    selected = [f"--package={name}" for name in order]
    cargo("package", "--quiet", "--locked", "--allow-dirty", "--no-verify", f"--target-dir={FOLDER}", *selected)
    shutil.rmtree(FOLDER / "unpacked", ignore_errors=True)
    for name in order:
        full_name = f"{name}-{crates[name]['version']}"
        with tarfile.open(FOLDER / f"package/{full_name}.crate") as archive:
            archive.extractall(FOLDER / "unpacked", filter="data")
        (FOLDER / "unpacked" / full_name).rename(FOLDER / "unpacked" / name)
        for file in FILES:
            if not (FOLDER / "unpacked" / name / file).read_text():
                yield f"{name}: {file} is empty"


def build(order, crates):
    """Checks the unpacked crates in a workspace of their own."""
    members = ", ".join(f'"{name}"' for name in order)
    patches = "".join(f'{name} = {{ path = "{name}" }}\n' for name in order)
    workspace = f'[workspace]\nresolver = "3"\nmembers = [{members}]\n\n[patch.crates-io]\n{patches}'
    (FOLDER / "unpacked/Cargo.toml").write_text(workspace)
    # The same versions as everywhere else.
    shutil.copy(ROOT / "Cargo.lock", FOLDER / "unpacked/Cargo.lock")
    [toolchain] = {crates[name]["rust_version"] for name in order}
    options = ["--workspace", "--all-targets", "--all-features", f"--target-dir={FOLDER}"]
    cargo("check", "--quiet", *options, toolchain=toolchain, cwd=FOLDER / "unpacked")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the published crates, in the order of publication")
    parser.add_argument("--no-build", action="store_true", help="do not build the packages")
    options = parser.parse_args()
    crates = all_crates()
    order = in_order(crates)
    if options.list:
        print("\n".join(order))
        return 0
    wrong = [f"{name}: {text}" for name in order for text in wrong_in(crates[name], crates)]
    if not wrong:
        wrong = list(package(order, crates))
    if not wrong and not options.no_build:
        build(order, crates)
    print("\n".join(wrong) if wrong else f"{len(order)} packages are in order")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
