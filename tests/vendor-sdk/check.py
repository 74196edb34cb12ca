"""The original vendor's own Python package, pointed at our OpenAPI: what it sends arrives at engines, and a wrong secret
is refused in the words that it knows.

    python check.py path/to/rts

The package is in requirements.txt. Everything listens on loopback, and stops when this ends.
"""

import base64
import json
import queue
import subprocess
import sys
import threading

from volcengine.ApiInfo import ApiInfo
from volcengine.Credentials import Credentials
from volcengine.ServiceInfo import ServiceInfo
from volcengine.base.Service import Service

APP_ID = "123456781234567812345678"
APP_KEY = "development key, known to all"
ACCESS_KEY = "DEVELOPMENT"
SECRET = "development-secret-known-to-all"
# Nothing takes this long unless it is broken.
PATIENCE_SECONDS = 30


class Lines:
    """A child process, and the lines that it prints."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def until(self, wanted):
        seen = []
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                raise AssertionError(f"not among {seen}") from None
            seen.append(line)
            if wanted(line):
                return line

    def stop(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_SECONDS)


class Engine(Lines):
    """One user, over the JSON port."""

    def __init__(self, rts, url, uid):
        super().__init__(rts, "engine", "--url", url, "--app-id", APP_ID)
        token = subprocess.check_output(
            [rts, "token", "new", "--app-id", APP_ID, "--app-key", APP_KEY, "--uid", uid], text=True
        ).strip()
        self.call(call="login", token=token, uid=uid)
        assert self.on("onLoginResult")["code"] == 0
        self.call(call="createRoom", room="lobby")
        self.call(call="joinRoom", room="lobby")
        assert self.on("onRoomStateChanged")["state"] == 0

    def call(self, **call):
        self.process.stdin.write(json.dumps({"ref": 1, **call}) + "\n")
        self.process.stdin.flush()

    def on(self, name):
        return json.loads(self.until(lambda line: json.loads(line).get("on") == name))


class Rtc(Service):
    """As a back end would write it for the original, with the host changed."""

    def __init__(self, host, secret):
        info = ServiceInfo(host, {"Accept": "application/json"}, Credentials(ACCESS_KEY, secret, "rtc", "cn-north-1"), 5, 5)
        info.scheme = "http"
        actions = [
            ("POST", "SendUnicast", "2023-07-20"),
            ("POST", "SendBroadcast", "2020-12-01"),
            ("POST", "BatchSendRoomUnicast", "2023-07-20"),
            ("GET", "GetRoomOnlineUsers", "2023-11-01"),
            ("POST", "BanRoomUser", "2023-11-01"),
        ]
        api = {
            name: ApiInfo(method, "/", {"Action": name, "Version": version}, {}, {})
            for method, name, version in actions
        }
        super().__init__(info, api)
        # The package takes keys from the user's home if it finds some.
        self.set_ak(ACCESS_KEY)
        self.set_sk(secret)

    def ask(self, action, **body):
        answer = json.loads(self.json(action, {}, json.dumps({"AppId": APP_ID, **body})))
        assert "Error" not in answer["ResponseMetadata"], answer
        return answer["Result"]


def check(rtc, wrong, alice, bob):
    text = "hé, bob – 你好"
    rtc.ask("SendUnicast", From="system", To="bob", Binary=False, Message=text)
    assert bob.on("onMessageReceived") == {"on": "onMessageReceived", "uid": "system", "message": text}

    data = base64.b64encode(bytes(range(256))).decode()
    rtc.ask("SendUnicast", From="system", To="bob", Binary=True, Message=data)
    assert bob.on("onBinaryMessageReceived")["base64"] == data

    rtc.ask("SendBroadcast", RoomId="lobby", From="system", Binary=False, Message="hi all")
    for engine in (alice, bob):
        assert engine.on("onRoomMessageReceived")["message"] == "hi all"

    rtc.ask("BatchSendRoomUnicast", RoomId="lobby", From="system", To=["alice", "nobody"], Binary=False, Message="psst")
    expected = {"on": "onUserMessageReceived", "room": "lobby", "uid": "system", "message": "psst"}
    assert alice.on("onUserMessageReceived") == expected

    users = json.loads(rtc.get("GetRoomOnlineUsers", {"AppId": APP_ID, "RoomId": "lobby"}))["Result"]
    assert users["VisibleUserList"] == ["alice", "bob"], users

    try:
        wrong.ask("SendUnicast", From="system", To="bob", Binary=False, Message="forged")
    except Exception as refused:
        envelope = json.loads(refused.args[0])
        error = envelope["ResponseMetadata"]["Error"]
        assert error["Code"] == "SignatureDoesNotMatch" and error["CodeN"] == 100010, envelope
    else:
        raise AssertionError("a wrong secret was taken")

    rtc.ask("BanRoomUser", RoomId="lobby", UserId="bob", ForbiddenInterval=60)
    assert bob.on("onRoomStateChanged")["state"] == -1006
    bob.call(call="joinRoom", room="lobby")
    assert bob.on("onRoomStateChanged")["state"] == -1026


def main():
    rts = sys.argv[1]
    server = Lines(rts, "serve", "--dev", "--listen", "127.0.0.1:0")
    children = [server]
    try:
        url = server.until(lambda line: line.startswith("listening on ")).split()[-1]
        line = server.until(lambda line: line.startswith("OpenAPI "))
        host = next(word for word in line.split() if word.startswith("http://")).removeprefix("http://").rstrip(",")
        alice, bob = (Engine(rts, url, uid) for uid in ("alice", "bob"))
        children += [alice, bob]
        check(Rtc(host, SECRET), Rtc(host, "another-secret-altogether"), alice, bob)
    finally:
        for child in reversed(children):
            child.stop()
    print("the vendor's package and this OpenAPI understand each other")


if __name__ == "__main__":
    main()
