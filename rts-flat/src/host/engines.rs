//! The engines of this process, by their numbers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rts_transport_tokio::{Engine, Events};

use super::polling::Hosted;

/// The engines that were made and not released. A number is never used again, so one that is out of
/// date names no other engine.
#[derive(Default)]
pub(super) struct Engines {
    last: u64,
    all: HashMap<u64, Arc<Hosted>>,
}

/// The engines of this process.
pub(super) struct OfProcess(Mutex<Engines>);

impl Engines {
    pub(super) fn of_process() -> &'static OfProcess {
        static ENGINES: OnceLock<OfProcess> = OnceLock::new();
        ENGINES.get_or_init(|| OfProcess(Mutex::default()))
    }
}

impl OfProcess {
    /// Nothing that can panic or wait runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Engines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, engine: Engine, events: Events) -> u64 {
        let hosted = Arc::new(Hosted::new(engine, events));
        let mut engines = self.lock();
        engines.last += 1;
        let number = engines.last;
        engines.all.insert(number, hosted);
        number
    }

    pub(super) fn find(&self, number: u64) -> Option<Arc<Hosted>> {
        self.lock().all.get(&number).cloned()
    }

    pub(super) fn remove(&self, number: u64) -> Option<Arc<Hosted>> {
        self.lock().all.remove(&number)
    }
}
