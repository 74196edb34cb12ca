//! Behaviour specific to smol. The transport suite of the workspace covers the rest, on every
//! runtime.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use rts_trace::{Recorder, Secrets};
use rts_transport_smol::{
    AppId, ConnectOptions, Connector, EngineOptions, Event, connect, connect_with,
};

const APP_ID: &str = "123456781234567812345678";

#[test]
fn engine_needs_no_setup() {
    // No server listens there. The engine reports that it is connecting.
    let engine = connect("rts://127.0.0.1:1", APP_ID).expect("good arguments");
    let mut events = engine.events();
    engine.login("token", "alice").expect("not logged in");
    let event = smol::block_on(events.next());
    assert!(matches!(event, Some(Event::ConnectionStateChanged(_))), "{event:?}");
}

#[test]
fn argument_errors_name_valid_values() {
    let error = match connect("http://a:1", APP_ID) {
        Ok(_) => panic!("it is no address of ours"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("rts://127.0.0.1:7600"), "{error}");
}

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn engine_is_recorded_and_replayed() {
    let trace = Memory::default();
    let recorder = Recorder::new(trace.clone(), Secrets::Scrubbed, [42; 32]).expect("memory");
    let connector = Connector::new("rts://127.0.0.1:1", ConnectOptions::default());
    let connector = connector.expect("an address");
    let app_id = AppId::new(APP_ID).expect("an app id");
    let options = EngineOptions::default().with_observer(Box::new(recorder));
    let engine = connect_with(connector, app_id, options).expect("random numbers");
    let mut events = engine.events();
    engine.login("token", "alice").expect("not logged in");
    engine.destroy();
    smol::block_on(async {
        while events.next().await.is_some() {}
        engine.closed().await;
    });
    let trace = trace.0.lock().expect("not poisoned").clone();
    let replayed = rts_trace::replay(trace.as_slice(), &mut ()).expect("a whole trace");
    assert!(replayed.steps >= 2, "login and destroy: {replayed:?}");
    assert!(replayed.difference.is_none(), "{replayed:?}");
}
