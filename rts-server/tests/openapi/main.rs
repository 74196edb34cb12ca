//! The OpenAPI over real sockets: requests as back ends send them, and engines that see what comes
//! of them.

mod actions;
mod errors;
mod http;
mod operating;
mod paths;
mod support;
