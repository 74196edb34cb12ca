#!/usr/bin/env python3
"""Breaks each rule of docs/assurance/ in a copy of the tree, and requires that its tests fail.

The mutations are in *.toml beside this file: small changes of the code, at least one for each rule
and law. For each mutation, this script changes the copy, builds and runs the tests that the
mutation names, and restores the copy. All of these tests must fail. A change that does not compile
or a test that does not end proves nothing: the check reports it and fails.

    tests/ledger/check.py                    every row
    tests/ledger/check.py --row §1.2         one row (or several)
    tests/ledger/check.py --part 3/10        the third tenth
    tests/ledger/check.py --list             all mutations, and the tests that must fail

Exits with 0 if tests noticed every mutation, with 1 if not, and with 2 if the check was impossible.
"""

import argparse
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# The copy and its builds, apart from others: a broken build must not be mistaken for a good one.
WORK = ROOT / "target" / "ledger"
TREE = WORK / "tree"

# A test that takes longer proves nothing.
TEST_TIMEOUT_S = 240
# The lines shown of a failed build.
BUILD_ERROR_LINES = 20

NOTICED = "noticed"


class CannotCheck(Exception):
    """The check itself is wrong, whatever the code does."""


@dataclass(frozen=True)
class Target:
    """A cargo target with tests: a library, or a file or directory in `tests/`."""

    package: str
    name: str | None  # None: the library

    def flags(self):
        return ["--lib"] if self.name is None else ["--test", self.name]

    def __str__(self):
        return f"{self.package} {' '.join(self.flags())}"


@dataclass(frozen=True)
class Test:
    """A test as the ledger names it: `path/of/file.rs::name`."""

    file: str
    name: str

    @staticmethod
    def parse(text):
        file, separator, name = text.partition("::")
        if not separator:
            raise CannotCheck(f"{text}: a mutation names single tests, as FILE::NAME")
        return Test(file, name)

    def package_dir(self):
        path = Path(self.file).parent
        while not (ROOT / path / "Cargo.toml").exists():
            path = path.parent
        return path

    def target(self):
        directory = self.package_dir()
        manifest = tomllib.loads((ROOT / directory / "Cargo.toml").read_text())
        inside = Path(self.file).relative_to(directory).parts
        name = inside[1].removesuffix(".rs") if inside[0] == "tests" else None
        return Target(manifest["package"]["name"], name)

    def is_called(self, path):
        """Whether this is its full path in the binary of its target."""
        modules, _, name = f"::{path}".rpartition("::")
        stem = Path(self.file).stem
        in_file = f"::{stem}" in modules or stem in ("main", "tests") or Path(self.file).parts[-2] == "tests"
        return name == self.name and in_file

    def __str__(self):
        return f"{self.file}::{self.name}"


@dataclass(frozen=True)
class Mutation:
    """One way to break one row of the ledger."""

    row: str
    breaks: str
    file: str
    find: str
    replace: str
    tests: tuple

    def targets(self):
        return sorted({test.target() for test in self.tests}, key=str)

    def order(self):
        """The sort key, which puts mutations that are built together next to each other."""
        return ([str(target) for target in self.targets()], self.file, self.row, self.breaks)


def load():
    mutations = []
    for file in sorted(HERE.glob("*.toml")):
        for entry in tomllib.loads(file.read_text())["mutation"]:
            tests = tuple(Test.parse(test) for test in entry.pop("tests"))
            mutations.append(Mutation(**entry, tests=tests))
    return sorted(mutations, key=Mutation.order)


def select(mutations, arguments):
    if arguments.row:
        chosen = [mutation for mutation in mutations if mutation.row in arguments.row]
        missing = set(arguments.row) - {mutation.row for mutation in chosen}
        if missing:
            raise CannotCheck(f"no mutation of {', '.join(sorted(missing))}: --list has all")
        return chosen
    if arguments.part:
        match = re.fullmatch(r"(\d+)/(\d+)", arguments.part)
        part, parts = map(int, match.groups()) if match else (0, 0)
        if not 1 <= part <= parts:
            raise CannotCheck(f"--part {arguments.part}: expected K/N with K from 1 to N, such as 3/10")
        # Neighbours are built together, so a part is a run of them.
        count = len(mutations)
        return mutations[count * (part - 1) // parts : count * part // parts]
    return mutations


def copy_tree():
    """Copies the files that git tracks or would add. Skips equal files: cargo would build them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True,
    )
    if listed.returncode != 0:
        raise CannotCheck(f"git does not say which files there are: {listed.stderr.strip()}")
    wanted = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    for path in [path for path in TREE.rglob("*") if path.is_file()]:
        if str(path.relative_to(TREE)) not in wanted:
            path.unlink()
    for name in wanted:
        source, copy = ROOT / name, TREE / name
        if copy.exists() and copy.read_bytes() == source.read_bytes():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def build(targets):
    """The executables of these targets, or None and the output of the compiler."""
    environment = os.environ | {
        "CARGO_TARGET_DIR": str(WORK / "build"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_INCREMENTAL": "1",
    }
    executables = {}
    for target in targets:
        command = ["cargo", "test", "--locked", "--no-run", "--message-format=json-render-diagnostics"]
        command += ["-p", target.package, *target.flags()]
        done = subprocess.run(command, cwd=TREE, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            return None, done.stderr
        for line in done.stdout.splitlines():
            message = json.loads(line)
            if message.get("executable") and message["profile"]["test"]:
                executables[target] = message["executable"]
    return executables, ""


def run(executable, tests):
    """The result of each test: ok, FAILED, or that it did not end."""
    directory = TREE / tests[0].package_dir()
    listed = subprocess.run([executable, "--list", "--format=terse"], cwd=directory, capture_output=True, text=True)
    paths = [line.removesuffix(": test") for line in listed.stdout.splitlines() if line.endswith(": test")]
    results = {}
    for test in tests:
        found = [path for path in paths if test.is_called(path)]
        if len(found) != 1:
            raise CannotCheck(f"{test}: {len(found)} tests of this name in {executable}")
        command = [executable, "--exact", found[0]]
        try:
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=TEST_TIMEOUT_S)
            results[test] = "ok" if done.returncode == 0 else "FAILED"
        except subprocess.TimeoutExpired:
            results[test] = f"did not end in {TEST_TIMEOUT_S} s"
    return results


def run_all(executables, tests):
    results = {}
    for target, executable in executables.items():
        of_target = [test for test in tests if test.target() == target]
        results |= run(executable, of_target)
    return results


def check_unbroken(mutations):
    """A test that fails anyway would prove nothing."""
    tests = sorted({test for mutation in mutations for test in mutation.tests}, key=str)
    targets = sorted({test.target() for test in tests}, key=str)
    executables, error = build(targets)
    if executables is None:
        raise CannotCheck(f"the tree does not compile:\n{error}")
    bad = [f"{test}: {result}" for test, result in run_all(executables, tests).items() if result != "ok"]
    if bad:
        raise CannotCheck("these do not pass with nothing broken:\n" + "\n".join(bad))


def verdict(mutation):
    """Breaks the rule. Returns the result, and the details to show."""
    path = TREE / mutation.file
    whole = path.read_text()
    if (count := whole.count(mutation.find)) != 1:
        raise CannotCheck(f"{mutation.row}: the text to find is {count} times in {mutation.file}")
    try:
        path.write_text(whole.replace(mutation.find, mutation.replace))
        executables, error = build(mutation.targets())
        if executables is None:
            return "DOES NOT COMPILE", error.splitlines()[-BUILD_ERROR_LINES:]
        results = run_all(executables, mutation.tests)
    finally:
        path.write_text(whole)
    passed = [f"{test} passes" for test, result in results.items() if result == "ok"]
    endless = [f"{test} {result}" for test, result in results.items() if result not in ("ok", "FAILED")]
    if passed:
        return "NOT NOTICED", passed
    if endless:
        return "DOES NOT END", endless
    return NOTICED, []


def check(mutations):
    WORK.mkdir(parents=True, exist_ok=True)
    # Open until the process ends.
    lock = open(WORK / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotCheck(f"another check is at work in {WORK}: it has the copy for itself") from None
    copy_tree()
    started = time.monotonic()
    print(f"{len(mutations)} mutations; first their tests with nothing broken", flush=True)
    check_unbroken(mutations)
    print(f"all pass, after {time.monotonic() - started:.0f} s\n", flush=True)
    bad = 0
    for mutation in mutations:
        began = time.monotonic()
        result, details = verdict(mutation)
        bad += result != NOTICED
        print(f"{mutation.row:6} {result:16} {time.monotonic() - began:4.0f} s  {mutation.breaks}", flush=True)
        for line in details:
            print(f"       {line}", flush=True)
    seconds = time.monotonic() - started
    rows = len({mutation.row for mutation in mutations})
    print(f"\n{len(mutations) - bad} of {len(mutations)} mutations of {rows} rows noticed, in {seconds:.0f} s")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", action="append", metavar="ROW", help="only this row, such as §1.2 or I31")
    parser.add_argument("--part", metavar="K/N", help="only the K-th of N parts")
    parser.add_argument("--list", action="store_true", help="say what would be done, and do nothing")
    arguments = parser.parse_args()
    try:
        mutations = select(load(), arguments)
        if not arguments.list:
            return check(mutations)
        for mutation in mutations:
            print(f"{mutation.row:6} {mutation.breaks}")
            for test in mutation.tests:
                print(f"       {test}")
    except CannotCheck as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
