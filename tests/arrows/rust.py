"""Reads enough of Rust to say which file of a crate uses what another file defines.

It works on tokens, without types: names are resolved through modules, imports and re-exports. The
type of a receiver is the one that is written beside its name, or the one that has its name.
"""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tokens import (
    CLOSES,
    LIFETIME,
    LITERAL,
    OPENS,
    closing,
    end_of_generics,
    end_of_item,
    is_name,
    split_at_commas,
    tokenize,
    without_tests,
)

DEFINES = {"fn", "struct", "enum", "union", "trait", "type", "const", "static"}
# Types that dereference to their content, whose methods they pass on.
TRANSPARENT = {"Box", "Arc", "Rc"}


@dataclass
class Module:
    """A module: its definitions, imports and code."""

    path: tuple
    file: Path
    # The module of the file, if this is a module within it.
    file_path: tuple
    items: set = field(default_factory=set)
    imports: list = field(default_factory=list)
    code: list = field(default_factory=list)


@dataclass
class Import:
    """One name that a `use` brings in; `name` is `*` for all of them."""

    path: tuple
    name: str
    is_reexport: bool


@dataclass
class Code:
    """The tokens of an item, and the type that `Self` is in it."""

    tokens: list
    self_path: tuple = ()
    is_inherent: bool = False
    is_struct: bool = False


class Crate:
    """All modules of a crate, from the folder of its root file."""

    def __init__(self, source):
        self.modules = {}
        self.read_file(next(root_files(source)), (), source)
        # (module, type) -> name of a method -> the file that has it.
        self.methods = defaultdict(dict)
        # Name of a field -> its types in this crate.
        self.fields = defaultdict(set)
        for module in self.modules.values():
            for code in module.code:
                self.note_impl(module, code)
                if code.is_struct:
                    for name, kind in self.annotations(module, code.tokens):
                        self.fields[name].add(kind)

    # Reading

    def read_file(self, file, path, folder):
        tokens, dropped = without_tests(tokenize(file.read_text()))
        self.read_module(tokens, Module(path, file, path), folder, dropped)

    def read_module(self, tokens, module, folder, dropped):
        self.modules[module.path] = module
        at = 0
        while at < len(tokens):
            begin, is_public = at, False
            if tokens[at] == "#" and tokens[at + 1] == "!":
                at = closing(tokens, at + 2) + 1
                continue
            if tokens[at] == "pub":
                is_public = True
                at += 1
                if tokens[at] == "(":
                    at = closing(tokens, at) + 1
            while tokens[at] in ("unsafe", "async", "extern", LITERAL) or (
                tokens[at] == "const" and tokens[at + 1] in ("fn", "unsafe", "async")
            ):
                at += 1
            end = max(end_of_item(tokens, at), at + 1)
            self.read_item(tokens[at:end], tokens[begin:end], is_public, module, folder, dropped)
            at = end

    def read_item(self, item, whole, is_public, module, folder, dropped):
        word = item[0]
        name = item[1] if len(item) > 1 else ""
        if word == "use":
            module.imports += imports_of(item[1:-1], is_public)
        elif word == "mod" and item[2] == "{":
            child = Module((*module.path, name), module.file, module.file_path)
            self.read_module(item[3:-1], child, folder / name, dropped)
        elif word == "mod":
            places = (folder / f"{name}.rs", folder / name / "mod.rs")
            file = next((place for place in places if place.exists()), None)
            if file and name not in dropped and name != "tests":
                self.read_file(file, (*module.path, name), folder / name)
        elif word == "impl":
            self.read_impl(item, module)
        else:
            if word in DEFINES:
                module.items.add(item[2] if name == "mut" else name)
            elif word == "macro_rules":
                module.items.add(item[2])
            is_struct = word == "struct"
            module.code.append(Code(whole, is_struct=is_struct))
            module.imports += nested_imports(item)

    def read_impl(self, item, module):
        body = next(at for at in range(len(item)) if item[at] == "{")
        header = item[1:body]
        if header[0] == "<":
            header = header[end_of_generics(header, 0) :]
        if "where" in header:
            header = header[: header.index("where")]
        is_inherent = "for" not in header
        of = header if is_inherent else header[header.index("for") + 1 :]
        path = path_at(of, next((at for at in range(len(of)) if is_path_start(of[at])), 0))
        module.code.append(Code(item, path, is_inherent))
        module.imports += nested_imports(item)

    def note_impl(self, module, code):
        kind = self.resolve(module.path, code.self_path) if code.is_inherent else None
        if kind is None:
            return
        tokens = code.tokens
        at = tokens.index("{") + 1
        while at < len(tokens) - 1:
            if tokens[at] in ("fn", "const") and is_name(tokens[at + 1]) and tokens[at + 1] != "fn":
                self.methods[kind][tokens[at + 1]] = module.file
            at = closing(tokens, at) + 1 if tokens[at] in OPENS else at + 1

    # Names

    def resolve(self, module, path, seen=()):
        """The module and the name of the item that a path means; `None` outside of this crate."""
        if not path or (module, path) in seen:
            return None
        seen = (*seen, (module, path))
        at, rest = module, list(path)
        if rest[0] == "crate":
            at = ()
        while rest and rest[0] in ("crate", "self", "super"):
            at = at[:-1] if rest.pop(0) == "super" else at
        while rest:
            name = rest.pop(0)
            found = self.modules.get(at)
            if found is None:
                return None
            if name in found.items:
                return (at, name)
            if (*at, name) in self.modules:
                at = (*at, name)
                continue
            return self.resolve_import(found, name, rest, seen)
        return (at, "")

    def resolve_import(self, module, name, rest, seen):
        for an in module.imports:
            if an.name == name and an.path[:1] != (name,):
                return self.resolve(module.path, (*an.path, *rest), seen)
        for an in module.imports:
            # Do not look a crate's name up by a glob of that crate again.
            if an.name == "*" and an.path[:1] != (name,):
                found = self.resolve(module.path, (*an.path, name, *rest), seen)
                if found:
                    return found
        return None

    def file_of(self, found):
        return self.modules[found[0]].file if found and found[1] else None

    def annotations(self, module, tokens):
        """Each name with a type beside it, and that type; `None` for one of another crate."""
        for at in range(1, len(tokens) - 1):
            if tokens[at] != ":" or not is_name(tokens[at - 1]):
                continue
            place = at + 1
            while place < len(tokens) and (
                tokens[place] in ("&", "mut", "dyn", "impl", LIFETIME, "<")
                or tokens[place] in TRANSPARENT
            ):
                place += 1
            path = path_at(tokens, place)
            if path and any(part[0].isupper() for part in path):
                yield tokens[at - 1], self.resolve(module.path, path)

    # Uses

    def uses(self):
        """Each use of what another file defines: the file, the other file, and the name."""
        for module in self.modules.values():
            for an in module.imports:
                found = self.resolve(module.path, an.path)
                above = module.file_path
                is_of_child = found and found[0][: len(above)] == above != found[0]
                if found and not (an.is_reexport and is_of_child):
                    yield module.file, self.file_of(found), found[1]
            written = defaultdict(set)
            for code in module.code:
                for name, kind in self.annotations(module, code.tokens):
                    written[name].add(kind)
            for code in module.code:
                for other, name in self.uses_of(module, code, written):
                    yield module.file, other, name

    def uses_of(self, module, code, written):
        tokens = code.tokens
        own = self.resolve(module.path, code.self_path)
        for at, token in enumerate(tokens):
            before = tokens[at - 1] if at else ""
            if before == "." and is_name(token) and is_call(tokens, at + 1):
                for kind in self.receivers(tokens, at - 2, own, written):
                    if token in self.methods.get(kind, ()):
                        yield self.methods[kind][token], f"{kind[1]}::{token}"
            elif is_path_start(token) and before not in (".", "::", *DEFINES):
                path = path_at(tokens, at)
                if len(path) == 1 and not (token[0].isupper() or is_call(tokens, at + 1)):
                    continue
                kind = own if token == "Self" else self.resolve(module.path, path[:-1])
                if len(path) > 1 and kind and path[-1] in self.methods.get(kind, ()):
                    yield self.methods[kind][path[-1]], f"{kind[1]}::{path[-1]}"
                found = self.resolve(module.path, path)
                if found:
                    yield self.file_of(found), found[1]

    def receivers(self, tokens, at, own, written):
        """The possible types of the name at `at`."""
        name, is_field = tokens[at], tokens[at - 1] == "."
        if name == "self" and not is_field:
            return {own} - {None}
        known = self.fields.get(name) if is_field else written.get(name)
        if known:
            return known - {None}
        return {kind for kind in self.methods if snake_case(kind[1]) == name}


def root_files(source):
    return (source / name for name in ("lib.rs", "main.rs") if (source / name).exists())


def is_path_start(token):
    return is_name(token) and token not in ("mut", "dyn", "impl", "as", "where", "for")


def is_call(tokens, at):
    return tokens[at : at + 1] in (["("], ["!"]) or tokens[at : at + 2] == ["::", "<"]


def path_at(tokens, at):
    """The path that begins at `at`, as far as its names go."""
    path = []
    while at < len(tokens) and is_name(tokens[at]):
        path.append(tokens[at])
        if tokens[at + 1 : at + 2] != ["::"]:
            break
        at += 2
    return tuple(path)


def imports_of(tree, is_reexport, before=()):
    """The names that the tokens between `use` and its semicolon import."""
    found, path, at = [], before, 0
    while at < len(tree):
        if tree[at] == "{":
            end = closing(tree, at)
            for part in split_at_commas(tree[at + 1 : end]):
                found += imports_of(part, is_reexport, path)
            return found
        if tree[at] == "*":
            return [Import(path, "*", is_reexport)]
        if tree[at] == "as":
            return [Import(path, tree[at + 1], is_reexport)]
        if tree[at] != "::" and not (tree[at] == "self" and path):
            path = (*path, tree[at])
        at += 1
    return [Import(path, path[-1], is_reexport)] if path else []


def nested_imports(tokens):
    """The names that `use` imports within a body."""
    found = []
    for at, token in enumerate(tokens):
        if token == "use" and at and tokens[at - 1] in ("{", "}", ";"):
            found += imports_of(tokens[at + 1 : tokens.index(";", at)], False)
    return found


def snake_case(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
