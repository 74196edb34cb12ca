//! The OpenAPI's listener: HTTP in, commands of the server core out.

mod access_log;
mod answer;
mod keys;
mod listen;
mod page;
mod run;

pub(crate) use listen::Listener;

#[cfg(test)]
mod tests;
