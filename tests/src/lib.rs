//! Tests of RTS as a whole, over `rts-testkit`'s world: what users live through is in `tests/stories`, laws
//! that hold for every sequence of calls and accidents are in `tests/laws.rs`.
#![forbid(unsafe_code)]
