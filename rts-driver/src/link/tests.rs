use super::*;
use crate::testing::{Pipe, Still, pipe};
use futures_lite::future::{block_on, zip};
use rts_stream::Acceptor;

/// The bounds, written out: a megabyte for frames outside of windows, a megabyte for a window
/// (I38), and the marks of §2.9.
const UNSENT_BYTES_MAX: usize = 2 * 1_048_576;
const CONGESTED_BYTES: usize = 786_432;
const RELIEVED_BYTES: usize = 393_216;

fn link(stream: Pipe) -> Link<Pipe> {
    Link::new(stream, Acceptor::plain().layers())
}

fn step(link: &mut Link<Pipe>) -> Poll<Step> {
    link.poll_step(&mut Context::from_waker(std::task::Waker::noop()), true)
}

async fn read_to_end(mut stream: Pipe) -> Vec<u8> {
    let (mut arrived, mut buffer) = (Vec::new(), [0; 64]);
    loop {
        let read = poll_fn(|context| stream.poll_read(context, &mut buffer)).await;
        match read.expect("a pipe in memory") {
            0 => return arrived,
            length => arrived.extend_from_slice(&buffer[..length]),
        }
    }
}

#[test]
fn narrow_pipe_keeps_the_order_of_bytes() {
    let (near, far) = pipe(7);
    let mut link = link(near);
    let expected: Vec<u8> = (0..1_000_u32).flat_map(u32::to_le_bytes).collect();
    for number in 0..1_000_u32 {
        link.push(Bytes::copy_from_slice(&number.to_le_bytes())).expect("it has room");
    }
    let ((), arrived) = block_on(zip(link.finish::<Still>(), read_to_end(far)));
    assert_eq!(arrived, expected);
}

#[test]
fn copying_pieces_together_keeps_the_bytes() {
    for length in [GATHERED_BYTES_MAX / 2, GATHERED_BYTES_MAX / 2 + 1] {
        let (near, far) = pipe(1_048_576);
        let mut link = link(near);
        let chunks = [vec![1; length], vec![2; length], vec![3; 1]];
        for chunk in &chunks {
            link.push(chunk.clone().into()).expect("it has room");
        }
        assert!(step(&mut link).is_pending());
        drop(link);
        assert_eq!(block_on(read_to_end(far)), chunks.concat());
    }
}

#[test]
fn unsent_bytes_have_an_exact_bound() {
    let (near, mut far) = pipe(1);
    let mut link = link(near);
    let half = Bytes::from(vec![0; UNSENT_BYTES_MAX / 2]);
    for _ in 0..2 {
        link.push(half.clone()).expect("it has room");
    }
    link.push(Bytes::from_static(b"1")).expect_err("it is full");
    assert!(step(&mut link).is_pending());
    assert_eq!(block_on(poll_fn(|context| far.poll_read(context, &mut [0]))).ok(), Some(1));
    link.push(Bytes::from_static(b"1")).expect("one byte is written");
}

/// For example pongs to a flood of pings. Kept one by one, each would cost many times its bytes.
#[test]
fn small_unread_pieces_are_merged() {
    let (near, _far) = pipe(1);
    let mut link = link(near);
    for number in 0..UNSENT_BYTES_MAX / 3 {
        link.push(Bytes::copy_from_slice(b"abc")).expect("it has room");
        if number % 1_000 == 0 {
            assert!(step(&mut link).is_pending());
        }
    }
    let pieces = link.unwritten.front().len();
    assert!(pieces < 1_000, "{pieces} pieces, each of which costs a hundred bytes");
    link.push(Bytes::copy_from_slice(b"abcd")).expect_err("it is full");
}

#[test]
fn link_is_congested_between_its_marks() {
    let (near, mut far) = pipe(1);
    let mut link = link(near);
    link.push(Bytes::from(vec![0; CONGESTED_BYTES - 1])).expect("it has room");
    assert_eq!(link.congestion_changed(), None);
    link.push(Bytes::from_static(b"1")).expect("it has room");
    assert_eq!((link.congestion_changed(), link.congestion_changed()), (Some(true), None));
    let mut write_one = || {
        assert!(step(&mut link).is_pending());
        let read = block_on(poll_fn(|context| far.poll_read(context, &mut [0])));
        assert_eq!(read.ok(), Some(1));
        link.congestion_changed()
    };
    let written = (1..).find(|_| write_one().is_some());
    assert_eq!(written, Some(CONGESTED_BYTES - RELIEVED_BYTES));
    assert!(!link.is_congested);
}

#[test]
fn full_pipe_does_not_stop_reading() {
    let (near, mut far) = pipe(16);
    let mut link = link(near);
    link.push(Bytes::from(vec![1; 1_000])).expect("it has room");
    far.write(b"hello");
    let Poll::Ready(Step::Received(bytes)) = step(&mut link) else { panic!("bytes arrived") };
    assert_eq!(bytes, "hello");
}

#[test]
fn reads_last_bytes_of_peer_after_write_error() {
    let (near, mut far) = pipe(16);
    far.write(b"goodbye");
    drop(far);
    let mut link = link(near);
    link.push(Bytes::from_static(b"for nobody")).expect("it has room");
    let Poll::Ready(Step::Received(bytes)) = step(&mut link) else {
        panic!("it was written before")
    };
    assert_eq!(bytes, "goodbye");
    assert!(matches!(step(&mut link), Poll::Ready(Step::Gone(_))));
}

#[test]
fn flood_on_one_link_yields_to_others() {
    let (near, mut far) = pipe(1_048_576);
    far.write(&vec![0; 1_048_576]);
    let mut link = link(near);
    let reads = (0..).take_while(|_| step(&mut link).is_ready()).count();
    assert_eq!(reads, 4);
}
