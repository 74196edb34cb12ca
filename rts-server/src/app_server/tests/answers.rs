//! Valid answers of app servers, and all kinds of invalid ones.

use rts_proto::Reply;
use rts_proto::limits::REPLY_BYTES_MAX;
use rts_proto::server::PostProgress::{Answered, AnsweredBadly, NotReached};

use super::super::answer_stream::HEADS_BYTES_MAX;
use super::peer::{Peer, Saw, Script};
use super::{Outcome, Poster, ended};
use rts_proto::Payload;

async fn outcome_of(answer: impl Into<Vec<u8>>) -> Outcome {
    let peer = Peer::says(answer).await;
    Poster::listing(peer.address.port()).outcome(&peer.url()).await
}

fn reply(bytes: impl Into<bytes::Bytes>) -> rts_proto::server::PostProgress {
    Answered(Reply::new(bytes))
}

#[tokio::test]
async fn complete_200_is_a_reply() {
    for (answer, body) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello", "he"),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.0 200 OK\r\n\r\nold", "old"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            "abc",
        ),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", "x"),
        ("HTTP/1.1 200 OK\r\nx-folded: a\r\n b\r\ncontent-length: 1\r\n\r\nx", "x"),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nraw", "raw"),
    ] {
        assert_eq!(outcome_of(answer).await, ended(reply(body), true), "{answer:?}");
    }
}

#[tokio::test]
async fn reply_is_plain_or_chunked_only() {
    let chunks = "2\r\nhi\r\n0\r\n\r\n";
    for (codings, wanted) in [
        ("Transfer-Encoding: Chunked\r\n", reply("hi")),
        ("Transfer-Encoding: \tchunked \r\n", reply("hi")),
        ("Transfer-Encoding: gzip, chunked\r\n", AnsweredBadly),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", AnsweredBadly),
        ("Transfer-Encoding: chunked, chunked\r\n", AnsweredBadly),
        ("Transfer-Encoding: chunked,\r\n", AnsweredBadly),
        ("Transfer-Encoding: identity\r\n", AnsweredBadly),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{codings}\r\n{chunks}");
        assert_eq!(outcome_of(answer).await.progress, wanted, "{codings:?}");
    }
}

#[tokio::test]
async fn interim_answers_are_bounded() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    let most = (HEADS_BYTES_MAX - last.len()) / interim.len();
    let answer = |interims| interim.repeat(interims) + last;
    assert_eq!(outcome_of(answer(most)).await, ended(reply("x"), true));
    let over = 2 * HEADS_BYTES_MAX / interim.len();
    assert_eq!(outcome_of(answer(over)).await, ended(AnsweredBadly, true));
}

#[tokio::test]
async fn reply_length_is_bounded() {
    let body = "x".repeat(REPLY_BYTES_MAX);
    for extra in ["", "y"] {
        let length = body.len() + extra.len();
        let wanted = if extra.is_empty() { reply(body.clone()) } else { AnsweredBadly };
        for answer in [
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}{extra}"),
            format!("HTTP/1.1 200 OK\r\n\r\n{body}{extra}"),
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}{extra}\r\n0\r\n\r\n"
            ),
        ] {
            assert_eq!(outcome_of(answer).await.progress, wanted, "{length}");
        }
    }
}

#[tokio::test]
async fn other_status_is_bad_answer() {
    for status in [
        "101 Switching Protocols",
        "201 Created",
        "202 Accepted",
        "204 No Content",
        "206 Partial Content",
        "304 Not Modified",
        "400 Bad Request",
        "401 Unauthorized",
        "404 Not Found",
        "407 Proxy Authentication Required",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "503 Service Unavailable",
        "599 What",
    ] {
        let answer = format!("HTTP/1.1 {status}\r\nupgrade: x\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(outcome_of(answer).await, ended(AnsweredBadly, true), "{status}");
    }
}

#[tokio::test]
async fn redirect_is_not_followed() {
    let mut elsewhere = Peer::says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://app.test:{}/rts", elsewhere.address.port());
        let answer =
            format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let peer = Peer::says(answer).await;
        let poster = Poster::listing(peer.address.port());
        assert_eq!(poster.outcome(&peer.url()).await, ended(AnsweredBadly, true));
        assert_eq!(poster.dialled(), [peer.address]);
    }
    assert!(elsewhere.saw_nothing());
}

#[tokio::test]
async fn silence_is_not_reached_and_garbage_is_bad_answer() {
    for (answer, wanted) in [
        ("", ended(NotReached, false)),
        ("HTTP/1.", ended(AnsweredBadly, false)),
        ("HTTP/1.1 200 OK\r\n", ended(AnsweredBadly, true)),
        ("HTTP/1.1 200 OK\r\ncontent-le", ended(AnsweredBadly, true)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell", ended(AnsweredBadly, true)),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
            ended(AnsweredBadly, true),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
            ended(AnsweredBadly, true),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\nhello\r\n",
            ended(AnsweredBadly, true),
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            ended(AnsweredBadly, true),
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", ended(AnsweredBadly, true)),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
            ended(AnsweredBadly, true),
        ),
        ("HTTP/1.1 20 OK\r\n\r\n", ended(AnsweredBadly, true)),
        ("HTTP/9.9 200 OK\r\n\r\n", ended(AnsweredBadly, true)),
        ("220 mail.test ESMTP\r\n", ended(AnsweredBadly, true)),
        ("\x16\x03\x01", ended(AnsweredBadly, false)),
    ] {
        assert_eq!(outcome_of(answer).await, wanted, "{answer:?}");
    }
}

#[tokio::test]
async fn too_large_head_is_bad_answer() {
    let many: String = (0..65).map(|number| format!("x-{number}: y\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(16 * 1_024));
    for headers in [many, long] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n");
        assert_eq!(outcome_of(answer).await, ended(AnsweredBadly, true));
    }
}

#[tokio::test]
async fn endless_body_is_cut_at_the_limit() {
    for head in
        ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n"]
    {
        let script = Script::Repeats(head.into(), vec![b'x'; 4_096]);
        let mut peer = Peer::start(script).await;
        let poster = Poster::listing(peer.address.port());
        assert_eq!(poster.outcome(&peer.url()).await, ended(AnsweredBadly, true), "{head:?}");
        peer.until(Saw::End).await;
    }
}

/// Stories over a virtual clock test the core's timeout of 5 seconds. This test shows that the post
/// continues, that the status line is reported in time, and that dropping the post closes the
/// connection.
#[tokio::test]
async fn hanging_server_ends_with_dropped_post() {
    for (said, is_begun) in [
        ("", false),
        ("HTTP/1.1 200", false),
        ("HTTP/1.1 200 OK\r\n", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", true),
    ] {
        let mut peer = Peer::start(Script::Hangs(said.into())).await;
        let poster = Poster::listing(peer.address.port());
        let posted = poster.post(&peer.url(), Payload::text("x"));
        let mut posted = posted.until(peer.until(Saw::Said)).await;
        if is_begun {
            posted.until_begun().await;
        } else {
            assert!(posted.begun.try_recv().is_err(), "{said:?}");
            drop(posted);
        }
        peer.until(Saw::End).await;
    }
}

#[tokio::test]
async fn flood_of_interim_answers_is_bad_answer() {
    for again in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"] {
        let mut peer = Peer::start(Script::Repeats(Vec::new(), again.into())).await;
        let poster = Poster::listing(peer.address.port());
        assert_eq!(poster.outcome(&peer.url()).await, ended(AnsweredBadly, true));
        peer.until(Saw::End).await;
    }
}

#[tokio::test]
async fn dripping_body_ends_with_the_post() {
    for (first, again) in [
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "0000"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;", "a=b;"),
    ] {
        let script = Script::Repeats(first.into(), again.into());
        let mut peer = Peer::start(script).await;
        let poster = Poster::listing(peer.address.port());
        poster.post(&peer.url(), Payload::text("x")).until_begun().await;
        peer.until(Saw::End).await;
    }
}
