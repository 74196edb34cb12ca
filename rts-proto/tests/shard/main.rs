//! The server core, frame by frame, for clients that keep the rules and clients that break them.

mod acks;
mod bounds;
mod breaches;
mod bundles;
mod claims;
mod details;
mod draining;
mod fan_out;
mod links;
mod login_pace;
mod notices;
mod observing;
mod operating;
mod overrun;
mod pings;
mod rates;
mod resume;
mod rooms;
mod rules;
mod sequenced;
mod settling;
mod support;
mod welcomes;
