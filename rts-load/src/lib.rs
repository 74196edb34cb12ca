#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod client;
mod floor;
mod machine;
mod net;
mod promises;
mod report;
mod target;
mod work;

pub use floor::{FloorError, serve_floor};
pub use machine::{ServerProcess, pin_this_thread};
pub use promises::{
    Cluster, Fault, Law, Promises, PromisesError, Restart, Violation, check_cluster, check_promises,
};
pub use report::{Report, Spread, ThreadCpu};
pub use target::{Scheme, Target, TargetError};
pub use work::{Bot, Connect, Idle, Job, P2p, Pace, Room, RunError, Storm, run};
