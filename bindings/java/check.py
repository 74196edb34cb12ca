#!/usr/bin/env python3
"""Compiles the Java packages and runs their tests against a server for development.

    cargo build -p rts-cli -p rts-jni
    bindings/java/check.py target/debug

The argument is the directory with `rts` and the library of `rts-jni`. Needs a JDK, and Debian's
libandroid-json-java and libjackson2-databind-java. Checks the signatures of the original's classes
against signatures.txt (`--write` replaces it). Runs tests of the life of engines, two apps that
know the original's classes alone, and the program of docs/guides/java.md. `-Xcheck:jni` must not
print a line. Exits with 1 if a check failed.
"""

import argparse
import contextlib
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/python"))
from rts_processes import APP_ID, Lines, Server  # noqa: E402

JAVA = ROOT / "target/java"
SIGNATURES = Path(__file__).resolve().parent / "signatures.txt"
CLASSES = [JAVA / part for part in ("samples", "bytertc", "client", "test", "stub")]
CLASSES += ["/usr/share/java/com.android.json.jar"]
PATIENCE_SECONDS = 120

# What the apps print, in any order: callbacks and calls of two users are independent.
CHAT = """
version true
alice: login 0
alice: onConnectionStateChanged 2 -1
alice: onConnectionStateChanged 3 -1
alice: onLoginResult 0
alice: setBusinessId 0
alice: onCreateRoomStateChanged lobby -1013
alice: createRoom again null
alice: joinRoom 0
alice: onRoomStateChanged lobby 0
alice: joinRoom again -2
alice: onUserJoined bob
alice: to nobody -2
alice: onMessageSendResult 1 ok
alice: onMessageSendResult 2 ok
alice: onRoomMessageSendResult 1 ok
alice: onRoomMessageSendResult 2 ok
alice: onGetPeerOnlineStatus bob 1
alice: onUserLeave bob 0
bob: login 0
bob: onConnectionStateChanged 2 -1
bob: onConnectionStateChanged 3 -1
bob: onLoginResult 0
bob: setBusinessId 0
bob: onCreateRoomStateChanged lobby -1013
bob: createRoom again null
bob: joinRoom 0
bob: onRoomStateChanged lobby 0
bob: joinRoom again -2
bob: onUserJoined alice
bob: onMessageReceived alice hello
bob: onBinaryMessageReceived alice 3
bob: onRoomMessageReceived alice hello, all
bob: onRoomBinaryMessageReceived alice 7
bob: onLeaveRoom
bob: onLogout
after destroyRTS -3
"""
GAME = """
onLoginResult -1000
updateLoginToken 0
onLoginResult 0
setServerParams 0
onServerParamsSetResult 200
sendServerMessage 1
sendServerBinaryMessage 2
onServerMessageSendResult 1 {"message":"score","binary":false,"signature":"signature"}
onServerMessageSendResult 2 {"message":"AQID","binary":true,"signature":"signature"}
setRuntimeParameters 0
logout 0
"""


class BackEnd(BaseHTTPRequestHandler):
    """Answers a post with its body."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def chat(checks: "Checks", server: Server) -> None:
    """The program of the guide, twice: what one user writes, the other one reads."""
    guide = (ROOT / "docs/guides/java.md").read_text()
    source = (Path(__file__).resolve().parent / "chat/Chat.java").read_text()
    checks.expect("the guide has the program", True, f"```java\n{source}```" in guide)
    with contextlib.ExitStack() as both:
        users = {}
        for own, other in (("alice", "bob"), ("bob", "alice")):
            command = ["java", f"-Drts.url={server.url}", f"-Drts.native={checks.library}"]
            command += ["-cp", f"{JAVA / 'chat'}:{JAVA / 'client'}", "Chat", own, other]
            with_token = ["env", f"RTS_TOKEN={server.token(own)}", *command]
            users[own] = both.enter_context(Lines(*with_token))
            users[own].until(lambda line: line == f"logged in as {own}")
        users["alice"].input.write("hello\n")
        users["alice"].input.flush()
        users["bob"].until(lambda line: line == "alice: hello")
        users["alice"].until(lambda line: line == "bob has it")


class Checks:
    def __init__(self, built: Path) -> None:
        self.built = built
        self.library = built / "librts_jni.so"
        self.failed = 0

    def java(self, more_classes: list[Path], *command: str) -> str:
        """What a program prints. Its errors are those of the JVM, too."""
        classes = ":".join(str(path) for path in [*CLASSES, *more_classes])
        library = f"-Drts.native={self.library}"
        done = subprocess.run(
            ["java", "-Xcheck:jni", library, "-cp", classes, *command],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE_SECONDS,
        )
        self.expect(f"exit code of {command[0]}", 0, done.returncode)
        return done.stdout

    def expect(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            self.failed += 1
            print(f"FAILED  {what}\nexpected:\n{expected}\nfound:\n{found}")

    def expect_lines(self, what: str, expected: str, found: str) -> None:
        self.expect(what, *("\n".join(sorted(text.split("\n"))).strip() for text in (expected, found)))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("built", type=Path)
    parser.add_argument("--write", action="store_true", help="replace signatures.txt")
    options = parser.parse_args()
    subprocess.run([ROOT / "bindings/java/build"], check=True)
    checks = Checks(options.built.resolve())

    files = sorted(path.relative_to(JAVA / "generated") for path in JAVA.glob("generated/**/*.java"))
    names = [str(path.with_suffix("")).replace("/", ".") for path in files]
    names = [name for name in names if not name.endswith("Impl")]
    signatures = checks.java([], "io.rts.test.Signatures", *names)
    if options.write:
        SIGNATURES.write_text(signatures)
    checks.expect("signatures of the original's classes", SIGNATURES.read_text(), signatures)

    back_end = HTTPServer(("127.0.0.1", 0), BackEnd)
    threading.Thread(target=back_end.serve_forever, daemon=True).start()
    with Server(str(checks.built / "rts")) as server:
        properties = JAVA / "properties"
        properties.mkdir(exist_ok=True)
        (properties / "rts.properties").write_text(f"rts.url={server.url}\n")
        alice, bob, carol = (server.token(uid) for uid in ("alice", "bob", "carol"))
        life = checks.java([], "io.rts.client.LifeTest", server.url, APP_ID, alice, bob)
        print(life, end="")
        checks.expect("warnings of -Xcheck:jni", False, "WARNING" in life)
        checks.expect_lines("chat", CHAT, checks.java([properties], "first.ChatActivity", alice, bob))
        url = f"http://127.0.0.1:{back_end.server_port}/"
        chat(checks, server)
        checks.expect_lines("game", GAME, checks.java([properties], "second.Game", carol, url))
    print(f"signatures of {len(names)} classes and 2 apps: {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
