"""Links that break between an engine and the server. A relay on loopback breaks them."""

from __future__ import annotations

from port import check
from servers import Relay
from tokens import token
from world import Case, Engine, broadcasts, joined, sends

# States 4, 1 and 6 come soon. A link that works is never silent for this long.
SOON = {
    "heartbeatMs": 200,
    "reconnectingAfterMs": 1_500,
    "disconnectedAfterMs": 1_700,
    "lostAfterMs": 1_900,
    "backoffMaxMs": 50,
}
MANY = 30
OPEN_SENDS_MAX = 2_048


def _behind_a_relay(case: Case, who: str, soon: bool = True) -> tuple[Engine, Relay]:
    relay = case.relay()
    engine = case.engine(who, port=relay.port)
    engine.parameters(**(SOON if soon else {"backoffMaxMs": 50}))
    check(engine.login(), 0, "code of the login")
    return engine, relay


def _cut(engine: Engine, relay: Relay) -> None:
    """The link is cut, and the engine has reported that."""
    relay.cut()
    engine.on("onConnectionStateChanged", state=4)


def _back(engine: Engine, relay: Relay) -> None:
    """New links work, and the engine has reported that. It may report 1 and 6 before."""
    relay.mend()
    while engine.on("onConnectionStateChanged")["state"] != 5:
        pass


def lost_link_is_replaced_without_a_callback(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice", soon=False)
    bob = case.user("bob")
    for number in range(5):
        relay.drop()
        bob.send(alice.uid, str(number))
        alice.next("onMessageReceived", uid=bob.uid, message=str(number))
    alice.quiet()


def messages_of_a_lost_link_arrive_once_and_in_order(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice", soon=False)
    bob = case.user("bob")
    for start in range(3):
        alice.burst(*sends(bob.uid, MANY))
        relay.drop()
        for number in range(MANY):
            bob.next("onMessageReceived", uid=alice.uid, message=str(number))
        for number in range(1, MANY + 1):
            alice.on("onMessageSendResult", msgid=start * MANY + number, code=0)
    bob.quiet()
    alice.quiet()


def long_break_has_states_4_1_6_and_5(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    relay.cut()
    for state in (4, 1, 6):
        alice.on("onConnectionStateChanged", state=state)
    relay.mend()
    alice.on("onConnectionStateChanged", state=5)
    alice.send(alice.uid, "back")
    alice.on("onMessageReceived", message="back")
    alice.quiet("onWarning")


def silent_link_has_states_4_1_and_6(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    relay.hold()
    for state in (4, 1, 6):
        alice.on("onConnectionStateChanged", state=state)


def first_connect_has_states_2_4_1_6_and_then_3(case: Case) -> None:
    relay = case.relay()
    relay.cut()
    alice = case.engine(port=relay.port)
    alice.parameters(**SOON)
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    for state in (2, 4, 1, 6):
        alice.on("onConnectionStateChanged", state=state)
    relay.mend()
    alice.on("onConnectionStateChanged", state=3)
    alice.on("onLoginResult", uid=alice.uid, code=0)
    alice.quiet("onWarning")


def room_after_a_reported_break_has_join_type_1(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    alice.join(case.room())
    _cut(alice, relay)
    _back(alice, relay)
    state = alice.on("onRoomStateChanged", room=case.room(), uid=alice.uid, state=0)
    extra = joined(state)
    check(set(extra), {"join_type", "elapsed", "resumed"}, "the fields of extra")
    check((extra["join_type"], extra["resumed"]), (1, True), "join_type and resumed")
    alice.broadcast(case.room(), "back")


def others_see_nothing_of_a_break(case: Case) -> None:
    room = case.room()
    alice, relay = _behind_a_relay(case, "alice")
    bob = case.user("bob")
    alice.join(room)
    bob.join(room)
    bob.next("onUserJoined", uid=alice.uid)
    _cut(alice, relay)
    _back(alice, relay)
    alice.broadcast(room, "back")
    bob.next("onRoomMessageReceived", uid=alice.uid, message="back")
    bob.quiet()


def broadcasts_during_a_break_arrive_after_it(case: Case) -> None:
    room = case.room()
    alice, relay = _behind_a_relay(case, "alice")
    bob = case.user("bob")
    alice.join(room)
    bob.join(room)
    bob.next("onUserJoined", uid=alice.uid)
    _cut(alice, relay)
    alice.burst(*broadcasts(room, MANY))
    bob.burst(*broadcasts(room, MANY))
    for _ in range(MANY):
        bob.on("onRoomMessageSendResult", code=200)
    relay.mend()
    for number in range(MANY):
        alice.on("onRoomMessageReceived", uid=bob.uid, message=str(number))
        bob.on("onRoomMessageReceived", uid=alice.uid, message=str(number))
    for _ in range(MANY):
        alice.on("onRoomMessageSendResult", code=200)
    bob.quiet()


def reliable_messages_during_a_break_arrive_after_it(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    bob = case.user("bob")
    _cut(alice, relay)
    alice.burst(*sends(bob.uid, MANY))
    relay.mend()
    for number in range(MANY):
        bob.next("onMessageReceived", uid=alice.uid, message=str(number))
        alice.on("onMessageSendResult", msgid=number + 1, code=0)
    bob.quiet()


def message_to_a_user_without_a_link_waits_for_it(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    bob = case.user("bob")
    _cut(alice, relay)
    bob.burst(*sends(alice.uid, MANY))
    relay.mend()
    for number in range(MANY):
        alice.on("onMessageReceived", uid=bob.uid, message=str(number))
        bob.on("onMessageSendResult", msgid=number + 1, code=0)


def unreliable_message_during_a_break_has_result_2(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    bob = case.user("bob")
    _cut(alice, relay)
    for number, config in enumerate((1, 2), 1):
        alice.expect(number, "sendMessage", uid=bob.uid, message="x", config=config)
        alice.on("onMessageSendResult", msgid=number, code=2)
    relay.mend()
    alice.send(bob.uid, "marker")
    bob.next("onMessageReceived", message="marker")


def message_that_never_left_has_result_2_after_the_time_out(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    _cut(alice, relay)
    alice.parameters(sendTimeoutMs=200)
    alice.send(alice.uid, "x", code=2)
    _back(alice, relay)
    alice.quiet("onConnectionStateChanged", "onWarning")


def message_that_nobody_confirms_has_result_1(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    bob = case.user("bob")
    _cut(alice, relay)
    bob.parameters(sendTimeoutMs=200)
    bob.send(alice.uid, "x", code=1)
    bob.quiet()


def leave_during_a_break_calls_back_at_once(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    alice.join(case.room())
    _cut(alice, relay)
    alice.leave(case.room())
    alice.broadcast(case.room(), "x", code=100)


def logout_during_a_break_calls_back_at_once(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    _cut(alice, relay)
    alice.logout()
    alice.send(alice.uid, "x", code=105)
    relay.mend()
    check(alice.login(), 0, "the next login")


def logout_during_a_break_gives_open_sends_a_result_first(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    _cut(alice, relay)
    alice.burst(*sends(alice.uid, 5))
    alice.expect(None, "logout")
    for number in range(1, 6):
        # None of them left.
        alice.on("onMessageSendResult", msgid=number, code=2)
    alice.on("onLogout", reason=0)
    alice.quiet("onConnectionStateChanged", "onWarning")


def more_than_2048_open_sends_have_result_5(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    _cut(alice, relay)
    refs = alice.burst(*sends(case.uid("bob"), OPEN_SENDS_MAX + 1))
    ids = [alice.returned(ref) for ref in refs]
    check(ids, list(range(1, OPEN_SENDS_MAX + 2)), "the ids")
    alice.on("onMessageSendResult", msgid=OPEN_SENDS_MAX + 1, code=5)


def join_during_a_break_happens_after_it(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    alice.expect(case.room(), "createRoom", room=case.room())
    _cut(alice, relay)
    alice.expect(0, "joinRoom", room=case.room())
    relay.mend()
    alice.on("onRoomStateChanged", room=case.room(), uid=alice.uid, state=0)
    alice.broadcast(case.room(), "x")


def question_during_a_break_is_answered_after_it(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    bob = case.user("bob")
    _cut(alice, relay)
    alice.expect(None, "getPeerOnlineStatus", uid=bob.uid)
    relay.mend()
    alice.on("onGetPeerOnlineStatus", uid=bob.uid, status=1)


def server_params_outlive_a_break(case: Case) -> None:
    app = case.app_server()
    alice, relay = _behind_a_relay(case, "alice")
    alice.set_params(app.url("/echo"))
    relay.drop()
    alice.expect(1, "sendServerMessage", message="x")
    alice.on("onServerMessageSendResult", msgid=1, code=0)


def user_who_logs_in_elsewhere_during_a_break_is_displaced(case: Case) -> None:
    first, relay = _behind_a_relay(case, "alice")
    _cut(first, relay)
    second = case.user("second", uid=first.uid)
    relay.mend()
    first.on("onLogout", reason=1)
    second.send(second.uid, "still here")
    second.on("onMessageReceived", message="still here")
    second.quiet()


def user_whom_the_back_end_disconnects_during_a_break_is_out_after_it(case: Case) -> None:
    alice, relay = _behind_a_relay(case, "alice")
    _cut(alice, relay)
    case.back_end.act("DisconnectUser", UserId=alice.uid)
    relay.mend()
    alice.on("onLogout", reason=2)
    alice.send(alice.uid, "x", code=105)
