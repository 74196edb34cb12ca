//! The observer of a server, which records its inputs and commands.

use std::fmt::Debug;

use rts_proto::Instant;
use rts_proto::server::{Command, Config, Input, Observe, Output};

use crate::record::{CoreConfig, Record, ServerCall, ServerInput};
use crate::recorder::Recorder;

impl Observe for Recorder {
    fn started(&mut self, config: &Config, seed: u64) {
        self.start(seed, CoreConfig::of_server(config));
    }

    fn input(&mut self, now: Instant, input: &Input) {
        let input = ServerInput::of(input, &mut self.scrubber);
        self.happened(now, |after_micros| Record::ServerInput { after_micros, input });
    }

    fn command(&mut self, now: Instant, command: &Command<'_>) {
        let call = ServerCall::of(command, &self.scrubber);
        self.happened(now, |after_micros| Record::ServerCall { after_micros, call });
    }

    fn returned(&mut self, returned: &dyn Debug) {
        self.digest.returned(&format!("{returned:?}"));
    }

    fn output(&mut self, output: &Output) {
        let waits = matches!(output, Output::Wait(_));
        // A driver may poll again and again while nothing happens.
        if !waits || self.is_fresh {
            self.digest.server_output(&mut self.scrubber, output);
        }
        if waits {
            self.drained();
        }
    }
}
