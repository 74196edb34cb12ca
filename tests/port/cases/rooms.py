"""Handles of rooms, joins and leaves."""

from __future__ import annotations

from port import Failure, check
from tokens import token
from world import Case, broadcasts, joined

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@-"
BAD_ROOMS = ["", " ", "a.b", "a b", "a/b", "é", "a\0", "*", "x" * 129]
ROOMS_OF_A_USER_MAX = 128
HANDLES_MAX = 1_024
# 256 joins and leaves may go at once.
JOINS_UNTIL_OVER_RATE_MAX = 1_000


def create_room_returns_the_id_and_calls_nothing_back(case: Case) -> None:
    alice = case.engine()
    alice.expect("room", "createRoom", room="room")
    alice.quiet()


def bad_room_id_returns_null_then_calls_back_minus_1007(case: Case) -> None:
    alice = case.engine()
    for room in BAD_ROOMS:
        [ref] = alice.burst(("createRoom", {"room": room}))
        check(alice.line(), {"ref": ref, "return": None}, "the first line")
        alice.next("onCreateRoomStateChanged", room=room, code=-1007)
    alice.quiet()


def room_id_has_at_most_128_bytes(case: Case) -> None:
    alice = case.user("alice")
    longest = case.suffix.ljust(128, "x")
    alice.join(longest)
    alice.expect(None, "createRoom", room=longest + "x")
    alice.next("onCreateRoomStateChanged", room=longest + "x", code=-1007)
    alice.broadcast(longest, "hi")


def room_id_may_have_each_letter_digit_and_3_signs(case: Case) -> None:
    alice = case.user("alice")
    alice.join(ALPHABET + case.suffix)


def second_handle_of_a_room_is_null_with_minus_1013(case: Case) -> None:
    alice = case.engine()
    alice.expect("room", "createRoom", room="room")
    alice.expect(None, "createRoom", room="room")
    alice.next("onCreateRoomStateChanged", room="room", code=-1013)
    alice.quiet()


def second_handle_of_a_joined_room_is_refused_and_changes_nothing(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.expect(None, "createRoom", room=case.room())
    alice.next("onCreateRoomStateChanged", room=case.room(), code=-1013)
    alice.broadcast(case.room(), "still in it")
    alice.quiet()


def rooms_differ_by_case(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    small, large = f"room-{case.suffix}", f"ROOM-{case.suffix}"
    alice.join(small)
    bob.join(large)
    alice.broadcast(small, "x")
    bob.quiet()


def two_engines_have_handles_of_their_own(case: Case) -> None:
    alice, bob = case.engine("alice"), case.engine("bob")
    alice.expect("room", "createRoom", room="room")
    bob.expect("room", "createRoom", room="room")


def room_can_be_made_again_after_destroy(case: Case) -> None:
    alice = case.engine()
    for _ in range(3):
        alice.expect("room", "createRoom", room="room")
        alice.expect(None, "destroyRoom", room="room")
    alice.quiet()


def room_that_is_only_made_does_not_reach_the_server(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(case.room(), "createRoom", room=case.room())
    alice.quiet()
    members = case.back_end.act("GetRoomOnlineUsers", RoomId=case.room())
    check(members["RoomExists"], False, "RoomExists")


def join_comes_to_state_0_with_join_type_0(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(case.room(), "createRoom", room=case.room())
    alice.expect(0, "joinRoom", room=case.room())
    state = alice.next("onRoomStateChanged", room=case.room(), uid=alice.uid, state=0)
    extra = joined(state)
    check(set(extra), {"join_type", "elapsed"}, "the fields of extra")
    check(extra["join_type"], 0, "join_type")
    if type(extra["elapsed"]) is not int or not 0 <= extra["elapsed"] < 60_000:
        raise Failure(f"elapsed is not in milliseconds: {extra}")
    alice.quiet()


def join_without_a_login_comes_to_minus_1001(case: Case) -> None:
    alice = case.engine()
    alice.expect("room", "createRoom", room="room")
    alice.expect(0, "joinRoom", room="room")
    alice.next("onRoomStateChanged", room="room", state=-1001)
    alice.quiet()


def join_works_after_one_that_failed(case: Case) -> None:
    alice = case.engine()
    alice.expect(case.room(), "createRoom", room=case.room())
    alice.expect(0, "joinRoom", room=case.room())
    alice.next("onRoomStateChanged", state=-1001)
    check(alice.login(), 0, "code of the login")
    alice.rejoin(case.room())


def join_of_a_joined_room_returns_minus_2(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.expect(-2, "joinRoom", room=case.room())
    alice.quiet()


def join_during_a_join_returns_minus_2(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(case.room(), "createRoom", room=case.room())
    join = ("joinRoom", {"room": case.room()})
    first, second = alice.burst(join, join)
    check(alice.returned(first), 0, "the first return")
    check(alice.returned(second), -2, "the second return")
    alice.next("onRoomStateChanged", state=0)
    alice.quiet()


def join_of_an_unknown_room_returns_minus_3(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(-3, "joinRoom", room=case.room())
    alice.expect(-3, "joinRoom", room="")
    alice.quiet()


def join_of_a_destroyed_room_returns_minus_3(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.expect(None, "destroyRoom", room=case.room())
    alice.expect(-3, "joinRoom", room=case.room())
    alice.quiet()


def leave_calls_back_once(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    leave = ("leaveRoom", {"room": case.room()})
    first, second = alice.burst(leave, leave)
    check(alice.returned(first), None, "the first return")
    check(alice.returned(second), None, "the second return")
    alice.next("onLeaveRoom", room=case.room())
    alice.expect(None, "leaveRoom", room=case.room())
    alice.quiet()


def leave_of_a_room_that_is_not_joined_calls_nothing_back(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(case.room(), "createRoom", room=case.room())
    alice.expect(None, "leaveRoom", room=case.room())
    alice.expect(None, "leaveRoom", room=case.room("unknown"))
    alice.quiet()
    alice.rejoin(case.room())


def leave_without_a_login_calls_nothing_back(case: Case) -> None:
    alice = case.engine()
    alice.expect("room", "createRoom", room="room")
    alice.expect(None, "leaveRoom", room="room")
    alice.quiet()


def room_can_be_joined_again_after_leave(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    for _ in range(3):
        alice.leave(case.room())
        alice.expect(0, "joinRoom", room=case.room())
        state = alice.next("onRoomStateChanged", state=0)
        check(joined(state)["join_type"], 0, "join_type")
    alice.quiet()


def join_during_a_leave_happens_after_it(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    fields = {"room": case.room()}
    leave, join = alice.burst(("leaveRoom", fields), ("joinRoom", fields))
    check(alice.returned(leave), None, "the return of leaveRoom")
    check(alice.returned(join), 0, "the return of joinRoom")
    alice.next("onLeaveRoom", room=case.room())
    alice.next("onRoomStateChanged", room=case.room(), state=0)
    alice.broadcast(case.room(), "in it again")
    alice.quiet()


def leave_during_a_join_leaves_no_member(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    fields = {"room": case.room()}
    alice.burst(("createRoom", fields), ("joinRoom", fields), ("leaveRoom", fields))
    alice.seen()
    alice.broadcast(case.room(), "x", code=100)
    bob.join(case.room())
    bob.quiet()


def engine_can_be_in_many_rooms_at_once(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    rooms = [case.room(f"room{number}") for number in range(10)]
    for room in rooms:
        alice.join(room)
        bob.join(room)
    for room in rooms:
        bob.broadcast(room, f"to {room}")
    for room in rooms:
        alice.on("onRoomMessageReceived", room=room, uid=bob.uid, message=f"to {room}")
    alice.quiet("onUserJoined")


def user_can_be_in_128_rooms_and_not_in_129(case: Case) -> None:
    alice = case.user("alice")
    rooms = [case.room(f"room{number}") for number in range(ROOMS_OF_A_USER_MAX + 1)]
    for room in rooms:
        alice.expect(room, "createRoom", room=room)
    for room in rooms[:-1]:
        alice.rejoin(room)
    alice.rejoin(rooms[-1], state=-1001)
    alice.leave(rooms[0])
    alice.rejoin(rooms[-1])


def engine_can_have_1024_handles_and_not_1025(case: Case) -> None:
    alice = case.engine()
    rooms = [f"room{number}" for number in range(HANDLES_MAX)]
    refs = alice.burst(*(("createRoom", {"room": room}) for room in rooms))
    check([alice.returned(ref) for ref in refs], rooms, "the ids")
    alice.expect(None, "createRoom", room="one-more")
    alice.next("onCreateRoomStateChanged", room="one-more", code=-1007)
    alice.expect(None, "destroyRoom", room=rooms[0])
    alice.expect("one-more", "createRoom", room="one-more")


def joins_over_the_rate_come_to_minus_1001(case: Case) -> None:
    room = case.room()
    alice, bob = case.users("alice", "bob")
    bob.join(room)
    alice.expect(room, "createRoom", room=room)
    for joins in range(JOINS_UNTIL_OVER_RATE_MAX):
        alice.expect(0, "joinRoom", room=room)
        if alice.on("onRoomStateChanged", room=room)["state"] == -1001:
            break
        alice.leave(room)
    else:
        raise Failure(f"expected state -1001 of one of {joins + 1} joins")
    for _ in range(joins):
        bob.next("onUserJoined", room=room, uid=alice.uid)
        bob.next("onUserLeave", room=room, uid=alice.uid, reason=0)
    bob.quiet()


def logout_leaves_all_rooms_without_their_callbacks(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    alice.join(case.room("second"))
    alice.expect(None, "logout")
    alice.next("onLogout", reason=0)
    alice.quiet()
    bob.next("onUserLeave", room=room, uid=alice.uid, reason=0)
    alice.broadcast(room, "x", code=100)


def handles_stay_after_logout(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.broadcast(case.room(), "one")
    alice.logout()
    alice.expect(None, "createRoom", room=case.room())
    alice.next("onCreateRoomStateChanged", code=-1013)
    check(alice.login(), 0, "the second login")
    alice.quiet()
    alice.rejoin(case.room())
    alice.expect(2, "sendRoomMessage", room=case.room(), message="two")


def destroy_of_a_room_shows_the_engine_nothing_more(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    bob.burst(*broadcasts(room, 20))
    *_, destroyed = alice.burst(*broadcasts(room, 20), ("destroyRoom", {"room": room}))
    check(alice.returned(destroyed), None, "the return of destroyRoom")
    alice.forget()
    bob.send(alice.uid, "marker")
    alice.next("onMessageReceived", message="marker")
    alice.quiet()


def destroy_of_a_room_is_a_leave_for_others(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    alice.expect(None, "destroyRoom", room=room)
    bob.next("onUserLeave", room=room, uid=alice.uid, reason=0)
    bob.broadcast(room, "x")
    alice.quiet()


def destroy_during_a_join_calls_nothing_back_after_its_return(case: Case) -> None:
    alice = case.user("alice")
    fields = {"room": case.room()}
    *_, ref = alice.burst(("createRoom", fields), ("joinRoom", fields), ("destroyRoom", fields))
    check(alice.returned(ref), None, "the return of destroyRoom")
    # What came before that may be the end of the join.
    alice.forget()
    alice.quiet()
    alice.join(case.room())


def destroy_during_a_leave_calls_nothing_back_after_its_return(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    fields = {"room": case.room()}
    _, ref = alice.burst(("leaveRoom", fields), ("destroyRoom", fields))
    check(alice.returned(ref), None, "the return of destroyRoom")
    # What came before that may be the end of the leave.
    alice.forget()
    alice.quiet()


def destroy_of_an_unknown_room_does_nothing(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(None, "destroyRoom", room=case.room())
    alice.quiet()


def destroyed_room_can_be_made_and_joined_at_once(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    alice.expect(None, "destroyRoom", room=room)
    alice.join(room)
    bob.next("onUserLeave", uid=alice.uid, reason=0)
    bob.next("onUserJoined", uid=alice.uid)
    alice.on("onUserJoined", room=room, uid=bob.uid)
    alice.broadcast(room, "back")
    bob.next("onRoomMessageReceived", message="back")


def join_during_a_login_comes_to_minus_1001(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.expect("room", "createRoom", room="room")
    alice.expect(0, "joinRoom", room="room")
    alice.on("onRoomStateChanged", room="room", state=-1001)
