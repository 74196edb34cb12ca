#!/usr/bin/env python3
"""Counts the arrows between the files of a folder: which file uses what another one defines.

A file has an arrow to another one when it imports or names an item of it, or calls a method that an
`impl` block there has. Where a module only declares or re-exports its children there is none, and
tests do not count. An arrow runs back up when it has to go so that the rest has no circle.

    tests/arrows/count.py                            the folders that CI checks
    tests/arrows/count.py rts-sim/src                any other folder
    tests/arrows/count.py --list                     the arrows that run back up, and what for
    tests/arrows/count.py --check                    exit code 1 when files are in a circle

A file and the folder of its name are also one module. Circles of modules are shown, and are no
error: a child may be used from outside of its module, and its module may use that user.

Of a circle of up to 20 files the fewest arrows are found, of a larger one few.
"""

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rust import Crate, root_files

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = (
    "rts-proto/src/server",
    "rts-proto/src/client",
    "rts-engine/src",
    "rts-stream/src",
    "rts-driver/src",
    "rts-client/src",
    "rts-flat/src",
    "rts-token/src",
    "rts-egress/src",
    "rts-cluster/src",
    "rts-openapi/src",
    "rts-server/src",
    "rts-trace/src",
    "rts-load/src",
    "rts-cli/src",
)
# Up to this number of files, all orders are tried.
EXACT_MAX = 20


@dataclass
class Drawing:
    """The files of a folder, and its arrows with the names that cause each."""

    files: list
    arrows: dict
    back_up: list
    circles: list
    module_circles: list


def main():
    parser = argparse.ArgumentParser(description="Counts the arrows between the files of a folder.")
    parser.add_argument("folders", nargs="*", help="instead of those that CI checks")
    parser.add_argument("--list", action="store_true", help="show the arrows that run back up")
    parser.add_argument("--check", action="store_true", help="exit 1 when files are in a circle")
    asked = parser.parse_args()
    complaints = []
    for name in asked.folders or FOLDERS:
        folder = Path(name) if asked.folders else ROOT / name
        drawing = draw(folder.resolve())
        show(name, drawing, asked.list)
        complaints += complaints_of(name, drawing)
    if asked.check and complaints:
        sys.exit("\n".join(complaints))


def show(name, drawing, lists):
    circles = "1 circle" if len(drawing.circles) == 1 else f"{len(drawing.circles)} circles"
    print(
        f"{name}: {len(drawing.files)} files, {len(drawing.arrows)} arrows, "
        f"{len(drawing.back_up)} back up, {circles}"
    )
    for circle in drawing.circles:
        print(f"  circle of {len(circle)}: {' '.join(circle)}")
    for circle in drawing.module_circles:
        print(f"  modules in a circle: {' '.join(circle)}")
    if lists:
        for arrow in drawing.back_up:
            names = ", ".join(sorted(drawing.arrows[arrow]))
            print(f"  back up: {arrow[0]} -> {arrow[1]}: {names}")


def complaints_of(name, drawing):
    if drawing.circles:
        yield f"{name} has files in a circle: {'; '.join(' '.join(c) for c in drawing.circles)}"


def draw(folder):
    source = next((at for at in (folder, *folder.parents) if any(root_files(at))), None)
    if source is None or not folder.is_dir():
        sys.exit(f"{folder} is not a folder below a lib.rs or main.rs")
    crate = Crate(source)
    all_files = {module.file for module in crate.modules.values()}
    inside = {file for file in all_files if file.is_relative_to(folder)}
    files = sorted(str(file.relative_to(folder)) for file in inside)
    arrows = defaultdict(set)
    for file, other, name in crate.uses():
        if file != other and file in inside and other in inside:
            arrows[str(file.relative_to(folder)), str(other.relative_to(folder))].add(name)
    circles = [part for part in strongly_connected(files, arrows) if len(part) > 1]
    back_up = sorted(arrow for circle in circles for arrow in least_back_up(circle, arrows))
    return Drawing(files, arrows, back_up, circles, circles_of_modules(files, arrows))


def circles_of_modules(files, arrows):
    """The circles between the modules right below the folder."""
    names = {file: Path(file).parts[0].removesuffix(".rs") for file in files}
    between = {(names[a], names[b]) for a, b in arrows if names[a] != names[b]}
    modules = sorted(set(names.values()))
    return [part for part in strongly_connected(modules, between) if len(part) > 1]


def strongly_connected(files, arrows):
    """Tarjan's algorithm; the parts, and the files of each, by name."""
    down = defaultdict(list)
    for begin, end in sorted(arrows):
        down[begin].append(end)
    index, low, stack, parts = {}, {}, [], []

    def visit(file):
        index[file] = low[file] = len(index)
        stack.append(file)
        for other in down[file]:
            if other not in index:
                visit(other)
            if other in stack:
                low[file] = min(low[file], low[other])
        if low[file] == index[file]:
            at = stack.index(file)
            parts.append(sorted(stack[at:]))
            del stack[at:]

    for file in files:
        if file not in index:
            visit(file)
    return sorted(parts)


def least_back_up(circle, arrows):
    """The arrows back up in the best order of these files, the one with the fewest."""
    place = {file: at for at, file in enumerate(circle)}
    out = [0] * len(circle)
    for begin, end in arrows:
        if begin in place and end in place:
            out[place[begin]] |= 1 << place[end]
    order = exact_order(out) if len(circle) <= EXACT_MAX else good_order(out)
    rank = {circle[file]: at for at, file in enumerate(order)}
    within = [(begin, end) for begin, end in arrows if begin in rank and end in rank]
    return [(begin, end) for begin, end in within if rank[begin] > rank[end]]


def exact_order(out):
    """For each set of files at the top: the fewest arrows back up in it, and its last file."""
    count = len(out)
    fewest = [0] + [None] * ((1 << count) - 1)
    last = [0] * (1 << count)
    for above in range(1 << count):
        for file in range(count):
            chosen = above | 1 << file
            if chosen == above:
                continue
            back_up = fewest[above] + (out[file] & above).bit_count()
            if fewest[chosen] is None or back_up < fewest[chosen]:
                fewest[chosen], last[chosen] = back_up, file
    order, rest = [], (1 << count) - 1
    while rest:
        order.append(last[rest])
        rest ^= 1 << last[rest]
    return order[::-1]


def good_order(out):
    """Moves one file after another to its best place, until none has a better one."""
    into = [sum(1 << a for a in range(len(out)) if out[a] >> b & 1) for b in range(len(out))]
    balance = [out[at].bit_count() - into[at].bit_count() for at in range(len(out))]
    order = sorted(range(len(out)), key=lambda at: (-balance[at], at))
    is_better = True
    while is_better:
        is_better = False
        for file in range(len(out)):
            rest = [other for other in order if other != file]
            # At the top, all incoming arrows run back up. Each passed file changes that.
            costs = [into[file].bit_count()]
            for other in rest:
                costs.append(costs[-1] - (into[file] >> other & 1) + (out[file] >> other & 1))
            best = min(costs)
            if best < costs[order.index(file)]:
                rest.insert(costs.index(best), file)
                order, is_better = rest, True
    return order


if __name__ == "__main__":
    main()
