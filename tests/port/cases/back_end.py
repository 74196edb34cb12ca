"""What the back end does through the OpenAPI, as engines see it."""

from __future__ import annotations

import time

from port import check
from tokens import token
from world import Case, Engine, encoded

FROM = "system"


def back_end_sends_text_to_a_user(case: Case) -> None:
    alice = case.user("alice")
    case.back_end.act("SendUnicast", From=FROM, To=alice.uid, Binary=False, Message="hé 😀")
    alice.next("onMessageReceived", uid=FROM, message="hé 😀")
    alice.quiet()


def back_end_sends_bytes_to_a_user(case: Case) -> None:
    alice = case.user("alice")
    data = encoded(bytes(range(256)))
    case.back_end.act("SendUnicast", From=FROM, To=alice.uid, Binary=True, Message=data)
    alice.next("onBinaryMessageReceived", uid=FROM, base64=data)


def back_end_may_send_to_nobody(case: Case) -> None:
    case.back_end.act("SendUnicast", From=FROM, To=case.uid("nobody"), Binary=False, Message="x")


def messages_of_the_back_end_arrive_in_order(case: Case) -> None:
    alice = case.user("alice")
    for number in range(30):
        case.back_end.act("SendUnicast", From=FROM, To=alice.uid, Binary=False, Message=str(number))
    for number in range(30):
        alice.next("onMessageReceived", uid=FROM, message=str(number))


def back_end_sends_65536_bytes(case: Case) -> None:
    alice = case.user("alice")
    longest = "x" * 65_536
    case.back_end.act("SendUnicast", From=FROM, To=alice.uid, Binary=False, Message=longest)
    alice.next("onMessageReceived", uid=FROM, message=longest)


def back_end_broadcasts_text_to_all_members(case: Case) -> None:
    room = case.room()
    members = case.members(room, "alice", "bob")
    case.back_end.act("SendBroadcast", RoomId=room, From=FROM, Binary=False, Message="hi all")
    for member in members:
        member.next("onRoomMessageReceived", room=room, uid=FROM, message="hi all")
        member.quiet()


def back_end_broadcasts_bytes_to_all_members(case: Case) -> None:
    room = case.room()
    members = case.members(room, "alice", "bob")
    case.back_end.act("SendBroadcast", RoomId=room, From=FROM, Binary=True, Message="AP8=")
    for member in members:
        member.next("onRoomBinaryMessageReceived", room=room, uid=FROM, base64="AP8=")


def broadcast_in_the_name_of_a_member_reaches_it_too(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    act = case.back_end.act
    act("SendBroadcast", RoomId=room, From=alice.uid, Binary=False, Message="for all")
    for member in (alice, bob):
        member.next("onRoomMessageReceived", room=room, uid=alice.uid, message="for all")


def room_unicast_reaches_one_member(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    act = case.back_end.act
    act("SendRoomUnicast", RoomId=room, From=FROM, To=alice.uid, Binary=False, Message="psst")
    alice.next("onUserMessageReceived", room=room, uid=FROM, message="psst")
    act("SendRoomUnicast", RoomId=room, From=FROM, To=alice.uid, Binary=True, Message="AP8=")
    alice.next("onUserBinaryMessageReceived", room=room, uid=FROM, base64="AP8=")
    alice.quiet()
    bob.quiet()


def room_unicast_does_not_reach_a_user_outside(case: Case) -> None:
    room = case.room()
    alice, bob = case.user("alice"), case.user("bob")
    alice.join(room)
    act = case.back_end.act
    act("SendRoomUnicast", RoomId=room, From=FROM, To=bob.uid, Binary=False, Message="psst")
    act("SendUnicast", From=FROM, To=bob.uid, Binary=False, Message="marker")
    bob.next("onMessageReceived", message="marker")
    bob.quiet()


def batch_reaches_the_members_of_its_list(case: Case) -> None:
    room = case.room()
    alice, bob, carol = case.members(room, "alice", "bob", "carol")
    to = [alice.uid, bob.uid, case.uid("nobody")]
    act = case.back_end.act
    act("BatchSendRoomUnicast", RoomId=room, From=FROM, To=to, Binary=False, Message="psst")
    act("BatchSendRoomUnicast", RoomId=room, From=FROM, To=to, Binary=True, Message="AA==")
    for member in (alice, bob):
        member.next("onUserMessageReceived", room=room, uid=FROM, message="psst")
        member.next("onUserBinaryMessageReceived", room=room, uid=FROM, base64="AA==")
        member.quiet()
    carol.quiet()


def _out(engine: Engine, room: str, state: int) -> None:
    """The engine is out of the room, and its handle stays."""
    engine.next("onRoomStateChanged", room=room, uid=engine.uid, state=state)
    engine.quiet()
    engine.broadcast(room, "x", code=100)


def kicked_member_gets_minus_1006_and_may_join_again(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    case.back_end.act("KickUser", RoomId=room, UserId=alice.uid)
    _out(alice, room, -1006)
    bob.next("onUserLeave", room=room, uid=alice.uid, reason=3)
    alice.expect(0, "setBusinessId", businessId="free-again")
    alice.rejoin(room)
    bob.next("onUserJoined", room=room, uid=alice.uid)


def leave_after_a_kick_calls_nothing_back(case: Case) -> None:
    room = case.room()
    alice = case.user("alice")
    alice.join(room)
    case.back_end.act("KickUser", RoomId=room, UserId=alice.uid)
    alice.next("onRoomStateChanged", state=-1006)
    alice.expect(None, "leaveRoom", room=room)
    alice.quiet()


def dismissed_room_gives_all_members_minus_1011(case: Case) -> None:
    room = case.room()
    members = case.members(room, "alice", "bob", "carol")
    case.back_end.act("DismissRoom", RoomId=room)
    for member in members:
        member.on("onRoomStateChanged", room=room, uid=member.uid, state=-1011)
        member.broadcast(room, "x", code=100)
        member.quiet("onUserLeave")
    members[0].rejoin(room)


def kick_concerns_one_room_only(case: Case) -> None:
    first, second = case.room("first"), case.room("second")
    alice, bob = case.members(first, "alice", "bob")
    for user in (alice, bob):
        user.join(second)
    case.back_end.act("KickUser", RoomId=first, UserId=alice.uid)
    alice.on("onRoomStateChanged", room=first, state=-1006)
    bob.broadcast(second, "still here")
    alice.on("onRoomMessageReceived", room=second, message="still here")


def banned_member_gets_minus_1006_and_its_joins_minus_1026(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    act = case.back_end.act
    act("BanRoomUser", RoomId=room, UserId=alice.uid, ForbiddenInterval=600)
    _out(alice, room, -1006)
    bob.next("onUserLeave", room=room, uid=alice.uid, reason=3)
    alice.rejoin(room, state=-1026)
    alice.quiet()
    act("UnbanRoomUser", RoomId=room, UserId=alice.uid)
    alice.rejoin(room)


def ban_with_interval_0_lifts_a_ban(case: Case) -> None:
    room = case.room()
    alice = case.user("alice")
    alice.expect(room, "createRoom", room=room)
    act = case.back_end.act
    act("BanRoomUser", RoomId=room, UserId=alice.uid, ForbiddenInterval=600)
    alice.rejoin(room, state=-1026)
    act("BanRoomUser", RoomId=room, UserId=alice.uid, ForbiddenInterval=0)
    alice.rejoin(room)


def banned_room_gives_joins_minus_1025(case: Case) -> None:
    room = case.room()
    alice, bob = case.user("alice"), case.user("bob")
    alice.join(room)
    act = case.back_end.act
    act("BanRoomUser", RoomId=room, ForbiddenInterval=600)
    alice.next("onRoomStateChanged", room=room, uid=alice.uid, state=-1006)
    for user in (alice, bob):
        user.call("createRoom", room=room)
        user.rejoin(room, state=-1025)
    act("BanRoomUser", RoomId=room, ForbiddenInterval=0)
    bob.rejoin(room)


def user_banned_from_all_rooms_cannot_join_and_send(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    act = case.back_end.act
    act("BanRoomUser", UserId=alice.uid, ForbiddenInterval=600)
    alice.expect(case.room(), "createRoom", room=case.room())
    alice.rejoin(case.room(), state=-1026)
    alice.send(bob.uid, "x", code=1000)
    bob.send(alice.uid, "hi")
    alice.next("onMessageReceived", uid=bob.uid, message="hi")
    act("UnbanRoomUser", UserId=alice.uid)
    alice.rejoin(case.room())
    alice.send(bob.uid, "y")
    bob.on("onMessageReceived", message="y")
    bob.quiet("onMessageSendResult")


def disconnected_user_gets_on_logout_2_and_stays_out(case: Case) -> None:
    alice = case.user("alice")
    case.back_end.act("DisconnectUser", UserId=alice.uid)
    alice.next("onLogout", reason=2)
    alice.send(alice.uid, "x", code=105)
    alice.quiet()
    check(alice.login(), 0, "a login that the application asks for")


def disconnected_member_leaves_its_rooms_with_reason_3(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    case.back_end.act("DisconnectUser", UserId=alice.uid)
    alice.next("onLogout", reason=2)
    alice.quiet()
    bob.next("onUserLeave", room=room, uid=alice.uid, reason=3)


def banned_user_cannot_log_in_until_the_ban_is_lifted(case: Case) -> None:
    alice = case.user("alice")
    act = case.back_end.act
    act("BanUser", UserId=alice.uid, Seconds=600)
    alice.next("onLogout", reason=2)
    check(alice.login(), -1002, "code of a login during the ban")
    check(alice.login(), -1002, "code of another one")
    act("UnbanUser", UserId=alice.uid)
    check(alice.login(), 0, "code of a login after the ban")


def revoked_token_is_refused(case: Case) -> None:
    alice = case.engine()
    old = token(alice.uid, issued_at=int(time.time()) - 100)
    check(alice.login(old), 0, "code of the first login")
    alice.logout()
    cutoff = int(time.time()) - 50
    case.back_end.act("RevokeTokens", UserId=alice.uid, IssuedBefore=cutoff)
    check(alice.login(old), -1000, "code with the revoked token")
    check(alice.login(), 0, "code with a newer token")


def revoked_token_of_a_session_gives_minus_1000_until_an_update(case: Case) -> None:
    alice = case.engine()
    old = token(alice.uid, issued_at=int(time.time()) - 100)
    check(alice.login(old), 0, "code of the first login")
    cutoff = int(time.time()) - 50
    case.back_end.act("RevokeTokens", UserId=alice.uid, IssuedBefore=cutoff)
    alice.next("onLoginResult", uid=alice.uid, code=-1000)
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    check(alice.login_result(), 0, "the result that follows by itself")


def session_with_a_newer_token_outlives_a_revocation(case: Case) -> None:
    alice = case.engine()
    old = token(alice.uid, issued_at=int(time.time()) - 100)
    check(alice.login(old), 0, "code of the first login")
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    cutoff = int(time.time()) - 50
    case.back_end.act("RevokeTokens", UserId=alice.uid, IssuedBefore=cutoff)
    bob = case.user("bob")
    # It waits for the session that begins with the newer token.
    bob.send(alice.uid, "hi")
    alice.on("onMessageReceived", uid=bob.uid, message="hi")
    alice.quiet("onConnectionStateChanged", "onWarning")


def back_end_knows_who_is_online(case: Case) -> None:
    alice = case.user("alice")
    uids = [alice.uid, case.uid("nobody")]
    answer = case.back_end.act("GetUserOnlineStatus", UserIds=uids)
    wanted = [{"UserId": uids[0], "Status": 1}, {"UserId": uids[1], "Status": 0}]
    check(answer["Users"], wanted, "Users")
