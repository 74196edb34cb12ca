//! Several shards of a node, which tell one another entries.

mod equal;
mod late;
mod stories;
mod support;
mod world;
