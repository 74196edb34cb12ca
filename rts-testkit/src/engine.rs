//! One engine, called by the test or through its handles.

use rts_engine::{Driver, LinkOutput};
use rts_proto::client::{Client, Input, Output, Timer};
use rts_proto::limits::ENGINE_BYTES_MAX;
use rts_proto::{AppId, Instant};

/// The engine's core, by its caller.
#[derive(Debug)]
pub(crate) enum Core {
    /// The test calls the core through the world.
    Called(Box<Client>),
    /// The application calls the core through its handles.
    Held(Driver),
}

#[derive(Debug)]
pub(crate) struct SimulatedEngine {
    pub(crate) app_id: AppId,
    pub(crate) core: Core,
    pub(crate) deadline: Option<Instant>,
    /// The engine's process stands still.
    pub(crate) is_frozen: bool,
    /// No bytes pass between the engine and the server.
    pub(crate) is_stalled: bool,
    /// The engine's attempts to connect fail.
    pub(crate) connects_blocked: bool,
    /// The engine reads its links.
    pub(crate) reads: bool,
    /// The number of sessions that the engine has had, as the log says.
    pub(crate) sessions_begun: u64,
}

impl SimulatedEngine {
    pub(crate) fn new(app_id: AppId, core: Core) -> Self {
        Self {
            app_id,
            core,
            deadline: None,
            is_frozen: false,
            is_stalled: false,
            connects_blocked: false,
            reads: true,
            sessions_begun: 0,
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input) {
        match &mut self.core {
            Core::Called(client) => client.handle_input(now, input),
            Core::Held(driver) => driver.handle_input(input),
        }
    }
}

impl Core {
    /// The next output. Events of an engine with handles go to the application and are left out.
    pub(crate) fn next_output(&mut self) -> Output {
        match self {
            Self::Called(client) => client.poll_output(),
            Self::Held(driver) => loop {
                match driver.poll_link_output() {
                    Some(LinkOutput::Connect(id)) => return Output::Connect(id),
                    Some(LinkOutput::Transmit(id, bytes)) => return Output::Transmit(id, bytes),
                    Some(LinkOutput::Disconnect(id)) => return Output::Disconnect(id),
                    None if driver.has_callbacks() => driver.deliver(),
                    None => return Output::Wait(driver.deadline_by_clock()),
                }
            },
        }
    }

    pub(crate) fn wants_read(&self) -> bool {
        match self {
            Self::Called(_) => true,
            Self::Held(driver) => driver.wants_read(),
        }
    }

    /// The number of its sessions; 0 for handles, whose tests do not ask.
    pub(crate) fn sessions_begun(&self) -> u64 {
        match self {
            Self::Called(client) => client.sessions_begun(),
            Self::Held(_) => 0,
        }
    }

    pub(crate) fn wake_reason(&self) -> Option<Timer> {
        match self {
            Self::Called(client) => client.wake_reason(),
            Self::Held(_) => None,
        }
    }

    /// Asserts the bound of what an engine stores.
    pub(crate) fn assert_bounded(&self) {
        if let Self::Called(client) = self {
            let stored = client.stored_bytes();
            assert!(stored <= ENGINE_BYTES_MAX, "{stored} bytes");
        }
    }
}
