"""Splits Rust into tokens, without comments and tests. Each literal and lifetime is one token."""

import re

TOKEN = re.compile(
    r"""
    (?P<skip>\s+|//[^\n]*)
  | (?P<comment>/\*)
  | (?P<raw>b?c?r(?P<hashes>\#*)")
  | (?P<string>[bc]?"(?:[^"\\]|\\.)*")
  | (?P<char>b?'(?:[^'\\\n]|\\(?:u\{[^}]*\}|x..|.))')
  | (?P<lifetime>'[A-Za-z_]\w*)
  | (?P<ident>(?:r\#)?[A-Za-z_]\w*)
  | (?P<number>\d[\w.]*?(?=\.\.|\.[A-Za-z_]|[^\w.]|$))
  | (?P<op>::|->|=>|\.\.=?|.)
    """,
    re.VERBOSE | re.DOTALL,
)
LITERAL = '""'
LIFETIME = "'_"
OPENS = {"(": ")", "[": "]", "{": "}"}
CLOSES = set(OPENS.values())
# Items that end with a semicolon even if there are braces before it.
WITH_VALUE = {"const", "static", "type", "use", "let"}


def tokenize(text):
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        at = match.end()
        kind = match.lastgroup if match.lastgroup != "hashes" else "raw"
        if kind == "comment":
            at = end_of_comment(text, at)
        elif kind == "raw":
            end = '"' + match["hashes"]
            at = text.index(end, at) + len(end)
            tokens.append(LITERAL)
        elif kind in ("string", "char", "number"):
            tokens.append(LITERAL)
        elif kind == "lifetime":
            tokens.append(LIFETIME)
        elif kind != "skip":
            tokens.append(match[0].removeprefix("r#"))
    return tokens


def end_of_comment(text, at):
    depth = 1
    while depth:
        mark = re.compile(r"/\*|\*/").search(text, at)
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return at


def without_tests(tokens):
    """The code without its tests, and the names of the test modules."""
    kept, dropped, at = [], set(), 0
    while at < len(tokens):
        is_outer = tokens[at : at + 2] == ["#", "["]
        if not is_outer:
            kept.append(tokens[at])
            at += 1
            continue
        end = closing(tokens, at + 1)
        attribute = tokens[at + 2 : end]
        if not is_for_tests(attribute):
            at = end + 1
            continue
        at = end + 1
        while tokens[at : at + 2] == ["#", "["]:
            at = closing(tokens, at + 1) + 1
        end = end_of_item(tokens, at)
        if "mod" in tokens[at:end]:
            dropped.add(tokens[tokens.index("mod", at) + 1])
        at = end
    return kept, dropped


def is_for_tests(attribute):
    words = [token for token in attribute if is_name(token)]
    return words[:2] == ["cfg", "test"] or words[:3] == ["cfg", "all", "test"]


def end_of_item(tokens, at):
    """The index after the item, field, variant or statement that begins at `at`."""
    word = next((place for place in range(at, len(tokens)) if tokens[place] != "pub"), at)
    is_field = tokens[word + 1 : word + 2] == [":"]
    is_valued = tokens[word] in WITH_VALUE and tokens[word + 1 : word + 2] != ["fn"]
    while at < len(tokens):
        token = tokens[at]
        if token in CLOSES:
            return at
        if token == ";" or (token == "," and is_field):
            return at + 1
        if token in OPENS:
            at = closing(tokens, at)
            if token == "{" and not is_valued and not is_field:
                return at + 1
        at += 1
    return at


def closing(tokens, at):
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place] in OPENS
        depth -= tokens[place] in CLOSES
        if depth == 0:
            return place
    raise ValueError("a bracket is not closed")


def is_name(token):
    return token[0].isalpha() or token[0] == "_"


def split_at_commas(tokens):
    parts, depth = [[]], 0
    for token in tokens:
        depth += token in OPENS
        depth -= token in CLOSES
        if token == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def end_of_generics(tokens, at):
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place] == "<"
        depth -= tokens[place] == ">"
        if depth == 0:
            return place + 1
    return len(tokens)
