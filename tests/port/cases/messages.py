"""Messages from user to user: arrival, ids, results."""

from __future__ import annotations

from port import Failure, check
from world import Case, encoded, sends

BAD_RECEIVERS = ["a b", "a/b", "é", "a\0b", "*", "x" * 129, "😀"]


def text_arrives_and_has_result_0(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.expect(1, "sendMessage", uid=bob.uid, message="hi bob", config=0)
    bob.next("onMessageReceived", uid=alice.uid, message="hi bob")
    alice.next("onMessageSendResult", msgid=1, code=0)
    alice.quiet()
    bob.quiet()


def bytes_arrive_and_have_result_0(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    data = encoded(bytes(range(256)))
    alice.expect(1, "sendBinaryMessage", uid=bob.uid, base64=data, config=0)
    bob.next("onBinaryMessageReceived", uid=alice.uid, base64=data)
    alice.next("onMessageSendResult", msgid=1, code=0)
    alice.quiet()
    bob.quiet()


def return_comes_before_the_result(case: Case) -> None:
    alice = case.user("alice")
    for number in range(1, 6):
        [ref] = alice.burst(("sendMessage", {"uid": case.uid("nobody"), "message": "x"}))
        check(alice.line(), {"ref": ref, "return": number}, "the first line")
        result = {"on": "onMessageSendResult", "msgid": number, "code": 4}
        check(alice.line(), result, "the second line")


def text_that_looks_like_base64_stays_text(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.send(bob.uid, "AAE=")
    bob.next("onMessageReceived", message="AAE=")


def message_to_oneself_arrives(case: Case) -> None:
    alice = case.user("alice")
    alice.send(alice.uid, "to myself")
    alice.on("onMessageReceived", uid=alice.uid, message="to myself")
    alice.send_bytes(alice.uid, b"\x00\x01")
    alice.on("onBinaryMessageReceived", uid=alice.uid, base64="AAE=")
    alice.quiet()


def messages_go_to_their_receiver_only(case: Case) -> None:
    alice, bob, carol = case.users("alice", "bob", "carol")
    alice.send(bob.uid, "for bob")
    alice.send(carol.uid, "for carol")
    carol.next("onMessageReceived", message="for carol")
    bob.next("onMessageReceived", message="for bob")
    bob.quiet()
    carol.quiet()


def both_sides_can_have_uids_of_128_bytes(case: Case) -> None:
    alice = case.user("alice", uid=case.uid("a").ljust(128, "a"))
    bob = case.user("bob", uid=case.uid("b").ljust(128, "b"))
    alice.send(bob.uid, "hi")
    bob.next("onMessageReceived", uid=alice.uid, message="hi")


def each_config_sends(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    for config in (0, 1, 2):
        msgid = alice.call("sendMessage", uid=bob.uid, message=f"text {config}", config=config)
        alice.next("onMessageSendResult", msgid=msgid, code=0)
        bob.next("onMessageReceived", uid=alice.uid, message=f"text {config}")
        msgid = alice.call("sendBinaryMessage", uid=bob.uid, base64="AA==", config=config)
        alice.next("onMessageSendResult", msgid=msgid, code=0)
        bob.next("onBinaryMessageReceived", uid=alice.uid, base64="AA==")
    bob.quiet()


def missing_config_counts_as_0(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.expect(1, "sendMessage", uid=bob.uid, message="x")
    alice.next("onMessageSendResult", msgid=1, code=0)
    alice.expect(2, "sendBinaryMessage", uid=bob.uid, base64="AA==")
    alice.next("onMessageSendResult", msgid=2, code=0)
    bob.next("onMessageReceived", message="x")
    bob.next("onBinaryMessageReceived", base64="AA==")


def config_out_of_range_counts_as_0(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    for number, config in enumerate((3, -1, 2_147_483_647), 1):
        alice.expect(number, "sendMessage", uid=bob.uid, message="x", config=config)
        alice.next("onMessageSendResult", msgid=number, code=0)
        bob.next("onMessageReceived", message="x")


def text_and_bytes_have_one_sequence_of_ids(case: Case) -> None:
    alice = case.user("alice")
    for number in range(1, 9, 2):
        alice.expect(number, "sendMessage", uid=alice.uid, message="x")
        alice.expect(number + 1, "sendBinaryMessage", uid=alice.uid, base64="")


def messages_to_users_and_app_server_have_one_sequence_of_ids(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(1, "sendServerMessage", message="x")
    alice.expect(2, "sendMessage", uid=alice.uid, message="x")
    alice.expect(3, "sendServerBinaryMessage", base64="")
    alice.expect(4, "sendBinaryMessage", uid=alice.uid, base64="")


def each_engine_has_its_own_ids(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.expect(1, "sendMessage", uid=bob.uid, message="x")
    alice.expect(2, "sendMessage", uid=bob.uid, message="x")
    bob.expect(1, "sendMessage", uid=alice.uid, message="x")


def ids_go_on_after_a_new_login(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(1, "sendMessage", uid=alice.uid, message="x")
    alice.on("onMessageReceived", message="x")
    alice.on("onMessageSendResult", msgid=1, code=0)
    alice.logout()
    alice.expect(2, "sendMessage", uid=alice.uid, message="x")
    alice.on("onMessageSendResult", msgid=2, code=105)
    check(alice.login(), 0, "code of the second login")
    alice.expect(3, "sendMessage", uid=alice.uid, message="x")
    alice.on("onMessageSendResult", msgid=3, code=0)


def empty_receiver_returns_minus_2_and_uses_no_id(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(-2, "sendMessage", uid="", message="x", config=0)
    alice.expect(-2, "sendBinaryMessage", uid="", base64="AA==", config=0)
    alice.expect(1, "sendMessage", uid=alice.uid, message="x")
    alice.next("onMessageReceived", message="x")
    alice.next("onMessageSendResult", msgid=1, code=0)
    alice.quiet()


def empty_receiver_returns_minus_2_without_a_login(case: Case) -> None:
    alice = case.engine()
    alice.expect(-2, "sendMessage", uid="", message="x")
    alice.expect(-2, "sendBinaryMessage", uid="", base64="")
    alice.quiet()


def send_without_a_login_has_an_id_and_result_105(case: Case) -> None:
    alice = case.engine()
    alice.expect(1, "sendMessage", uid="bob", message="x")
    alice.next("onMessageSendResult", msgid=1, code=105)
    alice.expect(2, "sendBinaryMessage", uid="bob", base64="AA==")
    alice.next("onMessageSendResult", msgid=2, code=105)
    alice.quiet()


def send_during_a_login_has_result_101(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    login = ("login", {"token": "001", "uid": alice.uid})
    text = ("sendMessage", {"uid": "bob", "message": "x"})
    data = ("sendBinaryMessage", {"uid": "bob", "base64": ""})
    refs = alice.burst(login, text, data)
    check([alice.returned(ref) for ref in refs], [0, 1, 2], "the returns")
    alice.on("onMessageSendResult", msgid=1, code=101)
    alice.on("onMessageSendResult", msgid=2, code=101)
    alice.quiet("onConnectionStateChanged", "onWarning")


def send_after_logout_has_one_result_105(case: Case) -> None:
    alice = case.user("alice")
    alice.logout()
    alice.expect(1, "sendMessage", uid=alice.uid, message="x")
    alice.next("onMessageSendResult", msgid=1, code=105)
    alice.quiet()
    check(alice.end(), [], "callbacks up to the end")


def send_to_nobody_has_result_4(case: Case) -> None:
    alice = case.user("alice")
    alice.send(case.uid("nobody"), "x", code=4)
    alice.send_bytes(case.uid("nobody"), b"x", code=4)
    alice.send("n" * 128, "x", code=4)
    alice.quiet()


def unreliable_send_to_nobody_has_result_4(case: Case) -> None:
    alice = case.user("alice")
    for number, config in enumerate((1, 2), 1):
        alice.expect(number, "sendMessage", uid=case.uid("nobody"), message="x", config=config)
        alice.next("onMessageSendResult", msgid=number, code=4)


def send_to_a_user_after_its_logout_has_result_4(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    bob.logout()
    alice.wait_until_offline(bob.uid)
    alice.send(bob.uid, "x", code=4)
    check(bob.login(), 0, "the second login of bob")
    alice.send(bob.uid, "y")
    bob.next("onMessageReceived", message="y")
    bob.quiet()


def send_to_an_impossible_user_has_result_3(case: Case) -> None:
    alice = case.user("alice")
    for number, uid in enumerate(BAD_RECEIVERS, 1):
        alice.expect(number, "sendMessage", uid=uid, message="x")
        alice.next("onMessageSendResult", msgid=number, code=3)
    alice.send_bytes("a b", b"x", code=3)
    alice.quiet()


def text_has_at_most_65536_bytes(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    longest = "x" * 65_536
    alice.send(bob.uid, longest + "x", code=103)
    alice.send(bob.uid, longest)
    bob.next("onMessageReceived", uid=alice.uid, message=longest)
    bob.quiet()


def text_counts_its_bytes_of_utf_8(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    for character, count in (("é", 32_768), ("😀", 16_384)):
        longest = character * count
        alice.send(bob.uid, longest + "x", code=103)
        alice.send(bob.uid, longest)
        bob.next("onMessageReceived", message=longest)
    bob.quiet()


def binary_message_has_at_most_65536_bytes(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    longest = bytes(range(256)) * 256
    alice.send_bytes(bob.uid, longest + b"x", code=103)
    alice.send_bytes(bob.uid, longest)
    bob.next("onBinaryMessageReceived", uid=alice.uid, base64=encoded(longest))
    bob.quiet()


def too_long_message_uses_an_id(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(1, "sendMessage", uid=alice.uid, message="x" * 65_537)
    alice.next("onMessageSendResult", msgid=1, code=103)
    alice.expect(2, "sendMessage", uid=alice.uid, message="x")


def over_the_rate_has_result_5_and_does_not_arrive(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    count = 600
    refs = alice.burst(*sends(bob.uid, count))
    check([alice.returned(ref) for ref in refs], list(range(1, count + 1)), "the ids")
    codes = {}
    for _ in refs:
        result = alice.on("onMessageSendResult")
        codes[result["msgid"]] = result["code"]
    check(len(codes), count, "the number of results, one for each id")
    passed = [number for number, code in sorted(codes.items()) if code == 0]
    if set(codes.values()) != {0, 5} or len(passed) < 100:
        raise Failure(f"expected 0 for 100 at least, and 5: {len(passed)} of {set(codes.values())}")
    for number in passed:
        bob.next("onMessageReceived", message=str(number - 1))
    bob.quiet()
    alice.quiet()
