//! The OpenAPI over real sockets: requests of back ends, and their effect on engines.

mod actions;
mod errors;
mod http;
mod operating;
mod paths;
mod support;
