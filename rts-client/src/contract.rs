//! The contract in Rust: each call with the number that it returns, each callback with its exact
//! fields, each code with its number.
//!
//! The rest of this crate uses this module, and so do the JSON port and other languages. A Rust
//! application needs it only for these numbers and callbacks.
//! [`Engine::contract`](crate::Engine::contract) and [`Room::contract`](crate::Room::contract)
//! return its types.
//!
//! ```no_run
//! # fn example(engine: &rts_client::Engine) {
//! use rts_client::contract::{EventHandler, LoginCode, SendCode};
//! use rts_client::{MessageId, UserId};
//!
//! struct Callbacks;
//!
//! impl EventHandler for Callbacks {
//!     fn on_login_result(&mut self, uid: &UserId, code: LoginCode, elapsed: std::time::Duration) {
//!         println!("onLoginResult({uid}, {}, {})", code.code(), elapsed.as_millis());
//!     }
//!
//!     fn on_message_send_result(&mut self, id: MessageId, code: SendCode) {
//!         println!("onMessageSendResult({id}, {})", code.code());
//!     }
//! }
//!
//! engine.contract().set_event_handler(Callbacks);
//! # }
//! ```

pub use rts_driver::client::*;
