"""Messages to rooms: arrival, ids, results, order."""

from __future__ import annotations

from port import Failure, check
from tokens import token
from world import Case, broadcasts, encoded, sends

MANY = 60


def broadcast_reaches_every_other_member_and_has_result_200(case: Case) -> None:
    room = case.room()
    alice, bob, carol = case.members(room, "alice", "bob", "carol")
    alice.expect(1, "sendRoomMessage", room=room, message="hi all")
    alice.next("onRoomMessageSendResult", room=room, msgid=1, code=200)
    for other in (bob, carol):
        other.next("onRoomMessageReceived", room=room, uid=alice.uid, message="hi all")
        other.quiet()
    alice.quiet()


def binary_broadcast_reaches_every_other_member(case: Case) -> None:
    room = case.room()
    alice, bob, carol = case.members(room, "alice", "bob", "carol")
    data = encoded(bytes(range(256)))
    alice.expect(1, "sendRoomBinaryMessage", room=room, base64=data)
    alice.next("onRoomMessageSendResult", room=room, msgid=1, code=200)
    for other in (bob, carol):
        other.next("onRoomBinaryMessageReceived", room=room, uid=alice.uid, base64=data)
        other.quiet()
    alice.quiet()


def sender_gets_no_echo(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    alice.broadcast(room, "text")
    alice.broadcast_bytes(room, b"bytes")
    bob.broadcast(room, "marker")
    alice.next("onRoomMessageReceived", room=room, uid=bob.uid, message="marker")
    alice.quiet()


def broadcast_alone_in_a_room_has_result_200(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.broadcast(case.room(), "x")
    alice.broadcast_bytes(case.room(), b"x")
    alice.quiet()


def return_of_a_broadcast_comes_before_its_result(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    [ref] = alice.burst(("sendRoomMessage", {"room": case.room(), "message": "x"}))
    check(alice.line(), {"ref": ref, "return": 1}, "the first line")
    alice.next("onRoomMessageSendResult", room=case.room(), msgid=1, code=200)


def broadcast_in_a_room_that_is_only_made_has_result_100(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(case.room(), "createRoom", room=case.room())
    alice.expect(1, "sendRoomMessage", room=case.room(), message="x")
    alice.next("onRoomMessageSendResult", room=case.room(), msgid=1, code=100)
    alice.expect(2, "sendRoomBinaryMessage", room=case.room(), base64="AA==")
    alice.next("onRoomMessageSendResult", room=case.room(), msgid=2, code=100)
    alice.quiet()


def broadcast_without_a_login_has_result_100(case: Case) -> None:
    alice = case.engine()
    alice.expect("room", "createRoom", room="room")
    alice.expect(1, "sendRoomMessage", room="room", message="x")
    alice.next("onRoomMessageSendResult", room="room", msgid=1, code=100)
    alice.quiet()


def broadcast_during_a_login_has_result_100(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.expect("room", "createRoom", room="room")
    alice.expect(1, "sendRoomMessage", room="room", message="x")
    alice.on("onRoomMessageSendResult", room="room", msgid=1, code=100)


def broadcast_after_leave_has_result_100(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    alice.leave(room)
    alice.broadcast(room, "x", code=100)
    bob.next("onUserLeave", uid=alice.uid)
    bob.quiet()
    alice.quiet()


def broadcast_after_logout_has_result_100(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.logout()
    alice.broadcast(case.room(), "x", code=100)
    alice.quiet()


def broadcast_on_an_unknown_room_returns_minus_3(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(-3, "sendRoomMessage", room=case.room(), message="x")
    alice.expect(-3, "sendRoomBinaryMessage", room=case.room(), base64="AA==")
    alice.quiet()


def broadcast_on_a_destroyed_room_returns_minus_3(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.expect(None, "destroyRoom", room=case.room())
    alice.expect(-3, "sendRoomMessage", room=case.room(), message="x")
    alice.expect(-3, "sendRoomBinaryMessage", room=case.room(), base64="AA==")
    alice.quiet()


def broadcast_has_at_most_65536_bytes(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    longest = "x" * 65_536
    alice.broadcast(room, longest + "x", code=103)
    alice.broadcast(room, longest)
    bob.next("onRoomMessageReceived", room=room, uid=alice.uid, message=longest)
    alice.broadcast(room, "é" * 32_768 + "x", code=103)
    bob.quiet()


def binary_broadcast_has_at_most_65536_bytes(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    longest = bytes(range(256)) * 256
    alice.broadcast_bytes(room, longest + b"x", code=103)
    alice.broadcast_bytes(room, longest)
    bob.next("onRoomBinaryMessageReceived", uid=alice.uid, base64=encoded(longest))
    bob.quiet()


def empty_broadcasts_arrive(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    alice.broadcast(room, "")
    bob.next("onRoomMessageReceived", uid=alice.uid, message="")
    alice.broadcast_bytes(room, b"")
    bob.next("onRoomBinaryMessageReceived", uid=alice.uid, base64="")


def unicode_of_a_broadcast_arrives_unchanged(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    for text in ("😀👩‍👩‍👧‍👦", "a\0b", "e\u0301 \u00e9", "a\nb\u2028c\x7f", "\ufeff"):
        alice.broadcast(room, text)
        bob.next("onRoomMessageReceived", uid=alice.uid, message=text)


def each_handle_has_its_own_ids(case: Case) -> None:
    alice = case.user("alice")
    first, second = case.room("first"), case.room("second")
    alice.join(first)
    alice.join(second)
    alice.expect(1, "sendRoomMessage", room=first, message="x")
    alice.expect(2, "sendRoomBinaryMessage", room=first, base64="AA==")
    alice.expect(1, "sendRoomMessage", room=second, message="x")
    alice.expect(1, "sendMessage", uid=alice.uid, message="x")
    alice.expect(3, "sendRoomMessage", room=first, message="x")


def broadcasts_that_fail_use_an_id(case: Case) -> None:
    alice = case.user("alice")
    room = case.room()
    alice.expect(room, "createRoom", room=room)
    alice.broadcast(room, "not in it", code=100)
    alice.rejoin(room)
    alice.broadcast(room, "x" * 65_537, code=103)
    alice.expect(3, "sendRoomMessage", room=room, message="x")


def ids_go_on_through_leave_and_join(case: Case) -> None:
    alice = case.user("alice")
    room = case.room()
    alice.join(room)
    alice.broadcast(room, "one")
    alice.leave(room)
    alice.rejoin(room)
    alice.expect(2, "sendRoomMessage", room=room, message="two")


def new_handle_of_a_room_begins_at_1(case: Case) -> None:
    alice = case.user("alice")
    room = case.room()
    alice.join(room)
    alice.broadcast(room, "one")
    alice.broadcast(room, "two")
    alice.expect(None, "destroyRoom", room=room)
    alice.join(room)
    alice.expect(1, "sendRoomMessage", room=room, message="one again")


def broadcasts_of_one_sender_arrive_in_order(case: Case) -> None:
    room = case.room()
    alice, bob, carol = case.members(room, "alice", "bob", "carol")
    refs = alice.burst(*broadcasts(room, MANY))
    check([alice.returned(ref) for ref in refs], list(range(1, MANY + 1)), "the ids")
    for member in (bob, carol):
        for number in range(MANY):
            member.next("onRoomMessageReceived", uid=alice.uid, message=str(number))
    for number in range(1, MANY + 1):
        alice.on("onRoomMessageSendResult", msgid=number, code=200)
    alice.quiet()


def text_and_bytes_of_a_room_arrive_in_one_order(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    for number in range(MANY // 2):
        alice.burst(
            ("sendRoomMessage", {"room": room, "message": str(number)}),
            ("sendRoomBinaryMessage", {"room": room, "base64": encoded(bytes([number]))}),
        )
    for number in range(MANY // 2):
        bob.next("onRoomMessageReceived", uid=alice.uid, message=str(number))
        bob.next("onRoomBinaryMessageReceived", uid=alice.uid, base64=encoded(bytes([number])))


def all_members_see_one_order(case: Case) -> None:
    room = case.room()
    senders = case.members(room, "alice", "bob", "carol")
    dave, erin = case.users("dave", "erin")
    for listener in (dave, erin):
        listener.join(room)
    for sender in senders:
        sender.burst(*broadcasts(room, MANY // 3, f"{sender.who} "))
    orders = []
    for listener in (dave, erin):
        lines = [listener.on("onRoomMessageReceived", room=room) for _ in range(MANY)]
        orders.append([line["message"] for line in lines])
    check(orders[0], orders[1], "the order that both see")
    for sender in senders:
        own = [text for text in orders[0] if text.startswith(sender.who)]
        wanted = [f"{sender.who} {number}" for number in range(MANY // 3)]
        check(own, wanted, f"the order of {sender.who}")


def each_broadcast_has_exactly_one_result(case: Case) -> None:
    room = case.room()
    alice = case.user("alice")
    alice.join(room)
    alice.burst(*broadcasts(room, MANY))
    results = [alice.on("onRoomMessageSendResult", room=room, code=200) for _ in range(MANY)]
    check(sorted(line["msgid"] for line in results), list(range(1, MANY + 1)), "the ids")
    alice.quiet()


def broadcasts_over_the_rate_have_result_5_and_do_not_arrive(case: Case) -> None:
    room, count = case.room(), 300
    alice, bob = case.members(room, "alice", "bob")
    alice.burst(*broadcasts(room, count))
    results = [alice.on("onRoomMessageSendResult", room=room) for _ in range(count)]
    codes = {line["msgid"]: line["code"] for line in results}
    passed = [number for number, code in sorted(codes.items()) if code == 200]
    if len(codes) != count or set(codes.values()) != {200, 5} or len(passed) < 65:
        raise Failure(f"expected 200 for 65 at least, and 5: {len(passed)}, {set(codes.values())}")
    for number in passed:
        bob.next("onRoomMessageReceived", message=str(number - 1))
    bob.quiet()


def broadcasts_do_not_reach_users_outside(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    carol = case.user("carol")
    carol.expect(room, "createRoom", room=room)
    alice.broadcast(room, "x")
    alice.send(carol.uid, "marker")
    carol.next("onMessageReceived", message="marker")
    carol.quiet()


def late_member_gets_no_earlier_broadcasts(case: Case) -> None:
    room = case.room()
    alice, bob = case.users("alice", "bob")
    alice.join(room)
    alice.broadcast(room, "early")
    bob.join(room)
    bob.next("onUserJoined", uid=alice.uid)
    alice.broadcast(room, "late")
    bob.next("onRoomMessageReceived", message="late")
    bob.quiet()


def broadcasts_and_messages_to_users_mix(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    pairs = zip(sends(bob.uid, MANY // 2), broadcasts(room, MANY // 2))
    alice.burst(*(call for pair in pairs for call in pair))
    for number in range(MANY // 2):
        bob.on("onMessageReceived", uid=alice.uid, message=str(number))
        bob.on("onRoomMessageReceived", uid=alice.uid, message=str(number))
    for number in range(1, MANY // 2 + 1):
        alice.on("onMessageSendResult", msgid=number, code=0)
        alice.on("onRoomMessageSendResult", msgid=number, code=200)
