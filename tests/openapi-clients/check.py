"""The client that openapi-python-client makes of the OpenAPI document, used on a running server
with real users.

    python check.py path/to/rts
"""

import base64
import sys
from typing import TypeVar

from rts_client import AuthenticatedClient
from rts_client.api.messages import batch_send_room_unicast, send_broadcast, send_room_unicast, send_unicast
from rts_client.api.rooms import (
    ban_room_user,
    dismiss_room,
    get_room_online_users,
    kick_user,
    list_rooms,
    unban_room_user,
)
from rts_client.api.users import (
    ban_user,
    disconnect_user,
    get_stats,
    get_user_online_status,
    list_users,
    revoke_tokens,
    unban_user,
)
from rts_client.models import (
    BanRoomUser,
    BanUser,
    BatchSendRoomUnicast,
    DisconnectUser,
    DismissRoom,
    FailedAnswer,
    GetUserOnlineStatus,
    KickUser,
    RevokeTokens,
    SendBroadcast,
    SendRoomUnicast,
    SendUnicast,
    UnbanRoomUser,
    UnbanUser,
)
from rts_client.types import Unset
from rts_processes import APP_ID, BEARER_KEY, Engine, Server

Answer = TypeVar("Answer")


def done(answer: Answer | FailedAnswer | None) -> Answer:
    assert answer is not None and not isinstance(answer, FailedAnswer), answer
    return answer


def refused(answer: object) -> str:
    assert isinstance(answer, FailedAnswer), answer
    error = answer.response_metadata.error
    assert error.message and answer.response_metadata.request_id
    return error.code


def to_bob(message: str, binary: bool = False, to: str = "bob", app_id: str = APP_ID) -> SendUnicast:
    return SendUnicast(app_id=app_id, from_="system", to=to, binary=binary, message=message)


def messages(client: AuthenticatedClient, alice: Engine, bob: Engine) -> None:
    text = "hé, bob – 你好"
    sent = done(send_unicast.sync(client=client, body=to_bob(text)))
    assert (sent.result.receivers, sent.response_metadata.action) == (1, "SendUnicast")
    assert bob.on("onMessageReceived") == {"on": "onMessageReceived", "uid": "system", "message": text}
    largest = base64.b64encode(bytes(65_536)).decode()
    done(send_unicast.sync(client=client, body=to_bob(largest, binary=True)))
    assert bob.on("onBinaryMessageReceived")["base64"] == largest
    assert done(send_unicast.sync(client=client, body=to_bob("hi", to="nobody"))).result.receivers == 0

    body = SendBroadcast(app_id=APP_ID, from_="system", message="hi all")
    assert done(send_broadcast.sync("lobby", client=client, body=body)).result.receivers == 2
    for engine in (alice, bob):
        assert engine.on("onRoomMessageReceived")["message"] == "hi all"

    some = BatchSendRoomUnicast(app_id=APP_ID, from_="system", to=["alice", "nobody"], message="psst")
    assert done(batch_send_room_unicast.sync("lobby", client=client, body=some)).result.receivers == 1
    assert alice.on("onUserMessageReceived")["message"] == "psst"
    one = SendRoomUnicast(app_id=APP_ID, from_="system", message="psst")
    assert done(send_room_unicast.sync("lobby", "bob", client=client, body=one)).result.receivers == 1
    assert bob.on("onUserMessageReceived")["message"] == "psst"


def lists(client: AuthenticatedClient) -> None:
    members = done(get_room_online_users.sync("lobby", client=client, app_id=APP_ID)).result
    assert (members.room_exists, members.visible_user_list) == (True, ["alice", "bob"])
    absent = done(get_room_online_users.sync("attic", client=client, app_id=APP_ID)).result
    assert (absent.room_exists, isinstance(absent.total_user, Unset)) == (False, True)
    asked = GetUserOnlineStatus(app_id=APP_ID, user_ids=["bob", "nobody"])
    statuses = done(get_user_online_status.sync(client=client, body=asked)).result.users
    assert [(user.user_id, user.status) for user in statuses] == [("bob", 1), ("nobody", 0)]

    first = done(list_users.sync(client=client, app_id=APP_ID, limit=1)).result
    assert [user.user_id for user in first.users] == ["alice"]
    assert first.total_user == 2 and first.next_ == "alice"
    last = done(list_users.sync(client=client, app_id=APP_ID, limit=1, after=first.next_)).result
    assert [(user.user_id, user.rooms) for user in last.users] == [("bob", 1)]
    assert isinstance(last.next_, Unset)
    rooms = done(list_rooms.sync(client=client, app_id=APP_ID)).result
    assert [(room.room_id, room.members) for room in rooms.rooms] == [("lobby", 2)]
    stats = done(get_stats.sync(client=client, app_id=APP_ID)).result
    assert (stats.users, stats.connected, stats.rooms, stats.memberships, stats.bans) == (2, 2, 1, 2, 0)


def out_of_rooms(client: AuthenticatedClient, bob: Engine) -> None:
    done(kick_user.sync("lobby", "bob", client=client, body=KickUser(app_id=APP_ID)))
    assert bob.state() == -1006
    assert bob.join() == 0
    ban = BanRoomUser(app_id=APP_ID, room_id="lobby", user_id="bob", forbidden_interval=60)
    done(ban_room_user.sync(client=client, body=ban))
    assert bob.state() == -1006
    assert bob.join() == -1026
    lift = UnbanRoomUser(app_id=APP_ID, room_id="lobby", user_id="bob")
    assert done(unban_room_user.sync(client=client, body=lift)).result.was_banned
    assert not done(unban_room_user.sync(client=client, body=lift)).result.was_banned
    assert bob.join() == 0
    kick = BanRoomUser(app_id=APP_ID, room_id="lobby", user_id="bob")
    assert done(ban_room_user.sync(client=client, body=kick)).result.message == "success"
    assert bob.state() == -1006
    assert bob.join() == 0
    done(dismiss_room.sync("lobby", client=client, body=DismissRoom(app_id=APP_ID)))
    assert bob.state() == -1011


def out_of_sessions(client: AuthenticatedClient, bob: Engine) -> None:
    ended = done(disconnect_user.sync("bob", client=client, body=DisconnectUser(app_id=APP_ID)))
    assert ended.result.sessions == 1
    assert bob.on("onLogout")["reason"] == 2
    assert bob.log_in() == 0
    done(ban_user.sync("bob", client=client, body=BanUser(app_id=APP_ID, seconds=60)))
    assert bob.on("onLogout")["reason"] == 2
    assert bob.log_in() == -1002
    assert done(unban_user.sync("bob", client=client, body=UnbanUser(app_id=APP_ID))).result.was_banned
    assert not done(unban_user.sync("bob", client=client, body=UnbanUser(app_id=APP_ID))).result.was_banned
    assert bob.log_in() == 0

    revoked = done(revoke_tokens.sync(client=client, body=RevokeTokens(app_id=APP_ID, user_id="bob")))
    assert revoked.result.sessions == 1 and revoked.result.issued_before > 0
    assert bob.on("onLoginResult")["code"] == -1000
    back = RevokeTokens(app_id=APP_ID, user_id="bob", issued_before=0)
    assert done(revoke_tokens.sync(client=client, body=back)).result.issued_before == 0
    assert bob.log_in() == 0


def errors(client: AuthenticatedClient, stranger: AuthenticatedClient) -> None:
    answer = send_unicast.sync_detailed(client=stranger, body=to_bob("forged"))
    assert (answer.status_code, refused(answer.parsed)) == (401, "InvalidAccessKey")
    for body, code in (
        (to_bob("hi", to="no user"), "InvalidParameter.IllegalTo"),
        (to_bob("hi", app_id="0" * 24), "InvalidParameter.NotExistAppId"),
        (to_bob("x" * 65_537), "InvalidParameter.SizeOverLimit"),
        (to_bob("no base64", binary=True), "InvalidParameter.Unmarshal"),
    ):
        answer = send_unicast.sync_detailed(client=client, body=body)
        assert (answer.status_code, refused(answer.parsed)) == (400, code)
    room = get_room_online_users.sync("a/b", client=client, app_id=APP_ID)
    assert refused(room) == "InvalidParameter.IllegalRoomID"
    page = list_users.sync(client=client, app_id=APP_ID, limit=1_001)
    assert refused(page) == "InvalidParameter.SizeOverLimit"
    future = RevokeTokens(app_id=APP_ID, issued_before=2**32 - 1)
    assert refused(revoke_tokens.sync(client=client, body=future)) == "InvalidTimestamp"


def main() -> None:
    with Server(sys.argv[1]) as server:
        client = AuthenticatedClient(base_url=server.openapi, token=BEARER_KEY)
        stranger = AuthenticatedClient(base_url=server.openapi, token="another-key-altogether")
        with Engine(server, "alice") as alice, Engine(server, "bob") as bob:
            messages(client, alice, bob)
            lists(client)
            out_of_rooms(client, bob)
            out_of_sessions(client, bob)
            errors(client, stranger)
    print("the generated Python client and this OpenAPI understand each other")


if __name__ == "__main__":
    main()
