//! Engines as numbers, against a server of this process: what a host in another language sees.

mod life;
mod messages;
mod support;
