//! The one table from the directory's results to the client's answers.

use http::StatusCode;

use super::{Act, ProtectedBy};
use crate::directory::{DirectoryError, Dn, ResultCode};
use crate::mapping::ResourceMapping;
use crate::scim::{Kind, ScimError, ScimType};

/// Seconds after which a client may try again when the directory is away.
const AWAY: u32 = 5;
/// Seconds after which a client may try again when the directory is busy or others write the same entry.
const BUSY: u32 = 1;
/// Seconds after which a client may try again when somebody has to do something first.
const FULL: u32 = 300;

/// The directory cannot be reached.
pub(super) fn unreachable() -> ScimError {
    ScimError::unavailable(AWAY, "The directory cannot be reached now; nothing was changed. Try again shortly.")
}

/// Whether a write was done cannot be told.
pub(super) fn uncertain() -> ScimError {
    ScimError::unavailable(
        AWAY,
        "The connection to the directory was lost during this change, and it cannot be told yet whether it was made. Try again: a \
         repetition does no harm.",
    )
}

/// The operating system gives no random numbers.
pub(super) fn no_randomness() -> ScimError {
    internal("No password could be made up for the new account; nothing was changed. scimgate's log has the reason.")
}

/// The audit cannot be written, and nothing may happen without it.
pub(super) fn unaudited_before() -> ScimError {
    ScimError::unavailable(
        AWAY,
        "The audit cannot be written, so nothing was changed. scimgate's administrator finds the reason in its log, and can make room or \
         mend the destination; audit.on_failure = \"warn\" lets changes go on without it.",
    )
}

/// It was written until now.
pub(super) fn unaudited_after() -> ScimError {
    ScimError::unavailable(
        AWAY,
        "The change was made, but its line in the audit could not be written yet; scimgate writes it as soon as that works again. Until \
         then nothing more is changed. The log has the reason. Repeating the request later does no harm.",
    )
}

/// Shadow mode can keep no more.
pub(super) fn shadow_full(limit: usize) -> ScimError {
    ScimError::unavailable(
        FULL,
        format!(
            "scimgate runs in shadow mode, in which nothing is written, and what it may keep in memory, {limit} bytes, is used up; this \
             change was not taken. scimgate's administrator can raise provisioning.shadow_limit, begin anew by a restart, or end \
             shadow mode (provisioning.shadow = false)."
        ),
    )
}

/// Others kept changing the entry.
pub(super) fn contended() -> ScimError {
    ScimError::unavailable(BUSY, "Others are changing this resource at the same time; nothing was changed. Try again.")
}

/// There is no such resource.
pub(super) fn not_found(kind: Kind, id: &str) -> ScimError {
    ScimError::not_found(format!("There is no {} with the id {}; it may have been deleted.", kind.name(), shown(id)))
}

/// An id as it can be shown: it is the client's own text, so only where it cannot be anything but an id.
fn shown(id: &str) -> &str {
    if id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') { id } else { "(not an id)" }
}

/// References to nobody, from a client that is to be told.
pub(super) fn unknown_references(ids: &[&str]) -> ScimError {
    let named: Vec<&str> = ids.iter().take(20).map(|id| shown(id)).collect();
    let more = if ids.len() > named.len() { format!(" and {} more", ids.len() - named.len()) } else { String::new() };
    let detail = format!("No resource has the id {}{more}; nothing was changed. Provision it first.", named.join(", "));
    ScimError::bad_request(ScimType::InvalidValue, detail)
}

/// An entry cannot be made ours.
pub(super) fn mark_taken() -> ScimError {
    ScimError::new(
        StatusCode::CONFLICT,
        "The attribute that marks managed entries has another value in this one, so it cannot be taken over; nothing was changed. \
         The administrator can clear it, or set users.mark in scimgate's configuration to an attribute that nothing else uses.",
    )
}

/// A group as a member, where that is not wanted.
pub(super) fn nested_off() -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidValue,
        "A group cannot be a member of a group here; nothing was changed. Push its users, or have the administrator set \
         groups.nested = true in scimgate's configuration.",
    )
}

/// "Sync SCIM groups" is off.
pub(super) fn groups_off() -> ScimError {
    ScimError::new(
        StatusCode::FORBIDDEN,
        "Groups are not provisioned here: the administrator can set groups.sync = true in scimgate's configuration.",
    )
}

/// An entry that is never changed.
pub(super) fn protected(kind: Kind, by: &ProtectedBy) -> ScimError {
    ScimError::new(
        StatusCode::FORBIDDEN,
        format!(
            "This {} is protected and cannot be changed through SCIM: {by}. Nothing was changed. Take it out of the identity provider's \
             assignment and change it in the directory itself, or have the administrator take it out of [protected].",
            kind.name().to_ascii_lowercase()
        ),
    )
}

/// A client deleted or disabled as many as it may.
pub(super) fn rail_reached(act: Act, limit: usize) -> ScimError {
    let (what, keys) = act.words();
    ScimError::new(
        StatusCode::FORBIDDEN,
        format!(
            "This client has {what} as often as it may within an hour: {limit} ({keys}). Nothing was changed. See in the identity \
             provider whether so many are meant to go. If they are, the administrator of scimgate releases the limit (POST \
             /rails/release on the admin listener); it ends by itself an hour after the last one that was let through."
        ),
    )
}

/// The branch of deleted users has an entry of this name already.
pub(super) fn recycled_twice(side: &ResourceMapping) -> ScimError {
    let base = side.recycle_base().unwrap_or(&side.base);
    ScimError::new(
        StatusCode::CONFLICT,
        format!(
            "{base}, where deleted users go (users.recycle_base), has an entry of this name already; nothing was changed. The \
             directory's administrator can remove that entry or rename it."
        ),
    )
}

/// A deleted user keeps its name from another person.
pub(super) fn deleted_other() -> ScimError {
    ScimError::uniqueness(
        "A deleted user whose entry was kept (users.on_delete) has this userName and is not known to be the same person, for its \
         externalId is another one; nothing was changed. The directory's administrator can remove that entry or rename it, or take its \
         externalId away if it is the same person after all.",
    )
}

/// A refusal of the directory.
pub(super) fn refused(side: &ResourceMapping, error: DirectoryError) -> ScimError {
    let (code, diagnostic) = match error {
        DirectoryError::Refused { code, diagnostic } => (code, diagnostic),
        DirectoryError::NotSent(reason) => {
            tracing::warn!("the directory cannot be reached: {reason}");
            return unreachable();
        }
        DirectoryError::Unknown(reason) => {
            tracing::warn!("no answer from the directory: {reason}");
            return uncertain();
        }
        DirectoryError::Malformed(reason) => {
            tracing::error!("the directory's answer cannot be understood: {reason}");
            return internal("The directory's answer could not be understood; scimgate's log has the reason.");
        }
    };
    // The diagnostic may hold values of attributes, so it is told only to those who asked for debugging.
    tracing::debug!(%code, diagnostic, "the directory refused");
    let invalid = |detail: String| ScimError::bad_request(ScimType::InvalidValue, detail);
    match code {
        ResultCode::EntryAlreadyExists => taken(side),
        ResultCode::ConstraintViolation if says_taken(&diagnostic) => taken(side),
        // ERROR_PASSWORD_RESTRICTION ([MS-ERREF] section 2.2) at the head of Active Directory's diagnostic.
        ResultCode::ConstraintViolation | ResultCode::UnwillingToPerform if diagnostic.starts_with("0000052D") => {
            invalid("password: the directory's password policy does not allow this one.".to_owned())
        }
        ResultCode::ConstraintViolation => invalid("The directory's rules do not allow one of these values.".to_owned()),
        ResultCode::InvalidAttributeSyntax => {
            // "mail: value #0 invalid per syntax": the word before the colon is the attribute.
            let attribute = diagnostic.split(':').next().unwrap_or_default().trim();
            match side.path_of(attribute) {
                Some(path) => invalid(format!("{path}: the directory does not take this value (it is kept in {attribute}).")),
                None => invalid("The directory does not take one of these values.".to_owned()),
            }
        }
        ResultCode::InvalidDnSyntax | ResultCode::NamingViolation => {
            invalid("The directory cannot name an entry by this value.".to_owned())
        }
        ResultCode::ObjectClassViolation | ResultCode::UndefinedAttributeType | ResultCode::InappropriateMatching => invalid(
            "The directory's schema does not take these attributes together; scimgate check says which object classes are missing."
                .to_owned(),
        ),
        ResultCode::NoSuchAttribute | ResultCode::AttributeOrValueExists | ResultCode::AssertionFailed => contended(),
        ResultCode::NotAllowedOnNonLeaf => {
            ScimError::new(StatusCode::CONFLICT, "The entry has others below it in the directory, so it cannot be removed or renamed.")
        }
        ResultCode::SizeLimitExceeded => ScimError::bad_request(
            ScimType::TooMany,
            "The directory gives scimgate's account fewer entries than this list has. Narrow the filter, or have the directory's \
             administrator lift the size limit for that account (scimgate check tells how).",
        ),
        ResultCode::Busy | ResultCode::TimeLimitExceeded | ResultCode::AdminLimitExceeded => {
            ScimError::unavailable(BUSY, "The directory is too busy for this now. Try again.")
        }
        ResultCode::Unavailable | ResultCode::UnwillingToPerform | ResultCode::Referral | ResultCode::AffectsMultipleDsas => {
            tracing::warn!(%code, "the directory does not take the operation");
            ScimError::unavailable(AWAY, "The directory does not take this change now; it may be read-only. Try again later.")
        }
        ResultCode::InsufficientAccessRights
        | ResultCode::InvalidCredentials
        | ResultCode::InappropriateAuthentication
        | ResultCode::StrongerAuthRequired
        | ResultCode::ConfidentialityRequired => {
            tracing::error!(%code, "the directory refuses this to scimgate's account");
            internal("The directory refuses this to scimgate's account; its administrator can run scimgate check.")
        }
        ResultCode::NoSuchObject => {
            tracing::error!(base = %side.base, "the base does not exist in the directory");
            internal("The branch configured for these resources does not exist in the directory; run scimgate check.")
        }
        ResultCode::Success
        | ResultCode::OperationsError
        | ResultCode::ProtocolError
        | ResultCode::UnavailableCriticalExtension
        | ResultCode::NotAllowedOnRdn
        | ResultCode::Other(_) => {
            tracing::error!(%code, "the directory refused unexpectedly");
            internal("The directory refused this unexpectedly; scimgate's log has its code.")
        }
    }
}

fn internal(detail: &str) -> ScimError {
    ScimError::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
}

/// A group that every new user joins is not there, or not for us: some directories do not tell which.
pub(super) fn no_default_group(group: &Dn) -> ScimError {
    internal(&format!(
        "{group}, a group that every new user joins, does not exist in the directory or is not scimgate's to change: create it, or \
         take it out of provisioning.default_groups."
    ))
}

/// Whether a value that must be unique is refused because another entry has it.
pub(super) fn is_taken(error: &DirectoryError) -> bool {
    match error {
        DirectoryError::Refused { code: ResultCode::EntryAlreadyExists, .. } => true,
        DirectoryError::Refused { code: ResultCode::ConstraintViolation, diagnostic } => says_taken(diagnostic),
        DirectoryError::Refused { .. }
        | DirectoryError::NotSent(_)
        | DirectoryError::Unknown(_)
        | DirectoryError::Malformed(_) => false,
    }
}

/// How the directories say it: OpenLDAP's unique overlay, 389's plug-in, Samba, and Active Directory by the code
/// `ERROR_DS_UPN_VALUE_NOT_UNIQUE_IN_FOREST` ([MS-ERREF] section 2.2).
fn says_taken(diagnostic: &str) -> bool {
    let diagnostic = diagnostic.to_ascii_lowercase();
    ["unique", "already exists", "already in use", "000021c8"].iter().any(|words| diagnostic.contains(words))
}

/// Another entry has the name.
pub(super) fn taken(side: &ResourceMapping) -> ScimError {
    ScimError::uniqueness(match side.ty.kind {
        Kind::User => "Another user has this userName (or another value that must be unique, such as the email address).",
        Kind::Group => "Another group has this displayName.",
    })
}

/// An entry that is not managed through SCIM has the name.
pub(super) fn unmanaged(kind: Kind) -> ScimError {
    ScimError::uniqueness(format!(
        "The directory has this {} already, but it is not managed through SCIM. To take such entries over, set \
         provisioning.existing_users = true in scimgate's configuration (\"Provision existing users\"), or adopt them with \
         scimgate adopt.",
        kind.name().to_ascii_lowercase()
    ))
}
