#!/usr/bin/env python3
"""Runs the cases of the contract against engines behind a JSON port.

    tests/port/run.py target/debug/rts                        the engine of `rts engine`
    tests/port/run.py target/debug/rts --engine 'COMMAND'     the engine of a binding

COMMAND has {url} (rts://) or {ws_url} (ws://), and {app_id}, in the place of the values. RTS_ENGINE
in the environment is the same. Exits with 1 if a case fails. README.md has the rules of a port.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import os
import shlex
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]
import port  # noqa: E402
from port import Failure  # noqa: E402
from rts_processes import Server  # noqa: E402
from world import Case, World  # noqa: E402

Run = Callable[[Case], None]
# The cases that do nothing for most of their time.
WAITING = "absences."


def all_cases() -> dict[str, Run]:
    """The public functions of cases/*.py, by name, as `file.function`."""
    cases: dict[str, Run] = {}
    for path in sorted((HERE / "cases").glob("*.py")):
        module = importlib.import_module(f"cases.{path.stem}")
        for name, function in vars(module).items():
            is_here = inspect.isfunction(function) and function.__module__ == module.__name__
            if is_here and not name.startswith("_"):
                cases[f"{path.stem}.{name}"] = function
    return cases


class Report:
    """Prints each case as it ends."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.lock = threading.Lock()
        self.failed: list[str] = []
        self.passed = 0

    def add(self, name: str, seconds: float, case: Case, wrong: str | None) -> None:
        with self.lock:
            if wrong is None:
                self.passed += 1
                print(f"ok   {name} ({seconds:.1f} s)", flush=True)
                return
            self.failed.append(name)
            print(f"FAIL {name} ({seconds:.1f} s)\n     {wrong}\n     the lines of all engines:")
            for line in list(case.log.lines):
                print(f"       {line}")
            again = shlex.join([*self.command, "--only", name])
            print(f"     this case alone: {again}", flush=True)


def run_case(name: str, run: Run, world: World, report: Report) -> None:
    began = time.monotonic()
    case = Case(world)
    wrong: str | None = None
    try:
        run(case)
    except Failure as failure:
        wrong = f"{failure}\n     at {place(failure)}"
    except Exception:
        wrong = traceback.format_exc()
    try:
        case.close()
    except Exception:
        wrong = wrong or traceback.format_exc()
    report.add(name, time.monotonic() - began, case, wrong)


def place(failure: Failure) -> str:
    """The line of the case that failed."""
    frames = traceback.extract_tb(failure.__traceback__)
    lines = [f"{at.filename}:{at.lineno}" for at in frames if "/cases/" in at.filename]
    return lines[-1] if lines else "an unknown line"


@contextlib.contextmanager
def world_of(options: argparse.Namespace) -> Iterator[World]:
    rts = shlex.quote(options.rts or "")
    engine = options.engine or f"{rts} engine --url {{url}} --app-id {{app_id}}"
    if options.url:
        at = urlsplit(options.url)
        base = at.port or 0
        openapi = options.openapi or f"http://{at.hostname}:{base + 1}"
        ws_url = options.ws_url or f"ws://{at.hostname}:{base + 80}"
        yield World(options.url, ws_url, openapi, engine)
        return
    with Server(options.rts) as server:
        yield World(server.url, server.ws_url, server.openapi, engine)


def options_of(arguments: list[str]) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("rts", nargs="?", help="the path of the rts command")
    engine = os.environ.get("RTS_ENGINE")
    add("--engine", metavar="COMMAND", default=engine, help="the command of an engine")
    add("--url", help="a development server that runs already: rts://HOST:PORT")
    add("--ws-url", metavar="URL", help="its address for browsers [default: that port plus 80]")
    add("--openapi", metavar="URL", help="its OpenAPI [default: that port plus 1]")
    add("--only", metavar="TEXT", default="", help="the cases that have this text in their names")
    without = "a file with the names of cases that this port leaves out, each with its reason"
    add("--without", metavar="FILE", type=Path, help=without)
    add("--list", action="store_true", help="list the cases, and run none")
    add("--jobs", type=int, default=4, metavar="N", help="cases at a time [default: 4]")
    wait = "the longest wait for a line [default: %(default)s]"
    add("--patience", type=float, default=port.PATIENCE_SECONDS, metavar="SECONDS", help=wait)
    options = parser.parse_args(arguments)
    if not options.list and not options.rts and not (options.url and options.engine):
        parser.error("the path of rts is missing; only with --url and --engine it is not needed")
    return options


def command_of(options: argparse.Namespace) -> list[str]:
    """The command with the same server and the same engine."""
    given = {
        "--engine": options.engine,
        "--url": options.url,
        "--ws-url": options.ws_url,
        "--openapi": options.openapi,
    }
    rts = [options.rts] if options.rts else []
    named = [word for name, value in given.items() if value for word in (name, value)]
    return [sys.argv[0], *rts, *named]


def left_out_by(file: Path | None, known: set[str]) -> set[str]:
    """The names in a file: the first word of each line that is not a comment."""
    lines = file.read_text().splitlines() if file else []
    names = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    if names - known:
        sys.exit(f"{file}: there are no such cases: {sorted(names - known)}")
    return names


def main() -> int:
    options = options_of(sys.argv[1:])
    cases = all_cases()
    if options.only in cases:
        cases = {options.only: cases[options.only]}
    cases = {name: run for name, run in cases.items() if options.only in name}
    left_out = left_out_by(options.without, set(all_cases()))
    cases = {name: run for name, run in cases.items() if name not in left_out}
    if options.list:
        print("\n".join(cases))
        return 0
    if not cases:
        print(f"no case has {options.only!r} in its name")
        return 1
    port.PATIENCE_SECONDS = options.patience
    # Failing posts and logins are part of the cases: the server need not warn of them.
    os.environ.setdefault("RTS_LOG", "error")
    # Calls without a token must be errors.
    os.environ.pop("RTS_TOKEN", None)
    began = time.monotonic()
    report = Report(command_of(options))
    with world_of(options) as world, contextlib.ExitStack() as pools:
        pool = pools.enter_context(ThreadPoolExecutor(options.jobs))
        # Cases that only wait do not hold up the others.
        waiting = pool if options.jobs == 1 else pools.enter_context(ThreadPoolExecutor())
        for name, run in cases.items():
            chosen = waiting if name.startswith(WAITING) else pool
            chosen.submit(run_case, name, run, world, report)
    for name in report.failed:
        print(f"failed: {name}")
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{report.passed} passed, {len(report.failed)} failed")
    return 0 if report.passed == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
