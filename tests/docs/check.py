#!/usr/bin/env python3
"""Checks the Markdown of the tree (links, widths, blank lines, contents of the book), and the width
of comments in all source files.

    tests/docs/check.py                  the tree
    tests/docs/check.py --book FOLDER    the links of the pages that mdBook wrote to FOLDER

Prints each fault on a line of its own. Exits with 1 if there is one.
"""

import argparse
import re
import subprocess
import sys
import tokenize
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS_MAX = 100
# The pages whose width is checked, and the one with wide tables of measurements.
MANUAL = re.compile(r"docs/|[\w-]+/README|[A-Z]+\.md")
WIDE_TABLES = ("docs/performance.md",)
# Lines of comments, by the ends of file names. Files without an end are shell or Python scripts.
COMMENTS = {
    (".rs", ".js", ".ts", ".proto", ".css"): re.compile(r"\s*(//|/\*|\*[ /])"),
    (".toml", ".yaml", ".yml", ".sh", ""): re.compile(r"\s*#"),
}
# A link or an image, with the text between its round brackets.
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")
# What separates the head of a table from its rows.
TABLE_RULE = re.compile(r"\|[-:| ]+\|")
FENCE = re.compile(r"\s*(```|~~~)")
# Addresses with a scheme; and paths of Rust, which rustdoc checks.
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:|//|\w+::")


def files():
    """The files that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {name for name in listed.split("\0") if name and (ROOT / name).exists()}


def lines_of(name):
    """Each line with its number, and whether it is inside of a block of code."""
    in_code = False
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        is_fence = FENCE.match(line) is not None
        yield number, line, in_code or is_fence
        in_code ^= is_fence


def anchors(name):
    """The ids of a page's headings, as forges and mdBook make them."""
    seen, ids = {}, set()
    for _, line, in_code in lines_of(name):
        heading = None if in_code else re.match(r"#{1,6} (.*)", line)
        if heading:
            text = LINK.sub("]", heading[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            ids.add(f"{slug}-{count}" if count else slug)
    return ids


def check_link(source, target, known):
    """The fault of a link of this page, or None."""
    path, _, anchor = target.partition("#")
    place = source
    if path:
        parts = []
        for part in (*PurePosixPath(source).parent.parts, *PurePosixPath(unquote(path)).parts):
            if part == "..":
                if not parts:
                    return f"{target}: leads out of the tree"
                parts.pop()
            elif part != ".":
                parts.append(part)
        place = "/".join(parts)
        is_folder = any(name.startswith(f"{place}/") for name in known)
        if place not in known and not is_folder:
            return f"{target}: there is no {place}"
    if anchor and place.endswith(".md") and anchor not in anchors(place):
        return f"{target}: {place} has no heading for #{anchor}"
    return None


def check_page(name, known):
    for number, line, in_code in lines_of(name):
        if in_code:
            continue
        for target in LINK.findall(re.sub(r"`[^`]*`", "``", line)):
            if not EXTERNAL.match(target) and (wrong := check_link(name, target, known)):
                yield f"{name}:{number}: {wrong}"
        may_be_wide = name in WIDE_TABLES and line.startswith("|")
        if len(line) > COLUMNS_MAX and MANUAL.match(name) and not may_be_wide:
            yield f"{name}:{number}: {len(line)} columns, and {COLUMNS_MAX} are the most"


def check_blank_lines(name):
    """Two blank lines in a row, and a blank line that cuts a table: what follows it is no table."""
    lines = list(lines_of(name))
    for (_, before, in_code), (number, line, _), (_, after, _) in zip(lines, lines[1:], lines[2:]):
        if in_code or line.strip():
            continue
        if not before.strip():
            yield f"{name}:{number}: a second blank line"
        following = lines[number + 1][1] if number + 1 < len(lines) else ""
        is_head = TABLE_RULE.fullmatch(following) is not None
        if before.startswith("|") and after.startswith("|") and not is_head:
            yield f"{name}:{number}: a blank line inside of a table"


def comment_lines(name):
    """Each line of a comment or docstring with its number."""
    path = ROOT / name
    end = path.suffix
    text = path.read_bytes()
    if end == ".py" or text.startswith(b"#!/usr/bin/env python3"):
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                is_docstring = token.type == tokenize.STRING and token.line.lstrip().startswith('"""')
                if token.type == tokenize.COMMENT or is_docstring:
                    yield from enumerate(token.line.splitlines(), token.start[0])
    elif end or text.startswith(b"#!"):
        for pattern in (pattern for ends, pattern in COMMENTS.items() if end in ends):
            for number, line in enumerate(text.decode().splitlines(), 1):
                if pattern.match(line):
                    yield number, line


def check_comments(name):
    for number, line in comment_lines(name):
        if len(line) > COLUMNS_MAX:
            yield f"{name}:{number}: {len(line)} columns, and {COLUMNS_MAX} are the most"


def check_tree():
    known = files()
    pages = sorted(name for name in known if name.endswith(".md"))
    wrong = [line for name in pages for line in (*check_page(name, known), *check_blank_lines(name))]
    wrong += [line for name in sorted(known) for line in check_comments(name)]
    summary = set(LINK.findall((ROOT / "docs/SUMMARY.md").read_text()))
    for name in pages:
        page = name.removeprefix("docs/")
        if page not in (name, "SUMMARY.md") and page not in summary:
            wrong.append(f"{name}: is not in docs/SUMMARY.md")
    return wrong, f"{len(pages)} pages, and comments of {len(known)} files"


class Page(HTMLParser):
    """The ids and the links of an HTML page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text())

    def handle_starttag(self, _, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def check_book(folder):
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        if path.name in ("404.html", "print.html", "toc.html"):
            continue
        for link in page.links:
            if EXTERNAL.match(link):
                continue
            target, _, anchor = link.partition("#")
            place = (path.parent / unquote(target)).resolve() if target else path
            where = f"{path.relative_to(folder.resolve())}: {link}"
            if not place.exists():
                wrong.append(f"{where}: leads nowhere")
            elif anchor and place in pages and unquote(anchor) not in pages[place].ids:
                wrong.append(f"{where}: that page has no such place")
    if len(pages) < 10:
        wrong.append(f"{folder}: {len(pages)} pages are no book")
    return wrong, f"{len(pages)} pages of the book"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--book", type=Path, metavar="FOLDER", help="the pages that mdBook wrote")
    options = parser.parse_args()
    wrong, what = check_book(options.book) if options.book else check_tree()
    print("\n".join(wrong) if wrong else f"{what}: no faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
