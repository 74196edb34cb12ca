//! Several shards of a node, which tell one another entries.

mod equal;
mod joins;
mod late;
mod stories;
mod support;
mod world;
