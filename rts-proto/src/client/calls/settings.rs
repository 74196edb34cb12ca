//! Settings, which can be changed at any time.

use alloc::format;
use core::time::Duration;

use crate::client::call::Call;
use crate::client::engine::Client;
use crate::client::error::BusinessIdError;
use crate::client::event::Event;
use crate::client::parameters::{ParametersError, Timing, TimingError};
use crate::{BusinessId, Instant};

impl Client {
    /// `setBusinessId`: sets a tag that joins carry. An empty tag clears it.
    pub fn set_business_id(&mut self, now: Instant, id: &str) -> Result<(), BusinessIdError> {
        self.begin(now, &Call::SetBusinessId { id }).act(|client| client.take_business_id(id))
    }

    fn take_business_id(&mut self, id: &str) -> Result<(), BusinessIdError> {
        let business_id = match id {
            "" => None,
            _ => Some(BusinessId::new(id).map_err(|_| BusinessIdError::BadCharacters)?),
        };
        if self.is_destroyed {
            return Ok(());
        }
        self.rooms.set_business_id(business_id)
    }

    /// `setRuntimeParameters`: a JSON object with times in milliseconds by their
    /// [keys](crate::client::Timing::key), and the level
    /// [`logLevel`](crate::client::Parameters::LOG_LEVEL_KEY). An unknown key or an invalid value
    /// is ignored, with an [`Event::Warning`].
    pub fn set_runtime_parameters(
        &mut self,
        now: Instant,
        json: &str,
    ) -> Result<(), ParametersError> {
        self.begin(now, &Call::SetRuntimeParameters { json })
            .act(|client| client.take_parameters(json))
    }

    /// Sets one time. To observers this is the call of `setRuntimeParameters` with that time.
    ///
    /// # Errors
    ///
    /// The time is out of its [bounds](crate::client::Parameters::MIN). Then nothing changes.
    pub fn set_timing(
        &mut self,
        now: Instant,
        timing: Timing,
        time: Duration,
    ) -> Result<(), TimingError> {
        let mut parameters = self.shared.parameters().clone();
        parameters.set(timing, time)?;
        let json = format!("{{\"{}\":{}}}", timing.key(), parameters.get(timing).as_millis());
        let call = Call::SetRuntimeParameters { json: &json };
        // Like that call, which returns the result of reading its text.
        let _: Result<(), ParametersError> = self.begin(now, &call).act(|client| {
            if !client.is_destroyed {
                client.shared.set_parameters(parameters);
            }
            Ok(())
        });
        Ok(())
    }

    fn take_parameters(&mut self, json: &str) -> Result<(), ParametersError> {
        let mut parameters = self.shared.parameters().clone();
        let ignored = parameters.update(json)?;
        if self.is_destroyed {
            return Ok(());
        }
        self.shared.set_parameters(parameters);
        for (code, message) in ignored {
            self.shared.emit(Event::Warning { code, message });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::boxed::Box;
    use alloc::string::String;
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use core::fmt::Debug;
    use std::sync::Mutex;

    use super::*;
    use crate::AppId;
    use crate::client::io::Config;
    use crate::client::observe::Observe;
    use crate::client::parameters::LogLevel;

    #[test]
    fn settings_of_a_destroyed_engine_do_not_change() {
        let app_id = AppId::new("123456781234567812345678").expect("a valid id");
        let mut client = Client::new(Config::new(app_id), 1);
        let now = Instant::ORIGIN;
        client.set_business_id(now, "before").expect("outside all rooms");
        client.set_runtime_parameters(now, r#"{"logLevel":"info"}"#).expect("an object");
        client.destroy(now);
        assert_eq!(client.set_business_id(now, "after"), Ok(()));
        assert_eq!(client.set_business_id(now, "a b"), Err(BusinessIdError::BadCharacters));
        assert_eq!(client.set_runtime_parameters(now, r#"{"logLevel":"debug"}"#), Ok(()));
        assert_eq!(client.set_timing(now, Timing::Send, Duration::from_secs(1)), Ok(()));
        assert!(client.set_runtime_parameters(now, "[]").is_err());
        assert_eq!(client.rooms.business_id().map(BusinessId::as_str), Some("before"));
        assert_eq!(client.log_level(), LogLevel::Info);
        assert_eq!(client.shared.parameters().get(Timing::Send), Duration::from_secs(10));
    }

    /// The calls that an observer sees, and what they return.
    #[derive(Clone, Default)]
    struct Calls(Arc<Mutex<Vec<String>>>);

    impl Observe for Calls {
        fn call(&mut self, _: Instant, call: &Call<'_>) {
            self.0.lock().expect("no panic").push(format!("{call:?}"));
        }

        fn returned(&mut self, returned: &dyn Debug) {
            self.0.lock().expect("no panic").push(format!("{returned:?}"));
        }
    }

    #[test]
    fn time_is_set_like_a_runtime_parameter() {
        let app_id = AppId::new("123456781234567812345678").expect("a valid id");
        let (typed, json) = (Calls::default(), Calls::default());
        let observed = |calls: &Calls| {
            Client::observed(Config::new(app_id.clone()), 1, Box::new(calls.clone()))
        };
        let (mut by_type, mut by_json) = (observed(&typed), observed(&json));
        let now = Instant::ORIGIN;
        by_type.set_timing(now, Timing::Send, Duration::from_micros(20_500)).expect("in range");
        by_json.set_runtime_parameters(now, r#"{"sendTimeoutMs":20}"#).expect("an object");
        assert_eq!(by_type.shared.parameters(), by_json.shared.parameters());
        assert!(by_type.set_timing(now, Timing::Send, Duration::ZERO).is_err());
        assert_eq!(*typed.0.lock().expect("no panic"), *json.0.lock().expect("no panic"));
    }
}
