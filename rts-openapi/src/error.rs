//! Errors of requests.

/// Why a request failed: a code for programs, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct Error {
    /// The code.
    pub code: ErrorCode,
    /// What was wrong, where, and what would be right.
    pub message: String,
}

impl Error {
    /// Creates an error with this sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $number:literal;)+) => {
        /// The codes of errors. Names and numbers are those of the contract, where it has them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in the answer's `Code`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The answer's HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)+
                }
            }

            /// The number in the answer's `CodeN`. 0 for a code without a number.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $number,)+
                }
            }
        }
    };
}

error_codes! {
    /// `Action`, `Version` or a field of the body is missing.
    MissingParameter = "MissingParameter", 400, 100_002;
    /// The header `Authorization` is missing.
    MissingAuthenticationToken = "MissingAuthenticationToken", 401, 100_003;
    /// The time of the signature is malformed, or more than 15 minutes from the server's time.
    InvalidTimestamp = "InvalidTimestamp", 400, 100_006;
    /// The action does not exist, not in this version, or not with this method.
    InvalidActionOrVersion = "InvalidActionOrVersion", 404, 100_008;
    /// The access key or bearer key is unknown.
    InvalidAccessKey = "InvalidAccessKey", 401, 100_009;
    /// The signature does not match the request and the key.
    SignatureDoesNotMatch = "SignatureDoesNotMatch", 401, 100_010;
    /// The key is valid, but not for this app.
    AccessDenied = "AccessDenied", 403, 100_013;
    /// `Authorization` is neither a signature nor a bearer key.
    InvalidAuthorization = "InvalidAuthorization", 401, 100_024;
    /// The HTTP request is ambiguous: `Host` or `Authorization` twice, or no `Host`.
    MalformedRequest = "InvalidRequest", 400, 0;
    /// The body is compressed.
    ContentEncoding = "InvalidRequest.ContentEncoding", 415, 0;
    /// The transfer coding of the body is not `chunked`.
    TransferEncoding = "InvalidRequest.TransferEncoding", 501, 0;
    /// The server does not have this app.
    NotExistAppId = "InvalidParameter.NotExistAppId", 400, 0;
    /// The body is empty, and the action needs one.
    BodyIsEmpty = "InvalidParameter.BodyIsEmpty", 400, 0;
    /// The body is not JSON, or a field has the wrong type.
    Unmarshal = "InvalidParameter.Unmarshal", 400, 0;
    /// The room id is invalid.
    IllegalRoomId = "InvalidParameter.IllegalRoomID", 400, 0;
    /// The id of a receiver or user is invalid.
    IllegalTo = "InvalidParameter.IllegalTo", 400, 0;
    /// The name of the sender is not a valid user id.
    IllegalFrom = "InvalidParameter.IllegalFrom", 400, 0;
    /// A message or a body exceeds its limit.
    SizeOverLimit = "InvalidParameter.SizeOverLimit", 400, 0;
    /// The number of users or of bans exceeds its limit.
    UserCountOverLimit = "InvalidParameter.UserCountOverLimit", 400, 0;
    /// The rate of the app or of the room is exceeded, or the server does not keep up.
    QpsOverLimit = "FlowLimitExceeded.QPSOverLimit", 429, 0;
    /// The change is in force, but could not be saved. A restart would lose it.
    InternalError = "InternalError", 500, 0;
    /// The server is a node of a cluster, and may not act at the moment. It has done nothing.
    Unavailable = "ServiceUnavailable", 503, 0;
    /// Another node of the cluster has not answered. Nobody knows whether the command was carried
    /// out, or will be.
    ResultUnknown = "ResultUnknown", 504, 0;
}

impl From<rts_proto::server::CommandError> for Error {
    fn from(error: rts_proto::server::CommandError) -> Self {
        use rts_proto::server::CommandError;
        let code = match error {
            CommandError::OverAppRate { .. } | CommandError::OverRoomRate => {
                ErrorCode::QpsOverLimit
            }
            CommandError::TooLong { .. } => ErrorCode::SizeOverLimit,
            CommandError::TooManyReceivers { .. } | CommandError::TooManyBans { .. } => {
                ErrorCode::UserCountOverLimit
            }
            _ => ErrorCode::InternalError,
        };
        Self::new(code, error.to_string())
    }
}
