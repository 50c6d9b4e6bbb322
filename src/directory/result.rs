//! What a directory answers when it does not do as asked (RFC 4511 section 4.1.9 and appendix A).

use std::fmt;

macro_rules! result_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// A result code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ResultCode {
            $($(#[$doc])* $variant,)*
            /// A code that is not in the list above.
            Other(u32),
        }

        impl ResultCode {
            /// The number on the wire.
            pub fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => code,
                }
            }

            /// The name in the standards.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(_) => "other",
                }
            }
        }

        impl From<u32> for ResultCode {
            fn from(code: u32) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }
    };
}

result_codes! {
    /// It was done.
    Success = 0, "success";
    /// The server's own trouble.
    OperationsError = 1, "operationsError";
    /// The request was malformed.
    ProtocolError = 2, "protocolError";
    /// The search took too long.
    TimeLimitExceeded = 3, "timeLimitExceeded";
    /// More entries than this account may read.
    SizeLimitExceeded = 4, "sizeLimitExceeded";
    /// Signing in needs another method.
    StrongerAuthRequired = 8, "strongerAuthRequired";
    /// Another server has the entry.
    Referral = 10, "referral";
    /// A limit set by the administrator.
    AdminLimitExceeded = 11, "adminLimitExceeded";
    /// A critical control is not known there.
    UnavailableCriticalExtension = 12, "unavailableCriticalExtension";
    /// The connection must be encrypted first.
    ConfidentialityRequired = 13, "confidentialityRequired";
    /// The attribute or value to be removed is not there.
    NoSuchAttribute = 16, "noSuchAttribute";
    /// The directory's schema has no such attribute.
    UndefinedAttributeType = 17, "undefinedAttributeType";
    /// No such comparison for the attribute.
    InappropriateMatching = 18, "inappropriateMatching";
    /// A rule beyond the schema, such as uniqueness.
    ConstraintViolation = 19, "constraintViolation";
    /// The value to be added is there already.
    AttributeOrValueExists = 20, "attributeOrValueExists";
    /// A value does not fit the attribute.
    InvalidAttributeSyntax = 21, "invalidAttributeSyntax";
    /// There is no entry of that name.
    NoSuchObject = 32, "noSuchObject";
    /// The name is not a name.
    InvalidDnSyntax = 34, "invalidDNSyntax";
    /// Anonymous sign-in is refused.
    InappropriateAuthentication = 48, "inappropriateAuthentication";
    /// Wrong name or password.
    InvalidCredentials = 49, "invalidCredentials";
    /// The account may not do this.
    InsufficientAccessRights = 50, "insufficientAccessRights";
    /// Too much to do.
    Busy = 51, "busy";
    /// Shutting down, or a part is away.
    Unavailable = 52, "unavailable";
    /// A policy forbids it.
    UnwillingToPerform = 53, "unwillingToPerform";
    /// The name does not fit its place.
    NamingViolation = 64, "namingViolation";
    /// The entry would not fit its object classes.
    ObjectClassViolation = 65, "objectClassViolation";
    /// Only leaves can be removed or renamed.
    NotAllowedOnNonLeaf = 66, "notAllowedOnNonLeaf";
    /// The value is part of the entry's name.
    NotAllowedOnRdn = 67, "notAllowedOnRDN";
    /// The name is taken.
    EntryAlreadyExists = 68, "entryAlreadyExists";
    /// It crosses servers.
    AffectsMultipleDsas = 71, "affectsMultipleDSAs";
    /// The assertion control's filter did not hold (RFC 4528).
    AssertionFailed = 122, "assertionFailed";
}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.number())
    }
}

/// Why an operation brought no success, told apart by what is known of its effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The directory answered: it was not done.
    #[error("{code}: {diagnostic}")]
    Refused {
        /// Its code.
        code: ResultCode,
        /// Its own words, for the log: they may hold values.
        diagnostic: String,
    },
    /// It never left: no server could be reached. Not done.
    #[error("the directory cannot be reached: {0}")]
    NotSent(String),
    /// It left and no answer came. A write may have been done or not.
    #[error("no answer from the directory: {0}")]
    Unknown(String),
    /// An answer came that cannot be understood.
    #[error("the directory's answer cannot be understood: {0}")]
    Malformed(String),
}

impl DirectoryError {
    /// The result code, if the directory gave one.
    pub fn code(&self) -> Option<ResultCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::NotSent(_) | Self::Unknown(_) | Self::Malformed(_) => None,
        }
    }

    /// What came of it in a word, for metrics and the audit: the name of the code, or how it failed without one.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } => code.name(),
            Self::NotSent(_) => "notSent",
            Self::Unknown(_) => "unknown",
            Self::Malformed(_) => "malformed",
        }
    }

    /// Whether the directory refused with this code.
    pub fn is(&self, wanted: ResultCode) -> bool {
        self.code() == Some(wanted)
    }
}
