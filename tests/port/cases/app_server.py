"""setServerParams and messages to the app server."""

from __future__ import annotations

import json

from port import Failure, check
from servers import closed_port
from tokens import token
from world import Case, encoded

BAD_URLS = [
    "",
    "x",
    "/rts",
    "ftp://127.0.0.1/rts",
    "http://",
    "http://127.0.0.1:0/rts",
    "http://127.0.0.1:65536/rts",
    "http://user@127.0.0.1/rts",
    "http://127.0.0.1/rts#part",
]
REFUSED_URLS = [
    "http://10.0.0.1/rts",
    "http://192.168.0.1/rts",
    "http://169.254.169.254/rts",
    "http://app.example/rts",
    "http://127.1/rts",
    "http://2130706433/rts",
    "http://127.0.0.2/rts",
    "http://0.0.0.0/rts",
]
SIGNATURE_BYTES_MAX = 1_024
REPLY_BYTES_MAX = 65_536


def params_in_force_call_back_200(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    [ref] = alice.burst(("setServerParams", {"signature": "s", "url": app.url("/echo")}))
    check(alice.line(), {"ref": ref, "return": None}, "the first line")
    alice.next("onServerParamsSetResult", code=200)
    alice.quiet()


def params_without_a_login_call_back_105(case: Case) -> None:
    alice, app = case.engine(), case.app_server()
    alice.set_params(app.url("/echo"), code=105)
    alice.quiet()


def params_during_a_login_call_back_105(case: Case) -> None:
    alice, app = case.engine(port=case.silent_port()), case.app_server()
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.set_params(app.url("/echo"), code=105)


def empty_signature_calls_back_1000(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/echo"), signature="", code=1000)
    alice.quiet()


def signature_has_at_most_1024_bytes(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    for longest in ("s" * SIGNATURE_BYTES_MAX, "é" * (SIGNATURE_BYTES_MAX // 2)):
        alice.set_params(app.url("/echo"), signature=longest)
        alice.set_params(app.url("/echo"), signature=longest + "s", code=1000)


def signature_with_control_characters_calls_back_1000(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    for bad in ("a\nb", "a\0", "\x7f", "a\tb"):
        alice.set_params(app.url("/echo"), signature=bad, code=1000)


def url_that_cannot_be_posted_to_calls_back_1000(case: Case) -> None:
    alice = case.user("alice")
    for url in BAD_URLS:
        alice.set_params(url, code=1000)
    alice.quiet()


def url_that_is_not_allowed_calls_back_1000(case: Case) -> None:
    alice = case.user("alice")
    for url in REFUSED_URLS:
        alice.set_params(url, code=1000)


def loopback_has_three_spellings(case: Case) -> None:
    alice = case.user("alice")
    for host in ("127.0.0.1", "localhost", "[::1]"):
        alice.set_params(f"http://{host}:8080/rts")


def text_is_posted_with_its_signature(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/echo?a=1"), signature="session 42")
    alice.expect(1, "sendServerMessage", message="hello")
    path, headers, body = app.request()
    check(path, "/echo?a=1", "the path")
    check(headers["content-type"], "text/plain; charset=utf-8", "the content type")
    wanted = {"message": "hello", "binary": False, "signature": "session 42"}
    check(json.loads(body), wanted, "the body")
    alice.next("onServerMessageSendResult", msgid=1, code=0, base64=encoded(b"hello"))
    alice.quiet()


def bytes_are_posted_as_base64(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/bytes"))
    data = encoded(b"\x00\xff\xfb")
    alice.expect(1, "sendServerBinaryMessage", base64=data)
    check(app.body(), {"message": data, "binary": True, "signature": "signed"}, "the body")
    reply = encoded(bytes(range(256)))
    alice.next("onServerMessageSendResult", msgid=1, code=0, base64=reply)


def unicode_is_posted_unchanged(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/echo"), signature="sïgnature 😀")
    for text in ("😀", "a\0b", "e\u0301 \u00e9", "\u2028", '"\\'):
        alice.call("sendServerMessage", message=text)
        wanted = {"message": text, "binary": False, "signature": "sïgnature 😀"}
        check(app.body(), wanted, "the body")
        alice.next("onServerMessageSendResult", code=0, base64=encoded(text.encode()))


def empty_messages_are_posted(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/echo"))
    alice.expect(1, "sendServerMessage", message="")
    check(app.body()["message"], "", "the text")
    alice.next("onServerMessageSendResult", msgid=1, code=0, base64="")
    alice.expect(2, "sendServerBinaryMessage", base64="")
    check(app.body()["binary"], True, "binary")
    alice.next("onServerMessageSendResult", msgid=2, code=0, base64="")


def _result(case: Case, path: str, code: int) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url(path))
    alice.expect(1, "sendServerMessage", message="x")
    alice.next("onServerMessageSendResult", msgid=1, code=code, base64="")
    alice.quiet()


def other_status_than_200_has_result_18(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    for status in (201, 204, 400, 404, 500):
        alice.set_params(app.url(f"/status/{status}"))
        msgid = alice.call("sendServerMessage", message="x")
        alice.next("onServerMessageSendResult", msgid=msgid, code=18, base64="")


def redirect_has_result_18_and_is_not_followed(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    for status in (301, 302, 307):
        alice.set_params(app.url(f"/status/{status}"))
        msgid = alice.call("sendServerMessage", message="x")
        alice.next("onServerMessageSendResult", msgid=msgid, code=18, base64="")
        check(app.request()[0], f"/status/{status}", "the path")
    alice.set_params(app.url("/echo"))
    alice.call("sendServerMessage", message="marker")
    check(app.body()["message"], "marker", "the next post")


def reply_that_breaks_off_has_result_18(case: Case) -> None:
    _result(case, "/broken", 18)


def reply_has_at_most_65536_bytes(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url(f"/size/{REPLY_BYTES_MAX}"))
    alice.expect(1, "sendServerMessage", message="x")
    longest = encoded(b"x" * REPLY_BYTES_MAX)
    alice.next("onServerMessageSendResult", msgid=1, code=0, base64=longest)
    alice.set_params(app.url(f"/size/{REPLY_BYTES_MAX + 1}"))
    alice.expect(2, "sendServerMessage", message="x")
    alice.next("onServerMessageSendResult", msgid=2, code=18, base64="")


def app_server_that_does_not_listen_has_result_17(case: Case) -> None:
    alice = case.user("alice")
    alice.set_params(f"http://127.0.0.1:{closed_port()}/rts")
    alice.expect(1, "sendServerMessage", message="x")
    alice.next("onServerMessageSendResult", msgid=1, code=17, base64="")


def app_server_that_does_not_answer_has_result_17(case: Case) -> None:
    _result(case, "/hang", 17)


def message_without_params_has_result_106(case: Case) -> None:
    alice = case.user("alice")
    alice.expect(1, "sendServerMessage", message="x")
    alice.next("onServerMessageSendResult", msgid=1, code=106, base64="")
    alice.expect(2, "sendServerBinaryMessage", base64="AA==")
    alice.next("onServerMessageSendResult", msgid=2, code=106, base64="")


def message_without_a_login_has_result_105(case: Case) -> None:
    alice = case.engine()
    alice.expect(1, "sendServerMessage", message="x")
    alice.next("onServerMessageSendResult", msgid=1, code=105, base64="")
    alice.expect(2, "sendServerBinaryMessage", base64="AA==")
    alice.next("onServerMessageSendResult", msgid=2, code=105, base64="")


def message_during_a_login_has_result_101(case: Case) -> None:
    alice = case.engine(port=case.silent_port())
    alice.expect(0, "login", token=token(alice.uid), uid=alice.uid)
    alice.expect(1, "sendServerMessage", message="x")
    alice.on("onServerMessageSendResult", msgid=1, code=101, base64="")


def message_to_the_app_server_has_at_most_65536_bytes(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/empty"))
    longest = "x" * 65_536
    alice.expect(1, "sendServerMessage", message=longest + "x")
    alice.next("onServerMessageSendResult", msgid=1, code=103, base64="")
    alice.expect(2, "sendServerMessage", message=longest)
    alice.next("onServerMessageSendResult", msgid=2, code=0)
    check(app.body()["message"], longest, "the text")
    alice.expect(3, "sendServerBinaryMessage", base64=encoded(bytes(65_537)))
    alice.next("onServerMessageSendResult", msgid=3, code=103, base64="")
    alice.expect(4, "sendServerBinaryMessage", base64=encoded(bytes(65_536)))
    alice.next("onServerMessageSendResult", msgid=4, code=0)
    check(app.body()["message"], encoded(bytes(65_536)), "the bytes")


def params_end_with_the_login(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/echo"))
    alice.logout()
    alice.expect(1, "sendServerMessage", message="x")
    alice.next("onServerMessageSendResult", msgid=1, code=105)
    check(alice.login(), 0, "the second login")
    alice.expect(2, "sendServerMessage", message="x")
    alice.next("onServerMessageSendResult", msgid=2, code=106)
    check(app.requests.empty(), True, "the app server got nothing")


def params_end_with_a_displacement(case: Case) -> None:
    first, app = case.user("first", uid=case.uid("alice")), case.app_server()
    first.set_params(app.url("/echo"))
    second = case.user("second", uid=case.uid("alice"))
    first.next("onLogout", reason=1)
    second.expect(1, "sendServerMessage", message="x")
    second.next("onServerMessageSendResult", msgid=1, code=106)


def refused_params_leave_the_earlier_ones_in_force(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/echo"), signature="first")
    alice.set_params("http://10.0.0.1/", signature="second", code=1000)
    alice.set_params(app.url("/echo"), signature="", code=1000)
    alice.call("sendServerMessage", message="x")
    check(app.body()["signature"], "first", "the signature")
    alice.next("onServerMessageSendResult", code=0)


def later_params_replace_earlier_ones(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    for signature in ("first", "second"):
        alice.set_params(app.url(f"/echo/{signature}"), signature=signature)
        alice.call("sendServerMessage", message="x")
        path, _, body = app.request()
        check(path, f"/echo/{signature}", "the path")
        check(json.loads(body)["signature"], signature, "the signature")
        alice.next("onServerMessageSendResult", code=0)


def each_user_has_its_own_params(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    app = case.app_server()
    alice.set_params(app.url("/echo"), signature="of alice")
    bob.expect(1, "sendServerMessage", message="x")
    bob.next("onServerMessageSendResult", msgid=1, code=106)
    bob.set_params(app.url("/echo"), signature="of bob")
    alice.call("sendServerMessage", message="x")
    check(app.body()["signature"], "of alice", "the signature")


def logout_gives_open_posts_result_1(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    alice.set_params(app.url("/hang"))
    alice.expect(1, "sendServerMessage", message="x")
    app.request()
    alice.expect(None, "logout")
    alice.next("onServerMessageSendResult", msgid=1, code=1, base64="")
    alice.next("onLogout", reason=0)
    app.may_answer.set()
    alice.quiet()


def messages_over_the_rate_have_result_5(case: Case) -> None:
    alice, app = case.user("alice"), case.app_server()
    count = 80
    alice.set_params(app.url("/echo"))
    alice.burst(*[("sendServerMessage", {"message": "x"})] * count)
    results = [alice.on("onServerMessageSendResult") for _ in range(count)]
    ids = sorted(line["msgid"] for line in results)
    check(ids, list(range(1, count + 1)), "one result for each id")
    codes = [line["code"] for line in results]
    if set(codes) != {0, 5} or codes.count(0) < 20:
        raise Failure(f"expected 0 for 20 at least, and 5: {codes}")
    check(app.requests.qsize(), codes.count(0), "the number of posts")
