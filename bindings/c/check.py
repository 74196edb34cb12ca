#!/usr/bin/env python3
"""Compiles the C and C++ programs and runs them against a server for development.

    cargo build -p rts-cli -p rts-ffi
    bindings/c/check.py target/debug

The argument is the directory with `rts` and the library of `rts-ffi`. Needs gcc, g++, valgrind and,
for the JSON port of the port tests, Debian's libjansson-dev. Checks the exported functions and the
sizes of structs, lets a user of each program send messages to the other one, and looks for leaks.
Exits with 1 if a check failed.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/python"))
from rts_processes import Lines, Server  # noqa: E402

C = ROOT / "bindings/c"
OUT = ROOT / "target/c"
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-g", f"-I{C / 'include'}"]
FUNCTIONS = ["rts_abi_version", "rts_call", "rts_create", "rts_poll", "rts_release", "rts_start"]
FUNCTIONS += ["rts_version"]
# A program that was compiled with another layout must not run with this library.
LAYOUT = """
#include "rts.h"
#include <stddef.h>
_Static_assert(RTS_ABI_VERSION == 1, "a new layout needs a new version");
_Static_assert(sizeof(RtsBytes) == 16 && sizeof(RtsEvent) == 72, "sizes");
_Static_assert(offsetof(RtsEvent, number) == 8 && offsetof(RtsEvent, room) == 16, "numbers");
_Static_assert(offsetof(RtsEvent, room_id) == 24 && offsetof(RtsEvent, uid) == 40, "texts");
_Static_assert(offsetof(RtsEvent, data) == 56, "data");
int main(void) { return rts_abi_version() == RTS_ABI_VERSION ? 0 : 1; }
"""


def compile_all(library: Path) -> None:
    OUT.mkdir(exist_ok=True)
    (OUT / "layout.c").write_text(LAYOUT)
    link = [f"-L{library.parent}", "-lrts_ffi", "-lpthread", f"-Wl,-rpath,{library.parent}"]
    c = ["gcc", "-std=c11", *WARNINGS]
    for source in (OUT / "layout.c", C / "examples/chat.c"):
        subprocess.run([*c, source, "-o", OUT / source.stem, *link], check=True)
    cpp = ["g++", "-std=c++17", *WARNINGS, C / "examples/echo.cpp", "-o", OUT / "echo", *link]
    subprocess.run(cpp, check=True)
    port = [*c, "-D_GNU_SOURCE", C / "port/port.c", "-o", OUT / "port", *link, "-ljansson"]
    subprocess.run(port, check=True)
    subprocess.run([OUT / "layout"], check=True)


def functions(library: Path) -> list[str]:
    listed = subprocess.check_output(["nm", "-D", "--defined-only", library], text=True)
    names = [line.split()[2] for line in listed.splitlines()]
    return sorted(name for name in names if name.startswith("rts_"))


def user(server: Server, uid: str, *command: object) -> Lines:
    token = f"RTS_TOKEN={server.token(uid)}"
    return Lines("env", token, *(str(word) for word in [*command, server.url]))


def main() -> int:
    built = Path(sys.argv[1]).resolve()
    library = built / "librts_ffi.so"
    compile_all(library)
    exported = functions(library)
    if exported != FUNCTIONS:
        print(f"FAILED  the library exports {exported}, and {FUNCTIONS} are documented")
        return 1
    valgrind = ["valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite"]
    valgrind += ["--show-leak-kinds=definite", "--error-exitcode=9"]
    with Server(str(built / "rts")) as server:
        with user(server, "echo", *valgrind, OUT / "echo") as echo:
            echo.until(lambda line: line == "login: 0")
            with user(server, "alice", *valgrind, OUT / "chat", "alice", "echo") as alice:
                alice.until(lambda line: line == "logged in")
                for message in ("hello", "and again"):
                    alice.input.write(f"{message}\n")
                    alice.input.flush()
                    alice.until(lambda line: line == f"echo: {message}")
                alice.input.write("bye\n")
                alice.input.flush()
                echo.until(lambda line: line == "alice: bye")
                alice.input.close()
                codes = [process.wait(timeout=60) for process in (alice.process, echo.process)]
    print(f"exit codes of chat and echo under valgrind: {codes}")
    return 0 if codes == [0, 0] else 1


if __name__ == "__main__":
    sys.exit(main())
