"""Writes the project that README.md describes, in a directory outside of this tree.

    python3 project.py DIRECTORY
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CLONE = "../rts/"


def block(readme, language, word):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    [found] = [text for text in blocks if word in text]
    return found


readme = (ROOT / "README.md").read_text()
dependencies = block(readme, "toml", "[dependencies]")
assert dependencies.count(CLONE) == 1, "README.md depends on a clone"
folder = pathlib.Path(sys.argv[1])
(folder / "src").mkdir()
(folder / "src/main.rs").write_text(block(readme, "rust,no_run", "async fn main"))
(folder / "Cargo.toml").write_text(
    '[package]\nname = "newcomer"\nversion = "0.1.0"\nedition = "2024"\n\n'
    + dependencies.replace(CLONE, f"{ROOT}/")
)
# The same versions as everywhere else in CI.
(folder / "Cargo.lock").write_text((ROOT / "Cargo.lock").read_text())
