"""Writes the project that README.md describes, in a directory outside of this tree, with the programs of
README.md and of the guide for Rust.

    python3 project.py DIRECTORY
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CLONE = "../rts/"


def block(page, language, word):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    [found] = [text for text in blocks if word in text]
    return found


readme = (ROOT / "README.md").read_text()
guide = (ROOT / "docs/guides/rust.md").read_text()
dependencies = block(readme, "toml", "[dependencies]")
assert dependencies.count(CLONE) == 1, "README.md depends on a clone"
assert block(guide, "toml", "[dependencies]") == dependencies, "the guide has the README's dependencies"
folder = pathlib.Path(sys.argv[1])
(folder / "src/bin").mkdir(parents=True)
for name, page in [("main.rs", readme), ("bin/guide.rs", guide)]:
    (folder / "src" / name).write_text(block(page, "rust,no_run", "async fn main"))
(folder / "Cargo.toml").write_text(
    '[package]\nname = "newcomer"\nversion = "0.1.0"\nedition = "2024"\n\n'
    + dependencies.replace(CLONE, f"{ROOT}/")
)
# The same versions as everywhere else in CI.
(folder / "Cargo.lock").write_text((ROOT / "Cargo.lock").read_text())
