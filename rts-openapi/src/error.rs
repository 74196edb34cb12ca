//! What can be wrong with a request.

/// Why a request was not carried out: a name for programs, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.name())]
pub struct Error {
    /// Which kind.
    pub code: ErrorCode,
    /// What was wrong, where, and what would be right.
    pub message: String,
}

impl Error {
    /// An error with this sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $number:literal;)+) => {
        /// The kinds of errors. Names, and numbers where they have one, are those of the original.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
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

            /// The number in the answer's `CodeN`; 0 for a code that has only a name.
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
    /// `Action`, `Version`, or a field of the body is not there.
    MissingParameter = "MissingParameter", 400, 100_002;
    /// No `Authorization`.
    MissingAuthenticationToken = "MissingAuthenticationToken", 401, 100_003;
    /// The signature's time is not within 15 minutes of the server's, or is malformed.
    InvalidTimestamp = "InvalidTimestamp", 400, 100_006;
    /// There is no such action, or not in this version, or not with this method.
    InvalidActionOrVersion = "InvalidActionOrVersion", 404, 100_008;
    /// The access key, or the bearer key, is not known.
    InvalidAccessKey = "InvalidAccessKey", 401, 100_009;
    /// The signature is not the one that this request has under this key.
    SignatureDoesNotMatch = "SignatureDoesNotMatch", 401, 100_010;
    /// The key is good, but not for this app.
    AccessDenied = "AccessDenied", 403, 100_013;
    /// `Authorization` is neither a signature nor a bearer key.
    InvalidAuthorization = "InvalidAuthorization", 401, 100_024;
    /// HTTP that could be read in two ways: `Host` or `Authorization` twice, or no `Host`.
    MalformedRequest = "InvalidRequest", 400, 0;
    /// A body that is compressed.
    ContentEncoding = "InvalidRequest.ContentEncoding", 415, 0;
    /// A body that is sent in another way than as it is, or chunked.
    TransferEncoding = "InvalidRequest.TransferEncoding", 501, 0;
    /// No such app here.
    NotExistAppId = "InvalidParameter.NotExistAppId", 400, 0;
    /// No body where one is needed.
    BodyIsEmpty = "InvalidParameter.BodyIsEmpty", 400, 0;
    /// A body that is not JSON, or a field of the wrong kind.
    Unmarshal = "InvalidParameter.Unmarshal", 400, 0;
    /// A room id that no room can have.
    IllegalRoomId = "InvalidParameter.IllegalRoomID", 400, 0;
    /// A receiver or user that no user can be.
    IllegalTo = "InvalidParameter.IllegalTo", 400, 0;
    /// A sender's name that is not of the form of a user id.
    IllegalFrom = "InvalidParameter.IllegalFrom", 400, 0;
    /// A message or a body over its limit.
    SizeOverLimit = "InvalidParameter.SizeOverLimit", 400, 0;
    /// More users, or more bans, than there may be.
    UserCountOverLimit = "InvalidParameter.UserCountOverLimit", 400, 0;
    /// Over the app's or the room's rate.
    QpsOverLimit = "FlowLimitExceeded.QPSOverLimit", 429, 0;
    /// It is in force, but could not be written down, and a restart forgets it.
    InternalError = "InternalError", 500, 0;
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
        };
        Self::new(code, error.to_string())
    }
}
