//! The functions of `rts.h`. They have no logic: each converts its arguments and calls `rts-flat`.
//!
//! `unsafe` is needed where C passes pointers, and for the names of exported functions. A panic
//! does not leave a function: it returns what it returns for an engine that does not exist.

use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use rts_flat::{Arguments, CallError, Polled, Record};

/// The version of this interface. It changes if a program has to be compiled again.
pub const RTS_ABI_VERSION: u32 = 1;

/// What `rts_poll` returns: there was an event.
pub const RTS_EVENT: i32 = 1;
/// What `rts_poll` returns: no event came in the time.
pub const RTS_NOTHING: i32 = 0;
/// What `rts_poll` returns: the engine has ended, and so have its events.
pub const RTS_ENDED: i32 = -1;
/// What `rts_poll` returns: another thread polls this engine.
pub const RTS_BUSY: i32 = -2;

/// A text or bytes, which need no 0 at the end. The pointer may be NULL if the length is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RtsBytes {
    /// The first byte.
    pub data: *const u8,
    /// The number of bytes.
    pub length: usize,
}

/// An event. Its kind says which fields have a meaning: see `rts_table.h`.
#[repr(C)]
pub struct RtsEvent {
    /// The kind of the event, one of `RTS_ON_...` in `rts_table.h`.
    pub kind: u32,
    /// A state, result, reason or status.
    pub code: i32,
    /// The id of a message, or milliseconds.
    pub number: i64,
    /// The key of the room, or 0.
    pub room: u64,
    /// The id of the room.
    pub room_id: RtsBytes,
    /// The id of the user.
    pub uid: RtsBytes,
    /// The text or the bytes of the event.
    pub data: RtsBytes,
}

/// Gets an event. Its bytes live until it returns.
pub type RtsOnEvent = Option<unsafe extern "C" fn(user_data: *mut c_void, event: *const RtsEvent)>;
/// Gets the user data back: no event comes any more.
pub type RtsOnEnd = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

thread_local! {
    /// The bytes of the last event that this thread polled.
    static LAST: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// The version of the interface of this library: compare it with `RTS_ABI_VERSION`.
#[unsafe(no_mangle)]
pub extern "C" fn rts_abi_version() -> u32 {
    RTS_ABI_VERSION
}

/// The version of this software, with a 0 at its end.
#[unsafe(no_mangle)]
pub extern "C" fn rts_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Makes an engine for the server at this address, and returns its number. `parameters` is a JSON
/// object, or empty. Returns 0 if an argument is invalid: then `error` has the reason, cut to
/// `error_size` and with a 0 at its end. `error` may be NULL.
///
/// # Safety
///
/// The arguments must be valid for their lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rts_create(
    address: RtsBytes,
    app_id: RtsBytes,
    parameters: RtsBytes,
    error: *mut c_char,
    error_size: usize,
) -> u64 {
    let [address, app_id, parameters] = [address, app_id, parameters]
        .map(|text| String::from_utf8_lossy(unsafe { bytes(&text) }).into_owned());
    let created = guarded(Err("a panic".to_owned()), || {
        rts_flat::create(&address, &app_id, &parameters).map_err(|error| error.to_string())
    });
    let words = match created {
        Ok(engine) => return engine,
        Err(words) => words,
    };
    if !error.is_null() && error_size > 0 {
        let words = &words.as_bytes()[..words.len().min(error_size - 1)];
        unsafe {
            words.as_ptr().copy_to(error.cast(), words.len());
            error.add(words.len()).write(0);
        }
    }
    0
}

/// Makes a call, one of `RTS_CALL_...`, and returns the contract's number. It never waits for the
/// network. `first` and `second` are the texts of the call: see `rts_table.h`.
///
/// # Safety
///
/// The texts must be valid for their lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rts_call(
    engine: u64,
    call: u32,
    room: u64,
    number: i64,
    first: RtsBytes,
    second: RtsBytes,
) -> i64 {
    let (first, second) = unsafe { (bytes(&first), bytes(&second)) };
    guarded(CallError::UnknownCall.number(), || {
        rts_flat::call(engine, call, &Arguments { room, number, first, second })
    })
}

/// Waits for the next event of an engine, at most for this time, or without limit if it is
/// negative. The bytes of the event live until the next `rts_poll` on this thread.
///
/// # Safety
///
/// `event` must be valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rts_poll(engine: u64, milliseconds: i64, event: *mut RtsEvent) -> i32 {
    let limit = u64::try_from(milliseconds).ok().map(Duration::from_millis);
    let record = match guarded(Polled::Ended, || rts_flat::poll(engine, limit)) {
        Polled::Event(record) => record,
        Polled::Nothing => return RTS_NOTHING,
        Polled::Ended => return RTS_ENDED,
        Polled::Busy => return RTS_BUSY,
    };
    LAST.with_borrow_mut(|last| {
        let flat = flattened(last.insert(record));
        unsafe { event.write(flat) };
    });
    RTS_EVENT
}

/// Calls back for each event, on a thread of this engine, until it ends. Then `on_end` gets the
/// user data back, also if the engine is released. Any call is allowed in `on_event`. Do not poll
/// this engine. Returns 0, or -1 if the thread cannot be started.
///
/// # Safety
///
/// The functions must be callable on another thread with the user data, until `on_end` was called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rts_start(
    engine: u64,
    on_event: RtsOnEvent,
    on_end: RtsOnEnd,
    user_data: *mut c_void,
) -> i32 {
    let user_data = UserData(user_data);
    let started = thread::Builder::new().name("rts-callback".to_owned()).spawn(move || {
        let user_data = user_data;
        while let Polled::Event(record) = rts_flat::poll(engine, None) {
            if let Some(on_event) = on_event
                && rts_flat::is_current(engine, &record)
            {
                unsafe { on_event(user_data.0, &flattened(&record)) };
            }
        }
        if let Some(on_end) = on_end {
            unsafe { on_end(user_data.0) };
        }
    });
    if started.is_ok() { 0 } else { -1 }
}

/// Destroys an engine, and frees it. No event follows: a poll that waits ends at once.
#[unsafe(no_mangle)]
pub extern "C" fn rts_release(engine: u64) {
    guarded((), || rts_flat::release(engine));
}

/// The caller of `rts_start` says that another thread may have it.
struct UserData(*mut c_void);

unsafe impl Send for UserData {}

unsafe fn bytes(of: &RtsBytes) -> &[u8] {
    if of.length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(of.data, of.length) } }
}

fn flattened(record: &Record) -> RtsEvent {
    let bytes = |bytes: &[u8]| RtsBytes { data: bytes.as_ptr(), length: bytes.len() };
    RtsEvent {
        kind: record.kind as u32,
        code: record.code,
        number: record.number,
        room: record.room,
        room_id: bytes(record.room_id.as_bytes()),
        uid: bytes(record.uid.as_bytes()),
        data: bytes(&record.data),
    }
}

fn guarded<R>(or: R, call: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(or)
}
