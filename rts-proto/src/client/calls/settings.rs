//! Settings, which can be changed at any time.

use crate::client::call::Call;
use crate::client::engine::Client;
use crate::client::error::BusinessIdError;
use crate::client::event::Event;
use crate::client::parameters::ParametersError;
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
    use super::*;
    use crate::AppId;
    use crate::client::io::Config;
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
        assert!(client.set_runtime_parameters(now, "[]").is_err());
        assert_eq!(client.rooms.business_id().map(BusinessId::as_str), Some("before"));
        assert_eq!(client.log_level(), LogLevel::Info);
    }
}
