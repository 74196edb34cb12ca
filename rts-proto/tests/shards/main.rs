//! Several shards of a node, which send one another entries.

mod equal;
mod full;
mod joins;
mod late;
mod stories;
mod support;
mod world;
