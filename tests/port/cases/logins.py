"""login, logout, and two logins of one user."""

from __future__ import annotations

from port import Failure, check
from servers import closed_port
from tokens import token
from world import Case, sends

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@-."
BAD_UIDS = ["", " ", "a b", "a/b", "a+b", "a*", "é", "a\0", "a\n", "a:b", "😀"]


def login_returns_0_then_connects_and_calls_back(case: Case) -> None:
    alice = case.engine()
    [ref] = alice.burst(("login", {"token": token(alice.uid), "uid": alice.uid}))
    check(alice.line(), {"ref": ref, "return": 0}, "the first line")
    check(alice.line(), {"on": "onConnectionStateChanged", "state": 2}, "the second line")
    check(alice.line(), {"on": "onConnectionStateChanged", "state": 3}, "the third line")
    result = alice.line()
    elapsed = result.get("elapsed")
    wanted = {"on": "onLoginResult", "uid": alice.uid, "code": 0, "elapsed": elapsed}
    check(result, wanted, "the fourth line")
    if not 0 <= result["elapsed"] < 60_000:
        raise Failure(f"elapsed is not in milliseconds: {result}")
    alice.quiet()


def engine_without_a_login_calls_nothing_back(case: Case) -> None:
    alice = case.engine()
    alice.call("getSdkVersion")
    check(alice.end(), [], "callbacks up to the end")


def login_with_an_empty_token_returns_minus_1(case: Case) -> None:
    alice = case.engine()
    alice.expect(-1, "login", token="", uid=alice.uid)
    check(alice.end(), [], "callbacks up to the end")


def login_with_a_bad_uid_returns_minus_1(case: Case) -> None:
    alice = case.engine()
    for uid in BAD_UIDS:
        alice.expect(-1, "login", token=token("alice"), uid=uid)
    check(alice.end(), [], "callbacks up to the end")


def uid_has_at_most_128_bytes(case: Case) -> None:
    longest = case.suffix.ljust(128, "x")
    alice = case.engine(uid=longest)
    alice.expect(-1, "login", token=token(longest + "x"), uid=longest + "x")
    check(alice.login(), 0, "login with 128 bytes")


def uid_may_have_each_letter_digit_and_4_signs(case: Case) -> None:
    alice = case.user("alice", uid=ALPHABET + case.suffix)
    alice.send(alice.uid, "to myself")
    alice.on("onMessageReceived", uid=alice.uid, message="to myself")


def uids_differ_by_case(case: Case) -> None:
    small = case.user("small", uid=f"name-{case.suffix}")
    large = case.user("large", uid=f"NAME-{case.suffix}")
    small.send(large.uid, "to the large one")
    large.next("onMessageReceived", uid=small.uid, message="to the large one")
    small.quiet()


def login_of_a_logged_in_engine_returns_minus_2(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(-2, "login", token=token(alice.uid), uid=alice.uid)
    alice.expect(-2, "login", token=token("bob"), uid="bob")
    alice.quiet()


def login_during_a_login_returns_minus_2(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.expect(-2, "login", token=token(alice.uid), uid=alice.uid)


def login_with_bad_arguments_during_a_login_is_refused(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    if (code := alice.call("login", token="", uid="")) not in (-1, -2):
        raise Failure(f"expected -1 or -2, got {code}")


def two_logins_in_one_write_are_one_login(case: Case) -> None:
    alice = case.engine()
    login = ("login", {"token": token(alice.uid), "uid": alice.uid})
    first, second = alice.burst(login, login)
    check(alice.returned(first), 0, "the first return")
    check(alice.returned(second), -2, "the second return")
    check(alice.login_result(), 0, "the result")
    alice.quiet()


def logout_calls_back_0_once(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(None, "logout")
    alice.next("onLogout", reason=0)
    alice.quiet()
    check(alice.end(), [], "callbacks up to the end")


def second_logout_calls_nothing_back(case: Case) -> None:
    alice = case.user("alice")
    first, second = alice.burst(("logout", {}), ("logout", {}))
    check(alice.returned(first), None, "the first return")
    check(alice.returned(second), None, "the second return")
    alice.on("onLogout", reason=0)
    alice.quiet()
    check(alice.end(), [], "callbacks up to the end")


def logout_without_a_login_does_nothing(case: Case) -> None:
    alice = case.engine()
    alice.expect(None, "logout")
    alice.quiet()
    check(alice.login(), 0, "a login afterwards")


def logout_during_a_login_ends_it_without_a_result(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.expect(None, "logout")
    alice.on("onLogout", reason=0)
    alice.quiet("onConnectionStateChanged")


def logout_right_behind_login_ends_it(case: Case) -> None:
    alice = case.engine()
    login = ("login", {"token": token(alice.uid), "uid": alice.uid})
    first, second = alice.burst(login, ("logout", {}))
    check(alice.returned(first), 0, "the return of login")
    check(alice.returned(second), None, "the return of logout")
    # What comes before it may be the whole login, also if a thread of the binding is late.
    alice.forget()
    while (line := alice.line())["on"] != "onLogout":
        check(line["on"] in ("onConnectionStateChanged", "onLoginResult"), True, "a login")
    check(line["reason"], 0, "the reason")
    alice.quiet()
    check(alice.login(), 0, "the next login")
    alice.quiet()


def login_without_a_server_stays_in_progress(case: Case) -> None:
    alice = case.engine(port=closed_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.next("onConnectionStateChanged", state=2)
    alice.expect(-2, "login", token=token(alice.uid), uid=alice.uid)
    alice.quiet("onWarning")


def login_again_after_logout_connects_anew(case: Case) -> None:
    alice = case.user("alice")
    alice.logout()
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.next("onConnectionStateChanged", state=2)
    alice.next("onConnectionStateChanged", state=3)
    alice.next("onLoginResult", uid=alice.uid, code=0)


def engine_can_log_in_as_another_user(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.logout()
    alice.uid = case.uid("carol")
    check(alice.login(), 0, "the login as carol")
    alice.send(bob.uid, "hi")
    bob.next("onMessageReceived", uid=case.uid("carol"), message="hi")
    bob.wait_until_offline(case.uid("alice"))
    bob.send(case.uid("alice"), "hi", code=4)


def newest_login_of_a_user_wins(case: Case) -> None:
    first = case.user("first", uid=case.uid("alice"))
    second = case.user("second", uid=case.uid("alice"))
    first.next("onLogout", reason=1)
    second.send(second.uid, "still here")
    second.next("onMessageReceived", message="still here")
    second.quiet()


def displaced_engine_stays_logged_out(case: Case) -> None:
    first = case.user("first", uid=case.uid("alice"))
    second = case.user("second", uid=case.uid("alice"))
    first.next("onLogout", reason=1)
    first.send(second.uid, "x", code=105)
    first.quiet()
    check(first.end(), [], "callbacks up to the end")
    second.quiet()


def displaced_engine_gets_no_messages(case: Case) -> None:
    first = case.user("first", uid=case.uid("alice"))
    second = case.user("second", uid=case.uid("alice"))
    bob = case.user("bob")
    first.next("onLogout", reason=1)
    bob.send(second.uid, "to the newest")
    second.next("onMessageReceived", uid=bob.uid, message="to the newest")
    first.quiet()
    check(first.end(), [], "callbacks up to the end")


def displaced_engine_may_displace_in_turn(case: Case) -> None:
    first = case.user("first", uid=case.uid("alice"))
    second = case.user("second", uid=case.uid("alice"))
    first.next("onLogout", reason=1)
    check(first.login(), 0, "the new login of the first")
    second.next("onLogout", reason=1)
    first.quiet()


def displacement_ends_rooms_silently(case: Case) -> None:
    room = case.room()
    first = case.user("first", uid=case.uid("alice"))
    first.join(room)
    case.user("second", uid=case.uid("alice"))
    first.next("onLogout", reason=1)
    first.broadcast(room, "x", code=100)
    first.quiet()
    check(first.end(), [], "callbacks up to the end")


def displaced_login_gives_its_open_sends_one_result(case: Case) -> None:
    first = case.user("first", uid=case.uid("alice"))
    bob = case.user("bob")
    ids = [first.returned(ref) for ref in first.burst(*sends(bob.uid, 50))]
    case.user("second", uid=case.uid("alice"))
    first.on("onLogout", reason=1)
    results = [line["msgid"] for line in first.seen() if line["on"] == "onMessageSendResult"]
    check(sorted(results), ids, "the ids of all results")


def logout_gives_open_sends_one_result_before_it(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    *refs, out = alice.burst(*sends(bob.uid, 30), ("logout", {}))
    ids = [alice.returned(ref) for ref in refs]
    check(alice.returned(out), None, "the return of logout")
    results = []
    while (line := alice.line())["on"] == "onMessageSendResult":
        results.append(line["msgid"])
        if line["code"] not in (0, 1, 2):
            raise Failure(f"expected 0, 1 or 2, got {line}")
    check(line, {"on": "onLogout", "reason": 0}, "the callback after the results")
    check(sorted(results), ids, "the ids of all results")
    alice.quiet()
