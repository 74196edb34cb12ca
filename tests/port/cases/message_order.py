"""Messages from user to user: what is in them, and their order."""

from __future__ import annotations

from port import check
from world import Case, encoded, sends

# Fewer than a client may send at once.
MANY = 60
TEXTS = {
    "emoji": "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "nul": "a\0b\0",
    "only_nul": "\0",
    "combining": "e\u0301 \u00e9 \u1112\u1161\u11ab \ud55c",
    "line_ends": "a\nb\r\nc\rd\u0085e\u2028f\u2029g\vh\f",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "quotes": '"\'\\/ \\n \\u0041 {"ref":1}',
    "right_to_left": "שלום \u202eabc\u202c مرحبا",
    "last_characters": "\uffff\ufffe\U0010ffff\ufeff",
    "byte_order_mark": "\ufeffx",
    "blanks": " \t x \u00a0\u3000",
    "html": "<b>&amp;</b> %20 %s {}",
}


def _arrives(case: Case, message: str) -> None:
    alice, bob = case.users("alice", "bob")
    alice.send(bob.uid, message)
    bob.next("onMessageReceived", uid=alice.uid, message=message)
    bob.quiet()


def emoji_arrive_unchanged(case: Case) -> None:
    _arrives(case, TEXTS["emoji"])


def character_0_arrives(case: Case) -> None:
    _arrives(case, TEXTS["nul"])


def combining_characters_are_not_normalised(case: Case) -> None:
    _arrives(case, TEXTS["combining"])


def line_ends_of_all_kinds_arrive(case: Case) -> None:
    _arrives(case, TEXTS["line_ends"])


def control_characters_arrive(case: Case) -> None:
    _arrives(case, TEXTS["controls"])


def all_other_texts_arrive_unchanged_and_in_order(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.burst(*(("sendMessage", {"uid": bob.uid, "message": text}) for text in TEXTS.values()))
    for text in TEXTS.values():
        bob.next("onMessageReceived", uid=alice.uid, message=text)


def text_in_plain_utf_8_and_in_escapes_is_the_same(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    for number, text in enumerate(('"é 😀"', r'"\u00e9 \ud83d\ude00"'), 1):
        head = f'"ref":{number},"call":"sendMessage","uid":"{bob.uid}"'
        alice.write(f'{{{head},"message":{text}}}')
        check(alice.returned(number), number, "the return")
        bob.next("onMessageReceived", message="é 😀")


def empty_text_arrives(case: Case) -> None:
    _arrives(case, "")


def empty_binary_message_arrives(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.send_bytes(bob.uid, b"")
    bob.next("onBinaryMessageReceived", uid=alice.uid, base64="")


def base64_has_its_padding(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    for data in (b"\xfb\xff", b"\xfb\xff\xfe", b"\xff", bytes(57), b"?" * 100):
        alice.send_bytes(bob.uid, data)
        bob.next("onBinaryMessageReceived", base64=encoded(data))


def text_as_bytes_arrives_as_bytes(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.send_bytes(bob.uid, b"hello")
    bob.next("onBinaryMessageReceived", uid=alice.uid, base64="aGVsbG8=")


def texts_arrive_in_the_order_of_their_ids(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    refs = alice.burst(*sends(bob.uid, MANY))
    check([alice.returned(ref) for ref in refs], list(range(1, MANY + 1)), "the ids")
    for number in range(MANY):
        bob.next("onMessageReceived", uid=alice.uid, message=str(number))
    bob.quiet()


def text_and_bytes_arrive_in_one_order(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.burst(
        *(
            ("sendMessage", {"uid": bob.uid, "message": str(number)})
            if number % 2
            else ("sendBinaryMessage", {"uid": bob.uid, "base64": encoded(bytes([number]))})
            for number in range(MANY)
        )
    )
    for number in range(MANY):
        if number % 2:
            bob.next("onMessageReceived", uid=alice.uid, message=str(number))
        else:
            bob.next("onBinaryMessageReceived", uid=alice.uid, base64=encoded(bytes([number])))


def large_and_small_messages_arrive_in_one_order(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    texts = [("y" if n % 2 else "x" * 65_000) + str(n) for n in range(20)]
    alice.burst(*(("sendMessage", {"uid": bob.uid, "message": text}) for text in texts))
    for text in texts:
        bob.next("onMessageReceived", message=text)


def each_send_has_exactly_one_result(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.burst(*sends(bob.uid, MANY // 2), *sends(case.uid("nobody"), MANY // 2))
    results = [alice.on("onMessageSendResult") for _ in range(MANY)]
    codes = {line["msgid"]: line["code"] for line in results}
    half = MANY // 2
    wanted = {number: 0 if number <= half else 4 for number in range(1, MANY + 1)}
    check(codes, wanted, "the code of each id")
    alice.quiet()


def two_senders_arrive_each_in_its_order(case: Case) -> None:
    alice, bob, carol = case.users("alice", "bob", "carol")
    alice.burst(*sends(carol.uid, MANY))
    bob.burst(*sends(carol.uid, MANY))
    received: dict[str, list[str]] = {alice.uid: [], bob.uid: []}
    for _ in range(2 * MANY):
        line = carol.next("onMessageReceived")
        received[line["uid"]].append(line["message"])
    numbers = [str(number) for number in range(MANY)]
    check(received, {alice.uid: numbers, bob.uid: numbers}, "the texts of each sender")


def one_sender_to_two_receivers_arrives_in_order_at_each(case: Case) -> None:
    alice, bob, carol = case.users("alice", "bob", "carol")
    half = MANY // 2
    pairs = zip(sends(bob.uid, half), sends(carol.uid, half))
    alice.burst(*(call for pair in pairs for call in pair))
    for receiver in (bob, carol):
        for number in range(half):
            receiver.next("onMessageReceived", uid=alice.uid, message=str(number))


def unreliable_ordered_messages_arrive_in_order(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.burst(*sends(bob.uid, MANY, config=1))
    for number in range(MANY):
        bob.next("onMessageReceived", uid=alice.uid, message=str(number))


def result_0_means_that_the_receiver_has_the_message(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    for number in range(10):
        alice.send(bob.uid, str(number))
    # The answer to the question comes behind the messages.
    texts = [line["message"] for line in bob.seen()]
    check(texts, [str(number) for number in range(10)], "the texts that bob has")


def users_talk_both_ways_at_once(case: Case) -> None:
    alice, bob = case.users("alice", "bob")
    alice.burst(*sends(bob.uid, MANY))
    bob.burst(*sends(alice.uid, MANY))
    for receiver, sender in ((alice, bob), (bob, alice)):
        for number in range(MANY):
            receiver.on("onMessageReceived", uid=sender.uid, message=str(number))
        for _ in range(MANY):
            receiver.on("onMessageSendResult", code=0)
        receiver.quiet()
