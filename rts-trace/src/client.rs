//! The observer of an engine, which records its inputs and calls.

use std::fmt::Debug;

use rts_proto::Instant;
use rts_proto::client::{Call, Config, Input, Observe, Output};

use crate::record::{ClientCall, ClientInput, CoreConfig, Record};
use crate::recorder::Recorder;

impl Observe for Recorder {
    fn started(&mut self, config: &Config, seed: u64) {
        self.start(seed, CoreConfig::of_client(config));
    }

    fn input(&mut self, now: Instant, input: &Input) {
        let input = ClientInput::of(input, &mut self.scrubber);
        self.happened(now, |after_micros| Record::ClientInput { after_micros, input });
    }

    fn call(&mut self, now: Instant, call: &Call<'_>) {
        let call = ClientCall::of(call, &self.scrubber);
        self.happened(now, |after_micros| Record::ClientCall { after_micros, call });
    }

    fn returned(&mut self, returned: &dyn Debug) {
        self.digest.returned(&format!("{returned:?}"));
    }

    fn output(&mut self, output: &Output) {
        let waits = matches!(output, Output::Wait(_));
        // A driver may poll again and again while nothing happens.
        if !waits || self.is_fresh {
            self.digest.client_output(&mut self.scrubber, output);
        }
        if waits {
            self.drained();
        }
    }
}
