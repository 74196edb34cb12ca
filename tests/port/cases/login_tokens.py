"""Tokens of a login, and updateLoginToken."""

from __future__ import annotations

import time

from port import check
from servers import wait_for_second_after
from tokens import token
from world import Case

OTHER_APP = "876543218765432187654321"
FAR_FUTURE = 2_147_483_647


def _refused(case: Case, bad: str) -> None:
    """A login with this token is refused, and one with a good token works."""
    alice = case.engine()
    check(alice.login(bad), -1000, "code of the login")
    check(alice.login(), 0, "code of the next login")


def token_of_another_user_is_refused(case: Case) -> None:
    _refused(case, token(case.uid("bob")))


def token_of_another_app_is_refused(case: Case) -> None:
    _refused(case, token(case.uid("alice"), app_id=OTHER_APP))


def token_signed_with_another_key_is_refused(case: Case) -> None:
    _refused(case, token(case.uid("alice"), app_key="another key"))


def expired_token_is_refused(case: Case) -> None:
    now = int(time.time())
    _refused(case, token(case.uid("alice"), issued_at=now - 100, expires_at=now - 10))


def text_that_is_not_a_token_is_refused(case: Case) -> None:
    _refused(case, "x")


def token_of_another_version_is_refused(case: Case) -> None:
    _refused(case, token(case.uid("alice"), version="002"))


def token_that_is_cut_off_is_refused(case: Case) -> None:
    _refused(case, token(case.uid("alice"))[:-8])


def token_with_a_privilege_twice_is_refused(case: Case) -> None:
    _refused(case, token(case.uid("alice"), privileges=[(4, 0), (4, 0)]))


def token_of_this_app_is_refused_by_an_engine_of_another(case: Case) -> None:
    alice = case.engine(app_id=OTHER_APP)
    check(alice.login(), -1000, "code of the login")


def token_of_an_unknown_app_is_refused(case: Case) -> None:
    alice = case.engine(app_id=OTHER_APP)
    check(alice.login(token(alice.uid, app_id=OTHER_APP)), -1000, "code of the login")


def token_that_never_expires_is_valid(case: Case) -> None:
    alice = case.engine()
    check(alice.login(token(alice.uid, expires_at=0)), 0, "code of the login")


def token_is_valid_up_to_the_largest_time(case: Case) -> None:
    alice = case.engine()
    check(alice.login(token(alice.uid, expires_at=FAR_FUTURE)), 0, "code of the login")


def room_of_a_token_plays_no_part(case: Case) -> None:
    alice = case.engine()
    for room in ("room", "*", "\u00e9 /", "x" * 200):
        check(alice.login(token(alice.uid, room=room)), 0, f"code of the login with {room!r}")
        alice.logout()


def privileges_of_a_token_play_no_part(case: Case) -> None:
    alice = case.engine()
    for privileges in ([(0, FAR_FUTURE), (1, 1), (4, 0)], [(4, 0), (0, 1)], [(99, 1)]):
        code = alice.login(token(alice.uid, privileges=privileges))
        check(code, 0, f"code of the login with {privileges}")
        alice.logout()


def update_after_a_refused_token_logs_in_again(case: Case) -> None:
    alice = case.engine()
    check(alice.login("001 no token"), -1000, "code of the login")
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    check(alice.login_result(), 0, "the result that follows by itself")
    alice.send(alice.uid, "hi")


def update_with_another_bad_token_is_refused_again(case: Case) -> None:
    alice = case.engine()
    check(alice.login("bad"), -1000, "code of the login")
    alice.expect(None, "updateLoginToken", token=token("somebody-else"))
    check(alice.login_result(), -1000, "the second result")
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    check(alice.login_result(), 0, "the third result")
    alice.quiet()


def login_after_a_refused_token_returns_0(case: Case) -> None:
    alice = case.engine()
    check(alice.login("bad"), -1000, "code of the login")
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    check(alice.login_result(), 0, "the second result")


def login_as_another_user_after_a_refused_token_works(case: Case) -> None:
    alice = case.engine()
    check(alice.login("bad"), -1000, "code of the login")
    alice.uid = case.uid("bob")
    check(alice.login(), 0, "code of the login as bob")


def update_without_a_login_does_nothing(case: Case) -> None:
    alice = case.engine()
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    alice.quiet()
    check(alice.end(), [], "callbacks up to the end")


def update_after_a_logout_does_nothing(case: Case) -> None:
    alice = case.user("alice")
    alice.logout()
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    alice.quiet()
    check(alice.login(), 0, "code of the next login")


def update_during_a_login_session_calls_nothing_back(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    alice.quiet()
    alice.send(alice.uid, "hi")


def update_with_a_bad_token_does_not_end_a_login(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(None, "updateLoginToken", token="bad")
    alice.quiet()
    alice.send(alice.uid, "hi")
    alice.on("onMessageReceived", message="hi")
    alice.quiet()


def logout_after_a_refused_token_does_nothing(case: Case) -> None:
    alice = case.engine()
    check(alice.login("bad"), -1000, "code of the login")
    alice.expect(None, "logout")
    alice.quiet()
    check(alice.end(), [], "callbacks up to the end")


def sends_after_a_refused_token_have_result_105(case: Case) -> None:
    alice = case.engine()
    check(alice.login("bad"), -1000, "code of the login")
    alice.send(case.uid("bob"), "x", code=105)
    alice.quiet()


def expiry_of_a_token_does_not_end_a_login(case: Case) -> None:
    alice = case.engine()
    expires_at = int(time.time()) + 1
    # It is valid in the whole second in which it expires.
    check(alice.login(token(alice.uid, expires_at=expires_at)), 0, "code of the login")
    wait_for_second_after(expires_at)
    alice.send(alice.uid, "hi")
    alice.on("onMessageReceived", message="hi")
    alice.quiet()
