#!/usr/bin/env python3
"""Does what a newcomer does: copies programs out of the documents into projects of their own,
builds them, and talks to them through a server of this machine.

    tests/newcomer/check.py target/debug/rts

The server takes the ports of `rts serve --dev`: 7600, 7601 and 7680.
"""

import os
import pathlib
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests/newcomer"
CLONE = "../rts/"
ADDRESS = "rts://127.0.0.1:7600"
PATIENCE = 60
TARGET = ROOT / "target/newcomer"
# Without these, Cargo would build with the settings of the workspace's builds.
ENVIRONMENT = {**os.environ, "RUSTFLAGS": "-D warnings", "CARGO_TARGET_DIR": str(TARGET)}


def block(page, language, word):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    [found] = [text for text in blocks if word in text]
    return found


class Program:
    """A program whose lines are read as they come."""

    def __init__(self, *command, environment=None):
        self.name = " ".join(str(word) for word in command)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def says(self, wanted):
        """Waits for a line that contains this."""
        seen = []
        end = time.monotonic() + PATIENCE
        while True:
            try:
                line = self.lines.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise SystemExit(f"{self.name} did not print {wanted!r}, but {seen}")
            print(f"  {line}")
            if wanted in line:
                return
            seen.append(line)

    def types(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def cargo(folder, *arguments, **options):
    command = ["cargo", *arguments, "--manifest-path", str(folder / "Cargo.toml")]
    return subprocess.run(command, check=True, env=ENVIRONMENT, text=True, **options)


def documented(folder):
    """A project with the programs of README.md and of the guide for Rust."""
    readme = (ROOT / "README.md").read_text()
    guide = (ROOT / "docs/guides/rust.md").read_text()
    dependencies = block(readme, "toml", "[dependencies]")
    assert dependencies.count(CLONE) == 1, "README.md depends on a clone"
    assert block(guide, "toml", "[dependencies]") == dependencies, "the guide depends on the same"
    (folder / "src/bin").mkdir(parents=True)
    for name, page in [("main.rs", readme), ("bin/guide.rs", guide)]:
        (folder / "src" / name).write_text(block(page, "rust,no_run", "async fn main"))
    package = '[package]\nname = "newcomer"\nversion = "0.1.0"\nedition = "2024"\n\n'
    (folder / "Cargo.toml").write_text(package + dependencies.replace(CLONE, f"{ROOT}/"))
    # The same versions as everywhere else in CI.
    (folder / "Cargo.lock").write_text((ROOT / "Cargo.lock").read_text())


def copied(source, folder):
    """A project of this folder."""
    (folder / "src").mkdir(parents=True)
    (folder / "src/main.rs").write_text((source / "src/main.rs").read_text())
    manifest = (source / "Cargo.toml").read_text()
    assert manifest.count(CLONE) == 1
    (folder / "Cargo.toml").write_text(manifest.replace(CLONE, f"{ROOT}/"))
    (folder / "Cargo.lock").write_text((ROOT / "Cargo.lock").read_text())


def token(rts):
    command = [rts, "token", "new", "--dev", "alice"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def talk(rts, folder):
    documented(folder)
    cargo(folder, "build", "--bins")
    alice = {"RTS_TOKEN": token(rts)}

    print("the program of README.md, and bob in a chat")
    bob = Program(rts, "chat", "--dev", "bob", "--to", "alice")
    bob.says("bob")
    program = Program(TARGET / "debug/newcomer", environment=alice)
    program.says("bob has it")
    bob.says("hi bob")
    bob.types("hi alice")
    program.says("bob: hi alice")
    program.end()
    bob.end()

    print("the program of the guide, and bob in the room")
    bob = Program(rts, "chat", "--dev", "bob", "--room", "lobby")
    bob.says("lobby")
    program = Program(TARGET / "debug/guide", environment=alice)
    program.says("sent to every other member")
    bob.says("hello room")
    bob.types("hi alice")
    program.says("bob: hi alice")
    program.end()
    bob.end()


def switch(rts, folder):
    copied(HERE / "switch", folder)
    said = set()
    for runtime, other in [("tokio", "smol"), ("smol", "tokio")]:
        print(f"the same application on {runtime}")
        features = ["--no-default-features", "--features", runtime]
        tree = cargo(folder, "tree", "--prefix", "none", *features, stdout=subprocess.PIPE).stdout
        crates = {line.split()[0] for line in tree.splitlines() if line}
        assert runtime in crates and other not in crates, f"{other} is still there: {crates}"
        cargo(folder, "build", *features)
        command = [TARGET / "debug/switch", ADDRESS]
        environment = {**os.environ, "RTS_TOKEN": token(rts)}
        ran = subprocess.run(
            command, check=True, env=environment, stdout=subprocess.PIPE, text=True, timeout=PATIENCE
        )
        print(ran.stdout, end="")
        assert "alice: hello alice\n" in ran.stdout
        said.add(ran.stdout)
    assert len(said) == 1, f"it says different things: {said}"


def main():
    rts = pathlib.Path(sys.argv[1]).resolve()
    server = Program(rts, "serve", "--dev")
    try:
        server.says(ADDRESS)
        with tempfile.TemporaryDirectory() as folder:
            talk(rts, pathlib.Path(folder) / "newcomer")
            switch(rts, pathlib.Path(folder) / "switch")
    finally:
        server.end()
    print("every program works")


if __name__ == "__main__":
    main()
