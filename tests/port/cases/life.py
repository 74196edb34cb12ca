"""destroyRTS, calls after it, and the end of the input."""

from __future__ import annotations

from port import Failure, check
from tokens import token
from world import Case, broadcasts, sends

BAD_APP_IDS = ["", "short", "x" * 23, "x" * 25, "12345678123456781234567-"]


def destroy_calls_back_on_logout_0_before_its_return(case: Case) -> None:
    alice = case.user("alice")
    [ref] = alice.burst(("destroyRTS", {}))
    check(alice.line(), {"on": "onLogout", "reason": 0}, "the first line")
    check(alice.line(), {"ref": ref, "return": None}, "the second line")
    alice.quiet_itself()
    check(alice.end(), [], "lines up to the end")


def destroy_without_a_login_calls_nothing_back(case: Case) -> None:
    alice = case.engine()
    alice.expect(None, "destroyRTS")
    alice.quiet_itself()
    check(alice.end(), [], "lines up to the end")


def destroy_during_a_login_leaves_no_login_result(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.expect(None, "destroyRTS")
    alice.quiet_itself("onConnectionStateChanged", "onLogout")
    check(alice.end(), [], "lines up to the end")


def second_destroy_does_nothing(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(None, "destroyRTS")
    alice.on("onLogout", reason=0)
    alice.expect(None, "destroyRTS")
    alice.quiet_itself()


def destroy_gives_open_sends_one_result_before_its_return(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    *refs, destroyed = alice.burst(*sends(bob.uid, 30), ("destroyRTS", {}))
    ids = [alice.returned(ref) for ref in refs]
    results = []
    while "ref" not in (line := alice.line()):
        if line["on"] == "onMessageSendResult":
            results.append(line["msgid"])
    check(line, {"ref": destroyed, "return": None}, "the return")
    check(sorted(results), ids, "the ids of the results before the return")
    alice.quiet_itself()


def nothing_is_called_back_after_destroy(case: Case) -> None:
    room = case.room()
    alice, bob = case.members(room, "alice", "bob")
    bob.burst(*sends(alice.uid, 20), *broadcasts(room, 20))
    alice.expect(None, "destroyRTS")
    alice.forget()
    bob.on("onUserLeave", room=room, uid=alice.uid, reason=0)
    bob.wait_until_offline(alice.uid)
    bob.forget()
    bob.expect(21, "sendMessage", uid=alice.uid, message="x")
    while (result := bob.on("onMessageSendResult"))["msgid"] != 21:
        pass
    check(result["code"], 4, "the result of a later message")
    alice.quiet_itself()
    check(alice.end(), [], "lines up to the end")


def sends_after_destroy_return_minus_1(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(None, "destroyRTS")
    alice.forget()
    alice.expect(-1, "sendMessage", uid="bob", message="x")
    alice.expect(-1, "sendBinaryMessage", uid="bob", base64="AA==")
    alice.expect(-1, "sendServerMessage", message="x")
    alice.expect(-1, "sendServerBinaryMessage", base64="AA==")
    alice.quiet_itself()


def send_to_an_empty_receiver_after_destroy_returns_minus_1(case: Case) -> None:
    alice = case.engine()
    alice.expect(None, "destroyRTS")
    alice.expect(-1, "sendMessage", uid="", message="x")


def login_after_destroy_returns_minus_3(case: Case) -> None:
    for alice in (case.engine("fresh"), case.user("known")):
        alice.expect(None, "destroyRTS")
        alice.forget()
        alice.expect(-3, "login", token=token(alice.uid), uid=alice.uid)
        alice.quiet_itself()


def create_room_after_destroy_returns_null_without_a_callback(case: Case) -> None:
    alice = case.engine()
    alice.expect(None, "destroyRTS")
    alice.expect(None, "createRoom", room="room")
    alice.expect(None, "createRoom", room="a.b")
    alice.quiet_itself()


def rooms_are_gone_after_destroy(case: Case) -> None:
    alice = case.user("alice")
    alice.join(case.room())
    alice.expect(None, "destroyRTS")
    alice.forget()
    alice.expect(-3, "joinRoom", room=case.room())
    alice.expect(-3, "sendRoomMessage", room=case.room(), message="x")
    alice.expect(-3, "sendRoomBinaryMessage", room=case.room(), base64="AA==")
    alice.expect(None, "leaveRoom", room=case.room())
    alice.expect(None, "destroyRoom", room=case.room())
    alice.quiet_itself()


def void_calls_after_destroy_return_null_without_a_callback(case: Case) -> None:
    alice = case.engine()
    alice.expect(None, "destroyRTS")
    alice.expect(None, "logout")
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    alice.expect(None, "getPeerOnlineStatus", uid=alice.uid)
    alice.expect(None, "setServerParams", signature="s", url="http://127.0.0.1:8080/")
    alice.expect(None, "setRuntimeParameters", params={"colour": 1})
    alice.quiet_itself()
    check(alice.end(), [], "lines up to the end")


def process_stays_after_destroy(case: Case) -> None:
    alice = case.user("alice")
    version = alice.call("getSdkVersion")
    alice.expect(None, "destroyRTS")
    alice.expect(version, "getSdkVersion")
    check(alice.process.poll(), None, "the exit code while the input is open")
    alice.forget()
    check(alice.end(), [], "lines up to the end")


def lines_after_destroy_can_still_be_errors(case: Case) -> None:
    alice = case.engine()
    alice.expect(None, "destroyRTS")
    alice.error("fly")
    alice.error("sendMessage", uid="bob")


def destroyed_user_can_log_in_on_another_engine(case: Case) -> None:
    first = case.user("first", uid=case.uid("alice"))
    first.expect(None, "destroyRTS")
    first.on("onLogout", reason=0)
    second = case.user("second", uid=first.uid)
    second.send(second.uid, "hi")
    second.on("onMessageReceived", message="hi")
    first.quiet_itself()


def end_of_the_input_logs_out(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    check(bob.end(), [{"on": "onLogout", "reason": 0}], "lines up to the end")
    alice.wait_until_offline(bob.uid)


def end_of_the_input_without_a_login_ends_the_process(case: Case) -> None:
    check(case.engine().end(), [], "lines up to the end")


def end_of_the_input_during_a_login_ends_the_process(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    check(alice.end("onConnectionStateChanged", "onLogout"), [], "lines up to the end")


def end_of_the_input_answers_calls_that_came_before(case: Case) -> None:
    alice = case.user("alice")
    refs = alice.burst(*sends(alice.uid, 20))
    lines = alice.end()
    answers = [line for line in lines if "ref" in line]
    wanted = [{"ref": ref, "return": number} for number, ref in enumerate(refs, 1)]
    check(answers, wanted, "the answers up to the end")
    results = sorted(line["msgid"] for line in lines if line.get("on") == "onMessageSendResult")
    check(len(results), len(set(results)), "the results, at most one for each id")


def bad_app_id_ends_the_process_without_a_line(case: Case) -> None:
    for app_id in BAD_APP_IDS:
        engine = case.engine(app_id=app_id)
        check(engine.lines_until_end(), [], f"lines with app id {app_id!r}")
        if engine.process.wait() == 0:
            raise Failure(f"app id {app_id!r}: expected another exit code than 0")
