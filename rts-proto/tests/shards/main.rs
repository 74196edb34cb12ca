//! Several shards of a node, which send one another entries.

mod cluster;
mod equal;
mod events;
mod exhaustive;
mod fences;
mod fixture;
mod full;
mod joins;
mod late;
mod leaves;
mod moves;
mod removed;
mod requests;
mod results;
mod resumes;
mod seers;
mod stories;
mod support;
mod world;
