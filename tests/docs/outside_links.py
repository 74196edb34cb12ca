"""A preprocessor of mdBook: links that lead out of docs/ go to the repository instead.

`book.toml` names it. mdBook calls it with the context and the book as JSON on standard input.
"""

import json
import posixpath
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OUTSIDE = re.compile(r"\]\(((?:\.\./)+[^)#\s]*)([^)]*)\)")


def rewritten(content, page, source, repository):
    def replace(match):
        target = posixpath.normpath(posixpath.join(source, posixpath.dirname(page), match[1]))
        if target.startswith(f"{source}/"):
            return match[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"]({repository}/{kind}/main/{target}{match[2]})"

    return OUTSIDE.sub(replace, content)


def visit(items, source, repository):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter:
            if chapter.get("path"):
                chapter["content"] = rewritten(chapter["content"], chapter["path"], source, repository)
            visit(chapter["sub_items"], source, repository)


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    config = context["config"]
    visit(book["items"], config["book"]["src"], config["output"]["html"]["git-repository-url"])
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
