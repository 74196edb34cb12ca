//! The server core.
