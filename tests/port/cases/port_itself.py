"""Lines that are calls, lines that are not, and refs."""

from __future__ import annotations

import json
from typing import Any

from port import Failure, check
from world import Case, Engine

LINE_BYTES_MAX = 16 * 1_048_576
# The fields that a call must have.
REQUIRED: dict[str, dict[str, object]] = {
    "login": {"token": "001", "uid": "alice"},
    "updateLoginToken": {"token": "001"},
    "setServerParams": {"signature": "s", "url": "http://127.0.0.1:8080/"},
    "getPeerOnlineStatus": {"uid": "bob"},
    "sendMessage": {"uid": "bob", "message": "x"},
    "sendBinaryMessage": {"uid": "bob", "base64": "AA=="},
    "sendServerMessage": {"message": "x"},
    "sendServerBinaryMessage": {"base64": "AA=="},
    "createRoom": {"room": "room"},
    "setBusinessId": {"businessId": "tag"},
    "setRuntimeParameters": {"params": {}},
    "joinRoom": {"room": "room"},
    "leaveRoom": {"room": "room"},
    "destroyRoom": {"room": "room"},
    "sendRoomMessage": {"room": "room", "message": "x"},
    "sendRoomBinaryMessage": {"room": "room", "base64": "AA=="},
}


def _error(engine: Engine, line: str | bytes, ref: object = None) -> str:
    """The line is answered with an error that has this ref, and with nothing else."""
    engine.write(line)
    answer = engine.line()
    if "error" not in answer or not isinstance(answer["error"], str) or not answer["error"]:
        raise Failure(f"expected an error with a text, got {answer}")
    check(answer["ref"], ref, "the ref of the error")
    return str(answer["error"])


def _unchanged(engine: Engine) -> None:
    """Nothing was called: the next message has id 1."""
    engine.quiet()
    engine.expect(1, "sendMessage", uid="bob", message="x")


def _copied(case: Case, *refs: str) -> None:
    alice = case.engine()
    for ref in refs:
        alice.write(f'{{"ref":{ref},"call":"getSdkVersion"}}')
        answer = alice.line()
        check(answer["ref"], json.loads(ref), "the ref")
        check("return" in answer, True, "the answer has a return")


def ref_that_is_a_number_is_copied(case: Case) -> None:
    _copied(case, "0", "1", "-7", "2147483648", "9007199254740993", "1.5")


def ref_with_20_digits_is_copied_exactly(case: Case) -> None:
    _copied(case, "18446744073709551617")


def ref_that_is_a_text_is_copied(case: Case) -> None:
    _copied(case, '""', '"x"', '"é 😀"', r'"\u0000\n\"\\"', '"\u2028"')


def ref_that_is_an_object_or_array_is_copied(case: Case) -> None:
    _copied(case, "{}", "[]", '{"b":[1,{"a":null}],"a":true}', '[1,"2",[3]]')


def ref_that_is_a_literal_is_copied(case: Case) -> None:
    _copied(case, "true", "false", "null")


def missing_ref_is_null(case: Case) -> None:
    alice = case.engine()
    alice.write('{"call":"logout"}')
    check(alice.line(), {"ref": None, "return": None}, "the answer")


def same_ref_may_be_used_again(case: Case) -> None:
    alice = case.engine()
    for _ in range(3):
        alice.write('{"ref":7,"call":"logout"}')
        check(alice.line(), {"ref": 7, "return": None}, "the answer")


def error_has_the_ref_of_its_line(case: Case) -> None:
    alice = case.engine()
    for ref in ("7", '"x"', '{"a":[1]}', "null"):
        _error(alice, f'{{"ref":{ref},"call":"fly"}}', json.loads(ref))
        _error(alice, f'{{"call":"login","ref":{ref}}}', json.loads(ref))
    _unchanged(alice)


def unknown_call_is_an_error_that_names_it(case: Case) -> None:
    alice = case.engine()
    for name in ("fly", "Login", "LOGOUT", "onLogout", "", "send Message"):
        error = alice.error(name)
        if name not in error:
            raise Failure(f"expected {name!r} in {error!r}")
    _unchanged(alice)


def line_that_is_not_json_is_an_error(case: Case) -> None:
    alice = case.engine()
    for line in ("x", "{", '{"call":', "}", "'", '{"call":"logout"}}', '{"call":"logout",}'):
        _error(alice, line)
    _unchanged(alice)


def line_that_is_not_an_object_is_an_error(case: Case) -> None:
    alice = case.engine()
    for line in ("[]", "1", '"logout"', "null", "true", '["logout"]'):
        _error(alice, line)
    _unchanged(alice)


def empty_line_is_an_error(case: Case) -> None:
    alice = case.engine()
    _error(alice, "")
    _error(alice, "  ")
    _unchanged(alice)


def line_without_a_call_is_an_error(case: Case) -> None:
    alice = case.engine()
    for call in ("{}", '{"ref":null}', '{"call":null}', '{"call":1}', '{"call":["logout"]}'):
        _error(alice, call)
    _unchanged(alice)


def line_that_is_not_utf_8_is_an_error(case: Case) -> None:
    alice = case.engine()
    _error(alice, b"\xff\xfe")
    head = b'{"call":"sendMessage","uid":"bob","message":"'
    for bad in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"):
        _error(alice, head + bad + b'"}')
    _unchanged(alice)


def half_a_surrogate_pair_is_an_error(case: Case) -> None:
    alice = case.engine()
    for text in (r"\ud83d", r"\udc00x", r"\ud83d\u0041", r"a\ud800b"):
        _error(alice, f'{{"ref":7,"call":"sendMessage","uid":"bob","message":"{text}"}}', 7)
    _unchanged(alice)


def missing_field_is_an_error_that_names_it(case: Case) -> None:
    alice = case.engine()
    for call, fields in REQUIRED.items():
        for missing in fields:
            given = {name: value for name, value in fields.items() if name != missing}
            error = alice.error(call, **given)
            if missing not in error:
                raise Failure(f"{call} without {missing}: expected the name in {error!r}")
    _unchanged(alice)


def field_of_another_type_is_an_error_that_names_it(case: Case) -> None:
    alice = case.engine()
    for call, fields in REQUIRED.items():
        for wrong in fields:
            bad: tuple[Any, ...] = (1, None, True, [], *([{}] if wrong != "params" else []))
            for value in bad:
                error = alice.error(call, **{**fields, wrong: value})
                if wrong not in error:
                    raise Failure(f"{call} with {wrong}={value}: expected the name in {error!r}")
    _unchanged(alice)


def bad_base64_is_an_error(case: Case) -> None:
    alice = case.engine()
    alice.expect("room", "createRoom", room="room")
    for bad in ("?", "A", "AA==AA==", "Ü", "A*=="):
        alice.error("sendBinaryMessage", uid="bob", base64=bad)
        alice.error("sendServerBinaryMessage", base64=bad)
        alice.error("sendRoomBinaryMessage", room="room", base64=bad)
    alice.expect(1, "sendRoomMessage", room="room", message="x")
    alice.on("onRoomMessageSendResult", room="room", msgid=1)
    _unchanged(alice)


def error_does_not_disturb_a_login(case: Case) -> None:
    alice = case.user("alice")
    for line in ("x", "[]", '{"call":"fly"}', '{"call":"sendMessage","uid":"bob"}'):
        _error(alice, line)
    alice.send(alice.uid, "hi")
    alice.on("onMessageReceived", message="hi")
    alice.quiet()


def other_fields_are_ignored(case: Case) -> None:
    alice = case.engine()
    alice.expect(None, "logout", colour="red", uid="bob", deep={"a": [1, {"b": None}]})


def last_of_two_equal_keys_counts(case: Case) -> None:
    alice = case.engine()
    alice.write('{"ref":1,"ref":2,"call":"fly","call":"logout"}')
    check(alice.line(), {"ref": 2, "return": None}, "the answer")


def order_of_keys_and_blanks_do_not_matter(case: Case) -> None:
    alice = case.engine()
    alice.write(' { "room" : "room" ,\t"call" : "createRoom" , "ref" : 1 } ')
    check(alice.line(), {"ref": 1, "return": "room"}, "the answer")


def line_may_end_with_a_carriage_return(case: Case) -> None:
    alice = case.engine()
    alice.write('{"ref":1,"call":"logout"}\r')
    check(alice.line(), {"ref": 1, "return": None}, "the answer")


def names_may_be_written_with_escapes(case: Case) -> None:
    alice = case.engine()
    alice.write(r'{"\u0072ef":1,"c\u0061ll":"log\u006fut"}')
    check(alice.line(), {"ref": 1, "return": None}, "the answer")


def each_line_has_one_answer_in_order(case: Case) -> None:
    alice = case.engine()
    lines = [f'{{"ref":{n},"call":"{"logout" if n % 3 else "fly"}"}}' for n in range(100)]
    alice.write(*lines)
    for number in range(100):
        answer = alice.line()
        check(answer["ref"], number, "the ref")
        check("return" in answer, number % 3 != 0, "the answer has a return")
    alice.quiet()


def longest_message_may_be_written_in_escapes(case: Case) -> None:
    alice = case.user("alice")
    text = "\\u0001" * 65_536
    alice.write(f'{{"ref":1,"call":"sendMessage","uid":"{alice.uid}","message":"{text}"}}')
    alice.returned(1)
    alice.on("onMessageReceived", message="\u0001" * 65_536)


def line_has_at_most_16_mib(case: Case) -> None:
    alice = case.engine()
    head, tail = '{"ref":1,"call":"logout","x":"', '"}'
    fill = LINE_BYTES_MAX - len(head) - len(tail)
    alice.write(head + "x" * fill + tail)
    check(alice.line(), {"ref": 1, "return": None}, "the answer to the longest line")
    _error(alice, head + "x" * (fill + 1) + tail, 1)
    alice.expect(None, "logout")
    _unchanged(alice)
