//! Settings, which can be changed at any time.

use crate::client::call::Call;
use crate::client::engine::Client;
use crate::client::error::BusinessIdError;
use crate::client::event::Event;
use crate::client::parameters::ParametersError;
use crate::{BusinessId, Instant};

impl Client {
    /// `setBusinessId`: sets a tag that joins carry. An empty tag clears it.
    pub fn set_business_id(&mut self, id: &str) -> Result<(), BusinessIdError> {
        let now = self.shared.now();
        self.observe(now, Call::SetBusinessId { id }, |client| client.take_business_id(id))
    }

    fn take_business_id(&mut self, id: &str) -> Result<(), BusinessIdError> {
        let business_id = match id {
            "" => None,
            _ => Some(BusinessId::new(id).map_err(|_| BusinessIdError::BadCharacters)?),
        };
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
        self.observe(now, Call::SetRuntimeParameters { json }, |client| {
            client.take_parameters(json)
        })
    }

    fn take_parameters(&mut self, json: &str) -> Result<(), ParametersError> {
        let ignored = self.shared.parameters_mut().update(json)?;
        if !self.is_destroyed {
            for (code, message) in ignored {
                self.shared.emit(Event::Warning { code, message });
            }
        }
        Ok(())
    }
}
