//! The contract's own surface: each call with the number that it returns, each callback with its
//! exact fields, each code with its number.
//!
//! The rest of this crate stands on it, and so do the JSON port and other languages. Rust
//! applications need it only to speak with these numbers:
//! [`Engine::contract`](crate::Engine::contract) and [`Room::contract`](crate::Room::contract) lead
//! here.
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
