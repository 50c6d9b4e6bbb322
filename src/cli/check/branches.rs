//! The branches of users and groups: whether they are there and can be read whole.

use std::time::Instant;

use super::findings::Findings;
use super::{Patient, section};
use crate::directory::{Directory as _, DirectoryError, ResultCode, SearchRequest, Vendor};
use crate::mapping::ResourceMapping;

/// Whether there is something to look at.
pub(super) async fn check(patient: &Patient<'_>, side: &ResourceMapping, findings: &mut Findings) -> bool {
    let (section, base) = (section(side), &side.base);
    match patient.directory.search(&SearchRequest::entry(base, vec!["1.1".to_owned()])).await {
        Ok(found) if found.entries.is_empty() => {
            findings.mend(
                format!("{section}.base: {base} is not there, or {} may not see it", patient.account()),
                "create it, name another, or grant read access",
            );
            return false;
        }
        Ok(_) => {}
        Err(error) => {
            findings.wrong(format!("{section}.base: {base}: {error}"));
            return false;
        }
    }
    let started = Instant::now();
    match patient.directory.search(&SearchRequest::below(base, side.class(), vec!["1.1".to_owned()])).await {
        Ok(found) => {
            let (number, took) = (found.entries.len(), started.elapsed().as_millis());
            findings.good(format!("{section} in {base}: {number}, all read in {took} ms"));
        }
        Err(error) => findings.mend(
            format!("{section}.base: {base} cannot be read whole ({error}): lists of {section} fail"),
            limit(patient, &error),
        ),
    }
    true
}

/// What lifts the limit that was met.
fn limit(patient: &Patient<'_>, error: &DirectoryError) -> String {
    let account = patient.account();
    match (error.code(), patient.capabilities.vendor) {
        (Some(ResultCode::SizeLimitExceeded | ResultCode::TimeLimitExceeded | ResultCode::AdminLimitExceeded), vendor) => {
            match vendor {
                Vendor::OpenLdap => {
                    format!("in slapd: limits dn.exact=\"{account}\" size=unlimited time=unlimited (olcLimits of the database)")
                }
                Vendor::Ds389 => {
                    format!("set nsSizeLimit, nsLookThroughLimit and nsTimeLimit to -1 in the entry {account}")
                }
                Vendor::ActiveDirectory => "raise MaxResultSetSize and MaxQueryDuration of the LDAP policy (ntdsutil)".to_owned(),
                Vendor::Unknown => format!("lift the size and time limits for {account}"),
            }
        }
        (Some(ResultCode::InsufficientAccessRights), _) => format!("grant {account} read access"),
        (Some(_) | None, _) => "see the directory's log".to_owned(),
    }
}
