"""getPeerOnlineStatus."""

from __future__ import annotations

from port import Failure, check
from tokens import token
from world import Case, Engine


def _status(engine: Engine, uid: str, status: int) -> None:
    engine.expect(None, "getPeerOnlineStatus", uid=uid)
    engine.next("onGetPeerOnlineStatus", uid=uid, status=status)


def user_who_is_logged_in_has_status_1(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    _status(alice, bob.uid, 1)
    _status(bob, alice.uid, 1)


def own_status_is_1(case: Case) -> None:
    alice = case.user("alice")
    _status(alice, alice.uid, 1)


def user_who_never_logged_in_has_status_0(case: Case) -> None:
    _status(case.user("alice"), case.uid("nobody"), 0)


def impossible_user_has_status_0(case: Case) -> None:
    alice = case.user("alice")
    for uid in ("a b", "é", "", "x" * 129, "a\0"):
        _status(alice, uid, 0)


def user_after_logout_has_status_0(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    bob.logout()
    alice.wait_until_offline(bob.uid)
    check(bob.login(), 0, "the second login of bob")
    _status(alice, bob.uid, 1)


def user_after_destroy_has_status_0(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    bob.expect(None, "destroyRTS")
    alice.wait_until_offline(bob.uid)
    alice.send(bob.uid, "x", code=4)


def user_with_a_refused_token_has_status_0(case: Case) -> None:
    alice, bob = case.user("alice"), case.engine("bob")
    check(bob.login("bad"), -1000, "code of the login")
    _status(alice, bob.uid, 0)


def displaced_user_has_status_1_by_the_newest_login(case: Case) -> None:
    alice, first = case.user("alice"), case.user("first", uid=case.uid("bob"))
    case.user("second", uid=case.uid("bob"))
    first.next("onLogout", reason=1)
    _status(alice, first.uid, 1)


def status_without_a_login_is_2(case: Case) -> None:
    alice = case.engine()
    for uid in (alice.uid, case.uid("nobody"), "a b"):
        _status(alice, uid, 2)


def status_after_logout_is_2(case: Case) -> None:
    alice = case.user("alice")
    alice.logout()
    _status(alice, alice.uid, 2)
    alice.quiet()


def status_during_a_login_is_2(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.expect(None, "getPeerOnlineStatus", uid="bob")
    alice.on("onGetPeerOnlineStatus", uid="bob", status=2)


def questions_in_one_write_are_answered_in_order(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    uids = [alice.uid, case.uid("nobody"), bob.uid, "a b", alice.uid, bob.uid]
    alice.burst(*(("getPeerOnlineStatus", {"uid": uid}) for uid in uids))
    answers = [alice.next("onGetPeerOnlineStatus") for _ in uids]
    check(sorted(line["uid"] for line in answers), sorted(uids), "the uids of the answers")
    statuses = {line["uid"]: line["status"] for line in answers}
    wanted = {alice.uid: 1, bob.uid: 1, case.uid("nobody"): 0, "a b": 0}
    check(statuses, wanted, "the status of each")


def same_question_twice_has_two_answers(case: Case) -> None:
    alice = case.user("alice")
    alice.burst(*[("getPeerOnlineStatus", {"uid": alice.uid})] * 2)
    alice.next("onGetPeerOnlineStatus", uid=alice.uid, status=1)
    alice.next("onGetPeerOnlineStatus", uid=alice.uid, status=1)
    alice.quiet()


def question_over_the_rate_has_status_2(case: Case) -> None:
    alice = case.user("alice")
    count = 40
    alice.burst(*[("getPeerOnlineStatus", {"uid": alice.uid})] * count)
    statuses = [alice.next("onGetPeerOnlineStatus", uid=alice.uid)["status"] for _ in range(count)]
    if statuses.count(1) < 10 or set(statuses) != {1, 2}:
        raise Failure(f"expected 1 for 10 at least, and 2 for some: {statuses}")


def question_leaves_no_trace_at_the_user(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    _status(alice, bob.uid, 1)
    alice.send(bob.uid, "marker")
    bob.next("onMessageReceived", message="marker")
    bob.quiet()
