//! The engines of a world: how they come into it, their calls, and their outputs.

#[cfg(feature = "tokio")]
use std::error::Error;

use rts_client::Engine;
#[cfg(feature = "tokio")]
use rts_client::TokenRequest;
use rts_proto::client::{self, Client, Parameters};
use rts_proto::{AppId, Instant};

use super::{APP_ID, EngineIndex, Happening, Party, World, link_of, move_deadline};
use crate::Side;
use crate::engine::{Core, SimulatedEngine};

impl World {
    /// Adds an engine that the test calls through [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// If the app id is invalid.
    pub fn add(&mut self, app_id: &str, parameters: Parameters) -> EngineIndex {
        let app_id = AppId::new(app_id).expect("an app id");
        let mut config = client::Config::new(app_id.clone());
        config.parameters = parameters;
        let core = Core::Called(Box::new(Client::new(config, self.seed_of_next())));
        self.enter(app_id, core)
    }

    /// Adds an engine as an application has it, over the simulated network and at the world's time.
    /// What is called on it takes effect when the world runs next.
    pub fn connect(&mut self) -> (EngineIndex, Engine) {
        self.connect_with(Parameters::default())
    }

    /// Like [`connect`](Self::connect), with other times of the engine.
    pub fn connect_with(&mut self, parameters: Parameters) -> (EngineIndex, Engine) {
        let (index, engine) = self.connect_handle(parameters);
        (index, engine.into())
    }

    /// Like [`connect_with`](Self::connect_with), with a token provider. It is asked by the world's
    /// clocks, in the runtime of [`spawn`](Self::spawn).
    #[cfg(feature = "tokio")]
    pub fn connect_with_provider<F, E>(
        &mut self,
        parameters: Parameters,
        provide: impl Fn(TokenRequest) -> F + Send + Sync + 'static,
    ) -> (EngineIndex, Engine)
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let (index, engine) = self.connect_handle(parameters);
        let (engine, keeper) = Engine::with_token_provider(engine, self.clock.wall(), provide);
        self.spawn(keeper);
        (index, engine)
    }

    fn connect_handle(&mut self, parameters: Parameters) -> (EngineIndex, rts_engine::Engine) {
        let clock = self.clock.for_engine();
        let app_id = AppId::new(APP_ID).expect("an app id");
        let mut config = client::Config::new(app_id.clone());
        config.parameters = parameters;
        let (engine, driver) = rts_engine::Engine::with_clock(config, self.seed_of_next(), clock);
        (self.enter(app_id, Core::Held(driver)), engine)
    }

    fn seed_of_next(&self) -> u64 {
        self.seed.wrapping_mul(31).wrapping_add(self.engines.len() as u64)
    }

    fn enter(&mut self, app_id: AppId, core: Core) -> EngineIndex {
        self.gate.add_app(&app_id);
        self.engines.push(SimulatedEngine::new(app_id, core));
        self.engines.len() - 1
    }

    /// Makes a call on an engine of [`add`](Self::add) or [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// If the engine is one of [`connect`](Self::connect): the test calls its handles.
    pub fn call<R>(&mut self, who: EngineIndex, call: impl FnOnce(&mut Client, Instant) -> R) -> R {
        let now = self.now();
        let Core::Called(client) = &mut self.engines[who].core else {
            panic!("this engine has handles: call those");
        };
        let returned = call(client, now);
        self.drain_engine(who);
        returned
    }

    pub(super) fn tick_engine(&mut self, who: EngineIndex) {
        if self.engines[who].is_frozen {
            return;
        }
        let now = self.now();
        self.engines[who].handle(now, client::Input::Tick);
        self.drain_engine(who);
        let engine = &self.engines[who];
        let reason = || engine.core.wake_reason();
        assert!(engine.deadline.is_none_or(|next| next > now), "{:?}", reason());
        engine.core.assert_bounded();
    }

    /// Executes the outputs of an engine.
    pub(crate) fn drain_engine(&mut self, who: EngineIndex) {
        if self.engines[who].is_frozen {
            return;
        }
        let now = self.now();
        let engine = &mut self.engines[who];
        let sessions_begun = engine.core.sessions_begun();
        if std::mem::replace(&mut engine.sessions_begun, sessions_begun) != sessions_begun {
            self.log.push((now, Happening::SessionBegan(who)));
        }
        let deadline = loop {
            match self.engines[who].core.next_output() {
                client::Output::Connect(own) => self.open_link(who, own),
                client::Output::Transmit(own, bytes) => {
                    self.transmit(link_of(who, own), Side::Server, bytes);
                }
                client::Output::Disconnect(own) => {
                    self.remember_stale_link(Side::Client, link_of(who, own));
                    self.net.close(now, link_of(who, own), Side::Client);
                }
                client::Output::Event(event) => {
                    self.log.push((now, Happening::Event(who, event)));
                }
                client::Output::Wait(deadline) => break deadline,
            }
        };
        let wants_read = self.engines[who].core.wants_read();
        if std::mem::replace(&mut self.engines[who].reads, wants_read) != wants_read {
            self.hold_up(who);
        }
        self.set_deadline(who, deadline);
    }

    fn set_deadline(&mut self, who: EngineIndex, deadline: Option<Instant>) {
        let before = std::mem::replace(&mut self.engines[who].deadline, deadline);
        move_deadline(&mut self.deadlines, Party::Engine(who), before, deadline);
    }

    /// Takes the deadline of a frozen engine away.
    pub(crate) fn freeze_deadline(&mut self, who: EngineIndex) {
        self.set_deadline(who, None);
    }
}
