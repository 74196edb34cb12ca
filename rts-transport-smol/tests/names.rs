//! An application can name all types that it needs through this crate alone.

use std::error::Error;

use rts_transport_smol::{
    CloseCode, Disconnect, Engine, LoginCode, MessageConfig, Payload, ProtocolError, Retry, Room,
    RoomKey, SendCode, Sent, Text,
};

/// Values that an application keeps and passes around.
struct Kept {
    room: Room,
    key: RoomKey,
    last_text: Text,
    ended: Option<Disconnect>,
}

impl Kept {
    fn new(engine: &Engine) -> Result<Self, Box<dyn Error>> {
        let room = engine.create_room("lobby")?;
        let key: RoomKey = room.key();
        Ok(Self { key, room, last_text: Text::from("hi"), ended: engine.last_disconnect() })
    }

    fn why(&self) -> String {
        match self.ended {
            None => "never linked".to_owned(),
            Some(Disconnect::ByPeer { code, .. }) => by_peer(code),
            Some(Disconnect::PeerMisbehaved(error)) => misbehaved(error),
            Some(ended) => ended.to_string(),
        }
    }
}

fn by_peer(code: CloseCode) -> String {
    match code.retry() {
        Retry::WithBackoff => format!("{code}; it comes back"),
        Retry::LoggedOut(reason) => format!("{code}: {reason}"),
        _ => code.to_string(),
    }
}

fn misbehaved(error: ProtocolError) -> String {
    error.to_string()
}

/// Results convert to errors, so that `?` works on them.
async fn sent(engine: &Engine, text: Text) -> Result<(), Box<dyn Error>> {
    let sending: Sent<SendCode> = engine.send_message("bob", text, MessageConfig::default())?;
    Ok(sending.await.ok()?)
}

#[test]
fn application_can_name_all_its_types() -> Result<(), Box<dyn Error>> {
    let engine = rts_transport_smol::connect("rts://127.0.0.1:1", "123456781234567812345678")?;
    let kept = Kept::new(&engine)?;
    assert_eq!((kept.room.key(), &*kept.why()), (kept.key, "never linked"));
    assert_eq!(
        by_peer(CloseCode::Displaced),
        "a later login of the same user: displaced by another login of the same user (1)"
    );
    assert_eq!(Payload::text(kept.last_text.clone()).as_text(), Some("hi"));
    let refused =
        smol::block_on(sent(&engine, kept.last_text)).expect_err("not logged in").to_string();
    assert_eq!(refused, SendCode::NotLoggedIn.to_string());
    assert_eq!(LoginCode::InvalidToken.ok().map_err(|code| code.code()), Err(-1000));
    Ok(())
}
