"""onUserJoined and onUserLeave: what members see of each other."""

from __future__ import annotations

from port import check
from world import Case


def member_sees_who_joins(case: Case) -> None:
    room = case.room()
    alice, bob = case.users("alice", "bob")
    alice.join(room)
    bob.join(room)
    alice.next("onUserJoined", room=room, uid=bob.uid)
    alice.quiet()


def joiner_sees_each_member_behind_its_own_state(case: Case) -> None:
    room = case.room()
    names = ("alice", "bob", "carol")
    present = case.members(room, *names)
    dave = case.user("dave")
    dave.expect(room, "createRoom", room=room)
    dave.expect(0, "joinRoom", room=room)
    dave.next("onRoomStateChanged", room=room, uid=dave.uid, state=0)
    seen = {dave.next("onUserJoined", room=room)["uid"] for _ in names}
    check(seen, {user.uid for user in present}, "the members that dave sees")
    dave.quiet()


def member_sees_nothing_of_itself(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.broadcast(case.room(), "x")
    alice.leave(case.room())
    alice.rejoin(case.room())
    alice.quiet()


def member_sees_who_leaves_with_reason_0(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    bob.leave(room)
    alice.next("onUserLeave", room=room, uid=bob.uid, reason=0)
    alice.quiet()
    bob.quiet()


def member_sees_who_comes_again(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    for _ in range(3):
        bob.leave(room)
        alice.next("onUserLeave", room=room, uid=bob.uid, reason=0)
        bob.rejoin(room)
        alice.next("onUserJoined", room=room, uid=bob.uid)
        bob.next("onUserJoined", room=room, uid=alice.uid)
    alice.quiet()


def member_sees_a_logout_with_reason_0(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    bob.logout()
    alice.next("onUserLeave", room=room, uid=bob.uid, reason=0)


def member_sees_a_destroyed_engine_leave_with_reason_0(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    bob.expect(None, "destroyRTS")
    alice.next("onUserLeave", room=room, uid=bob.uid, reason=0)


def member_sees_an_engine_without_input_leave_with_reason_0(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    bob.end()
    alice.next("onUserLeave", room=room, uid=bob.uid, reason=0)


def who_has_left_sees_nothing_more(case: Case) -> None:
    room = case.room()
    alice, bob, carol = case.members(room, "alice", "bob", "carol")
    bob.leave(room)
    carol.on("onUserLeave", uid=bob.uid, reason=0)
    alice.broadcast(room, "x")
    alice.leave(room)
    carol.on("onUserLeave", uid=alice.uid, reason=0)
    carol.send(bob.uid, "marker")
    bob.next("onMessageReceived", message="marker")
    bob.quiet()


def others_see_nothing_of_a_room_that_they_are_not_in(case: Case) -> None:
    first, second = case.room("first"), case.room("second")
    alice, bob = case.users("alice", "bob")
    alice.join(first)
    bob.join(second)
    bob.leave(second)
    alice.quiet()


def newest_login_takes_its_place_in_a_room_without_a_leave(case: Case) -> None:
    room = case.room()
    first, bob = case.members(room, "first", "bob")
    second = case.user("second", uid=first.uid)
    first.next("onLogout", reason=1)
    second.join(room)
    second.on("onUserJoined", room=room, uid=bob.uid)
    second.broadcast(room, "the newest")
    bob.on("onRoomMessageReceived", uid=first.uid, message="the newest")
    bob.quiet("onUserJoined")
    bob.broadcast(room, "to the newest")
    second.next("onRoomMessageReceived", uid=bob.uid, message="to the newest")
    first.quiet()


def back_end_knows_the_members(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    answer = case.back_end.act("GetRoomOnlineUsers", RoomId=room)
    check(answer["TotalUser"], 2, "TotalUser")
    check(sorted(answer["VisibleUserList"]), sorted([alice.uid, bob.uid]), "VisibleUserList")
    bob.leave(room)
    answer = case.back_end.act("GetRoomOnlineUsers", RoomId=room)
    check(answer["VisibleUserList"], [alice.uid], "VisibleUserList")
