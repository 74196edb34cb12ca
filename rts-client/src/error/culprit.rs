//! Who has to do something about an error.

/// Who has to do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Culprit {
    /// The application: the call cannot work as it was made, or not at this moment.
    Application,
    /// The user's token, or the user: another login, or a ban.
    User,
    /// The receiver of a message.
    Receiver,
    /// The way to the server.
    Network,
    /// The RTS server, or the limits that its operator set.
    Server,
    /// The app's own server.
    AppServer,
}
