//! All engines lose the server at one moment.

use std::time::Duration;

use super::Step;
use super::draw::Draw;

impl Draw<'_> {
    pub(super) fn storms(&mut self) {
        for _ in 0..self.swarm.faults {
            self.storm();
        }
    }

    fn storm(&mut self) {
        let at = self.moment();
        let until = at + Duration::from_millis(self.rng.u64(1_000..60_000));
        let steps = match self.rng.u32(0..6) {
            0 => vec![(at, Step::CutAll)],
            1 => vec![(at, Step::Crash)],
            2 => {
                let retry_after_ms = self.rng.u64(0..24_000);
                vec![(at, Step::Drain { retry_after_ms }), (until, Step::Crash)]
            }
            // The server goes away, and returns with or without its state.
            kind => vec![
                (at, Step::RefuseAll { on: true }),
                (at, if kind == 3 { Step::Crash } else { Step::CutAll }),
                (until, Step::RefuseAll { on: false }),
            ],
        };
        self.steps.extend(steps);
    }
}
