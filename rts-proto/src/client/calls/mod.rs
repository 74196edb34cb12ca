//! The calls of the contract. Each can be made at any time and in any order.

mod dispatch;
mod login;
mod messages;
mod rooms;
mod settings;
