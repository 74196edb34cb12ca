"""Calls the OpenAPI with the Python package of Volcengine RTS. Its messages must arrive at engines,
and a wrong secret must cause an error that the package recognises.

    python check.py path/to/rts

requirements.txt names the package. All programs listen on loopback, and end with this one.
"""

import base64
import json
import pathlib
import sys

from volcengine.ApiInfo import ApiInfo
from volcengine.Credentials import Credentials
from volcengine.ServiceInfo import ServiceInfo
from volcengine.base.Service import Service

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "python"))
from rts_processes import ACCESS_KEY, APP_ID, SECRET, Engine, Server  # noqa: E402


class Rtc(Service):
    """A call as a back end writes it for Volcengine RTS, with another host."""

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
        # The package would use keys from the user's home directory.
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
    assert bob.state() == -1006
    assert bob.join() == -1026


def main():
    with Server(sys.argv[1]) as server:
        host = server.openapi.removeprefix("http://")
        with Engine(server, "alice") as alice, Engine(server, "bob") as bob:
            check(Rtc(host, SECRET), Rtc(host, "another-secret-altogether"), alice, bob)
    print("the vendor's package and this OpenAPI understand each other")


if __name__ == "__main__":
    main()
