"""setBusinessId, setRuntimeParameters and getSdkVersion."""

from __future__ import annotations

import json

from port import Failure, check
from tokens import token
from world import Case

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@-."
# Those of docs/engine.md, with their bounds.
TIMES = [
    "sendTimeoutMs",
    "loginTimeoutMs",
    "connectTimeoutMs",
    "heartbeatMs",
    "reconnectingAfterMs",
    "disconnectedAfterMs",
    "lostAfterMs",
    "backoffMaxMs",
    "probeTimeoutMs",
]
SHORTEST, LONGEST = 10, 3_600_000
UNKNOWN_PARAMETER, BAD_PARAMETER = 1, 2


def business_id_can_be_set_before_and_after_login(case: Case) -> None:
    alice = case.engine()
    alice.expect(0, "setBusinessId", businessId="before")
    check(alice.login(), 0, "code of the login")
    alice.expect(0, "setBusinessId", businessId="after")
    alice.quiet()


def business_id_may_have_each_letter_digit_and_4_signs(case: Case) -> None:
    case.engine().expect(0, "setBusinessId", businessId=ALPHABET)


def business_id_with_bad_characters_returns_minus_6002(case: Case) -> None:
    alice = case.engine()
    for bad in (" ", "a b", "é", "a/b", "a\0", "*", "a!"):
        alice.expect(-6002, "setBusinessId", businessId=bad)
    alice.quiet()


def business_id_has_at_most_128_bytes(case: Case) -> None:
    alice = case.engine()
    alice.expect(0, "setBusinessId", businessId="x" * 128)
    alice.expect(-6002, "setBusinessId", businessId="x" * 129)


def empty_business_id_clears_it(case: Case) -> None:
    alice = case.engine()
    alice.expect(0, "setBusinessId", businessId="tag")
    alice.expect(0, "setBusinessId", businessId="")


def business_id_in_a_room_returns_minus_6001(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.expect(-6001, "setBusinessId", businessId="tag")
    alice.expect(-6001, "setBusinessId", businessId="")


def bad_business_id_in_a_room_returns_minus_6002(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.expect(-6002, "setBusinessId", businessId="a b")
    alice.expect(-6002, "setBusinessId", businessId="x" * 129)


def business_id_can_be_set_with_a_room_that_is_only_made(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(case.room(), "createRoom", room=case.room())
    alice.expect(0, "setBusinessId", businessId="tag")


def business_id_can_be_set_again_once_out_of_all_rooms(case: Case) -> None:
    alice = case.user("alice")
    first, second, third = (case.room(name) for name in ("first", "second", "third"))
    for room in (first, second, third):
        alice.join(room)
    alice.leave(first)
    alice.expect(-6001, "setBusinessId", businessId="tag")
    alice.expect(None, "destroyRoom", room=second)
    alice.expect(-6001, "setBusinessId", businessId="tag")
    alice.leave(third)
    alice.expect(0, "setBusinessId", businessId="tag")


def business_id_can_be_set_after_logout_from_a_room(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.logout()
    alice.expect(0, "setBusinessId", businessId="tag")


def business_id_has_no_effect_on_messages(case: Case) -> None:
    room = case.room()
    alice, bob = case.users("alice", "bob")
    alice.expect(0, "setBusinessId", businessId="one")
    bob.expect(0, "setBusinessId", businessId="two")
    alice.join(room)
    bob.join(room)
    alice.broadcast(room, "hi")
    bob.on("onRoomMessageReceived", uid=alice.uid, message="hi")
    alice.send(bob.uid, "hi")
    bob.on("onMessageReceived", uid=alice.uid, message="hi")


def known_parameters_give_no_warning(case: Case) -> None:
    alice = case.engine()
    for name in TIMES:
        alice.parameters(**{name: 4_000})
    alice.quiet()


def parameters_may_be_a_text_that_holds_an_object(case: Case) -> None:
    alice = case.engine()
    params = json.dumps({"sendTimeoutMs": 3_000, "colour": 1})
    alice.expect(None, "setRuntimeParameters", params=params)
    alice.next("onWarning", code=UNKNOWN_PARAMETER)
    alice.quiet()


def unknown_parameter_gives_a_warning_with_its_name(case: Case) -> None:
    alice = case.engine()
    alice.parameters(colour="red", sendTimeoutMs=5_000)
    warning = alice.next("onWarning", code=UNKNOWN_PARAMETER)
    if "colour" not in warning["message"]:
        raise Failure(f"expected the name in the message of {warning}")
    alice.quiet()


def each_unknown_parameter_has_a_warning(case: Case) -> None:
    alice = case.engine()
    alice.parameters(one=1, two=2, three={"four": 4})
    warnings = [alice.next("onWarning", code=UNKNOWN_PARAMETER)["message"] for _ in range(3)]
    for name in ("one", "two", "three"):
        check(sum(name in message for message in warnings), 1, f"warnings that name {name}")
    alice.quiet()


def bad_value_of_a_parameter_gives_a_warning(case: Case) -> None:
    alice = case.engine()
    values: tuple[object, ...] = ("fast", -1, 1.5, None, True, [], {})
    for bad in values:
        alice.parameters(heartbeatMs=bad)
        warning = alice.next("onWarning", code=BAD_PARAMETER)
        if "heartbeatMs" not in warning["message"]:
            raise Failure(f"expected the name in the message of {warning}")
    alice.quiet()


def times_of_parameters_have_bounds(case: Case) -> None:
    alice = case.engine()
    for good in (SHORTEST, LONGEST):
        alice.parameters(sendTimeoutMs=good)
    alice.quiet()
    for bad in (SHORTEST - 1, LONGEST + 1):
        alice.parameters(sendTimeoutMs=bad)
        alice.next("onWarning", code=BAD_PARAMETER)
    alice.quiet()


def warning_comes_behind_the_return(case: Case) -> None:
    alice = case.engine()
    [ref] = alice.burst(("setRuntimeParameters", {"params": {"colour": 1}}))
    check(alice.line(), {"ref": ref, "return": None}, "the first line")
    alice.next("onWarning", code=UNKNOWN_PARAMETER)


def level_of_the_log_is_a_parameter(case: Case) -> None:
    alice = case.engine()
    for level in ("error", "warn", "off"):
        alice.parameters(logLevel=level)
    alice.quiet()
    alice.parameters(logLevel="loud")
    alice.next("onWarning", code=BAD_PARAMETER)


def empty_object_of_parameters_does_nothing(case: Case) -> None:
    alice = case.user("alice")
    alice.parameters()
    alice.quiet()


def parameters_that_are_no_object_are_an_error(case: Case) -> None:
    alice = case.engine()
    values: tuple[object, ...] = ("[]", "", "x", "1", [], 1, None, True)
    for bad in values:
        alice.error("setRuntimeParameters", params=bad)
    alice.quiet()


def parameters_can_be_set_during_a_login_session(case: Case) -> None:
    alice = case.user("alice")
    alice.parameters(heartbeatMs=1_000, sendTimeoutMs=20_000)
    alice.send(alice.uid, "hi")
    alice.on("onMessageReceived", message="hi")
    alice.quiet()


def login_time_out_of_the_parameters_gives_minus_1001(case: Case) -> None:
    relay = case.relay()
    relay.hold()
    alice = case.engine(port=relay.port)
    alice.parameters(loginTimeoutMs=100)
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    check(alice.login_result(), -1001, "code of the login")
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)


def version_is_a_text(case: Case) -> None:
    alice = case.engine()
    version = alice.call("getSdkVersion")
    if not isinstance(version, str) or not version:
        raise Failure(f"expected a text, got {version!r}")
    check(alice.login(), 0, "code of the login")
    alice.expect(version, "getSdkVersion")
    alice.quiet()
