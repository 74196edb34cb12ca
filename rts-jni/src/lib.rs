//! The natives of `io.rts.client.Native`. They have no logic: each converts its arguments and calls
//! `rts-flat`. Texts cross the border as UTF-8 in `byte[]`, because JNI's strings have another
//! encoding. A panic becomes a `RuntimeException`.
//!
//! `unsafe` stands at the names of exported functions only: the system finds them by their names.

use std::time::Duration;

use jni::errors::{Result, ThrowRuntimeExAndDefault};
use jni::objects::{JByteArray, JClass, JLongArray, JObjectArray};
use jni::strings::JNIString;
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned, jni_str};
use rts_flat::{Arguments, Polled};

/// What `poll` returns in place of the kind of an event.
const NOTHING: jint = 0;
const ENDED: jint = -1;
const BUSY: jint = -2;

type Texts<'local> = JObjectArray<'local, JByteArray<'local>>;

/// `long create(byte[] address, byte[] appId, byte[] parameters)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_rts_client_Native_create<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    address: JByteArray<'local>,
    app_id: JByteArray<'local>,
    parameters: JByteArray<'local>,
) -> jlong {
    let made = env.with_env(|env| -> Result<jlong> {
        let (address, app_id) = (text(env, &address)?, text(env, &app_id)?);
        let parameters = text(env, &parameters)?;
        match rts_flat::create(&address, &app_id, &parameters) {
            Ok(engine) => Ok(engine.cast_signed()),
            Err(error) => {
                let words = JNIString::from(error.to_string());
                env.throw_new(jni_str!("java/lang/IllegalArgumentException"), words)?;
                Ok(0)
            }
        }
    });
    made.resolve::<ThrowRuntimeExAndDefault>()
}

/// `long call(long engine, int kind, long room, long number, byte[] first, byte[] second)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_rts_client_Native_call<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    engine: jlong,
    kind: jint,
    room: jlong,
    number: jlong,
    first: JByteArray<'local>,
    second: JByteArray<'local>,
) -> jlong {
    let called = env.with_env(|env| -> Result<jlong> {
        let (first, second) = (&bytes(env, &first)?, &bytes(env, &second)?);
        let arguments = Arguments { room: room.cast_unsigned(), number, first, second };
        Ok(rts_flat::call(engine.cast_unsigned(), kind.cast_unsigned(), &arguments))
    });
    called.resolve::<ThrowRuntimeExAndDefault>()
}

/// `int poll(long engine, long millis, long[] numbers, byte[][] texts)`: the kind of the event.
/// `numbers` gets code, number and room, and `texts` gets user, room id and data.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_rts_client_Native_poll<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    engine: jlong,
    millis: jlong,
    numbers: JLongArray<'local>,
    texts: Texts<'local>,
) -> jint {
    let polled = env.with_env(|env| -> Result<jint> {
        let limit = u64::try_from(millis).ok().map(Duration::from_millis);
        let record = match rts_flat::poll(engine.cast_unsigned(), limit) {
            Polled::Event(record) => record,
            Polled::Nothing => return Ok(NOTHING),
            Polled::Busy => return Ok(BUSY),
            Polled::Ended => return Ok(ENDED),
        };
        let room = record.room.cast_signed();
        numbers.set_region(env, 0, &[record.code.into(), record.number, room])?;
        let all = [record.uid.as_bytes(), record.room_id.as_bytes(), &record.data];
        for (index, bytes) in all.into_iter().enumerate() {
            let bytes = env.byte_array_from_slice(bytes)?;
            texts.set_element(env, index, &bytes)?;
            env.delete_local_ref(bytes);
        }
        Ok((record.kind as u32).cast_signed())
    });
    polled.resolve::<ThrowRuntimeExAndDefault>()
}

/// `void release(long engine)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_rts_client_Native_release<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    engine: jlong,
) {
    let released = env.with_env(|_| -> Result<()> {
        rts_flat::release(engine.cast_unsigned());
        Ok(())
    });
    released.resolve::<ThrowRuntimeExAndDefault>();
}

/// A copy. `null` is empty.
fn bytes(env: &mut Env<'_>, array: &JByteArray<'_>) -> Result<Vec<u8>> {
    if array.is_null() { Ok(Vec::new()) } else { env.convert_byte_array(array) }
}

/// A text. Java makes valid UTF-8 of every string.
fn text(env: &mut Env<'_>, array: &JByteArray<'_>) -> Result<String> {
    Ok(String::from_utf8_lossy(&bytes(env, array)?).into_owned())
}
