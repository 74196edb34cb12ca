//! WebSocket, byte for byte: accepted and refused bytes, with every cut.

mod support;

use rts_stream::{End, LayerError, Origins, WebSocketError};
use support::{ANSWER, Pair, REQUEST, Side, both, listener};

/// The bound of §12.7.
const MESSAGE_BYTES_MAX: u64 = 131_072;

fn open() -> Side {
    let mut server = listener(Origins::Any);
    server.read(REQUEST.as_bytes(), usize::MAX);
    assert_eq!(String::from_utf8(server.written()).expect("ASCII"), ANSWER);
    server
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

/// A frame of a client, with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head = match length {
        0..126 => vec![first, 0x80 | u8::try_from(length).expect("short")],
        126..65_536 => {
            [&[first, 0xFE], &u16::try_from(length).expect("short").to_be_bytes()[..]].concat()
        }
        _ => [&[first, 0xFF], &(length as u64).to_be_bytes()[..]].concat(),
    };
    [&head, &[0; 4][..], payload].concat()
}

/// Gives `wire` to an open WebSocket in every kind of cut. Returns the result, which must be the
/// same for all cuts.
fn after(wire: &[u8]) -> (Vec<u8>, Vec<u8>, Option<End>) {
    let mut results = [1, 2, 3, 7, usize::MAX].map(|size| {
        let mut server = open();
        server.read(wire, size);
        let answer = server.written();
        (server.received, answer, server.layers.end())
    });
    for result in &results {
        assert_eq!(*result, results[0]);
    }
    std::mem::take(&mut results[0])
}

fn assert_taken(wire: &[u8], plain: &[u8], answer: &[u8]) {
    assert_eq!(after(wire), (plain.to_vec(), answer.to_vec(), None));
}

fn assert_refused(wire: &[u8], error: WebSocketError, code: u16) {
    let close = [&[0x88, 2][..], &code.to_be_bytes()].concat();
    let end = Some(End::Failed(LayerError::WebSocket(error)));
    assert_eq!(after(wire), (Vec::new(), close, end), "{wire:02x?}");
}

#[test]
fn messages_are_chunks_of_one_stream() {
    assert_taken(&hex("82 85 37fa213d 7f9f4d5158"), b"Hello", b"");
    assert_taken(&hex("82 80 00000000"), b"", b"");
    assert_taken(&[frame(0x82, b"a"), frame(0x82, b""), frame(0x82, b"bc")].concat(), b"abc", b"");
    for length in [125, 126, 65_535, 65_536] {
        assert_taken(&frame(0x82, &vec![7; length]), &vec![7; length], b"");
    }
}

#[test]
fn fragments_may_have_control_frames_between_them() {
    let whole = [frame(0x02, b"Hel"), frame(0x00, b""), frame(0x80, b"lo")].concat();
    assert_taken(&whole, b"Hello", b"");
    let with_ping = [frame(0x02, b"Hel"), frame(0x89, b"?"), frame(0x80, b"lo")].concat();
    assert_taken(&with_ping, b"Hello", b"\x8a\x01?");
}

#[test]
fn answers_pings_and_ignores_pongs() {
    assert_taken(&frame(0x89, b""), b"", &hex("8a 00"));
    assert_taken(&frame(0x89, &[9; 125]), b"", &[&[0x8a, 125][..], &[9; 125]].concat());
    assert_taken(&frame(0x8A, b"unasked"), b"", b"");
    assert_taken(&hex("89 85 37fa213d 7f9f4d5158"), b"", b"\x8a\x05Hello");
}

#[test]
fn reserved_bits_and_kinds_are_refused() {
    for first in [0xC2, 0xA2, 0x92, 0xF2, 0xC9, 0xC8] {
        assert_refused(&frame(first, b""), WebSocketError::ReservedBit, 1002);
    }
    for kind in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        assert_refused(&frame(0x80 | kind, b""), WebSocketError::UnknownOpcode, 1002);
    }
}

#[test]
fn lengths_must_be_in_their_shortest_form() {
    for wire in [
        "82 fe 0000 00000000",
        "82 fe 007d 00000000",
        "82 ff 0000000000000001 00000000",
        "82 ff 000000000000ffff 00000000",
        "82 ff 8000000000000000 00000000",
        "82 ff ffffffffffffffff 00000000",
    ] {
        assert_refused(&hex(wire), WebSocketError::BadLength, 1002);
    }
}

#[test]
fn clients_mask_frames_and_servers_do_not() {
    assert_refused(&hex("82 01 61"), WebSocketError::BadMask, 1002);
    assert_refused(&hex("88 00"), WebSocketError::BadMask, 1002);

    let (connector, acceptor) = both("ws");
    let mut pair = Pair::new(&connector, &acceptor);
    pair.run();
    pair.client.read(&frame(0x82, b"masked"), 1);
    assert!(pair.client.failure().contains("mask"));
    // Close, masked, with code 1002 under the mask.
    let close = pair.client.written();
    assert_eq!(close[..2], [0x88, 0x82]);
    assert_eq!([close[2] ^ close[6], close[3] ^ close[7]], 1002_u16.to_be_bytes());
}

#[test]
fn each_client_frame_has_its_own_mask() {
    let (connector, acceptor) = both("ws");
    let mut pair = Pair::new(&connector, &acceptor);
    pair.run();
    let masks: std::collections::BTreeSet<_> = (0..16)
        .map(|_| {
            pair.client.send("same");
            let frame = pair.client.written();
            assert_eq!(frame[..2], [0x82, 0x84]);
            frame[2..6].to_vec()
        })
        .collect();
    assert!(masks.len() > 8, "16 masks, of which differ only {}", masks.len());
}

#[test]
fn control_frames_are_short_and_whole() {
    for kind in [0x88, 0x89, 0x8A] {
        assert_refused(&frame(kind, &[0; 126]), WebSocketError::BadControl, 1002);
        assert_refused(&frame(kind & 0x0F, b""), WebSocketError::BadControl, 1002);
    }
}

#[test]
fn refuses_fragments_out_of_order() {
    assert_refused(&frame(0x80, b""), WebSocketError::BadFragment, 1002);
    assert_refused(&frame(0x00, b""), WebSocketError::BadFragment, 1002);
    let twice = [frame(0x02, b""), frame(0x82, b"")].concat();
    assert_refused(&twice, WebSocketError::BadFragment, 1002);
    let after_the_end = [frame(0x02, b""), frame(0x80, b""), frame(0x80, b"")].concat();
    assert_refused(&after_the_end, WebSocketError::BadFragment, 1002);
}

#[test]
fn text_is_refused_whether_or_not_it_is_utf8() {
    assert_refused(&frame(0x81, b"hello"), WebSocketError::Text, 1003);
    assert_refused(&frame(0x81, b"\xff\xfe"), WebSocketError::Text, 1003);
    assert_refused(&frame(0x81, b"\xed\xa0\x80"), WebSocketError::Text, 1003);
    assert_refused(&frame(0x01, b""), WebSocketError::Text, 1003);
}

#[test]
fn messages_have_an_exact_bound() {
    let most = usize::try_from(MESSAGE_BYTES_MAX).expect("it fits");
    let mut server = open();
    server.read(&frame(0x82, &vec![1; most]), usize::MAX);
    assert_eq!((server.received.len(), server.layers.end()), (most, None));
    let head = [&hex("82 ff")[..], &(MESSAGE_BYTES_MAX + 1).to_be_bytes(), &[0; 4]].concat();
    assert_refused(&head, WebSocketError::TooLong, 1009);

    let mut server = open();
    server.read(&[frame(0x02, &vec![1; most - 1]), frame(0x00, b"1")].concat(), 4_096);
    assert_eq!(server.layers.end(), None, "a message at the bound, in fragments");
    server.read(&frame(0x80, b"1"), 4_096);
    assert_eq!(server.failure(), LayerError::from(WebSocketError::TooLong).to_string());
}

#[test]
fn answers_close_with_its_code_and_ignores_the_rest() {
    let said = |payload: &[u8]| after(&[frame(0x88, payload), frame(0x82, b"late")].concat());
    let answered =
        |code: u16| (Vec::new(), [&[0x88, 2][..], &code.to_be_bytes()].concat(), Some(End::Closed));
    assert_eq!(said(b""), answered(1000));
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        assert_eq!(said(&code.to_be_bytes()), answered(code));
        let with_reason = [&code.to_be_bytes()[..], "späť".as_bytes()].concat();
        assert_eq!(said(&with_reason), answered(code));
    }
}

#[test]
fn refuses_invalid_close_frames() {
    assert_refused(&frame(0x88, b"\x03"), WebSocketError::BadClose, 1002);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, u16::MAX] {
        assert_refused(&frame(0x88, &code.to_be_bytes()), WebSocketError::BadClose, 1002);
    }
    for reason in [&b"\xff"[..], b"\xed\xa0\x80", b"ok\xc3"] {
        let payload = [&1000_u16.to_be_bytes()[..], reason].concat();
        assert_refused(&frame(0x88, &payload), WebSocketError::BadCloseReason, 1007);
    }
}

#[test]
fn gives_up_peers_that_do_not_read_answers() {
    let mut server = open();
    let pings = frame(0x89, &[0; 125]).repeat(500);
    let answers = (0..).take_while(|_| {
        server.read(&pings, usize::MAX);
        server.layers.end().is_none()
    });
    assert_eq!(answers.count(), 2, "each has 500 pongs of 127 bytes");
    assert_eq!(server.failure(), LayerError::DoesNotRead.to_string());
}
