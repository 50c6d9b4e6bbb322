//! Active Directory numbers its changes. Once a second its highest number is looked at, and where it rose, what has changed since is
//! asked for ([MS-ADTS] section 3.1.1.1.9).

use std::convert::Infallible;
use std::time::Duration;

use ldap3::controls::RawControl;
use ldap3::{Ldap, Scope, SearchOptions};
use tokio::time::sleep;
use uuid::Uuid;

use super::super::convert;
use super::Feed;
use crate::directory::{DirectoryError, Dn, Entry, FeedEvent, Filter, Rdn, ResultCode};

/// How often the number is looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// LDAP_SERVER_SHOW_DELETED_OID ([MS-ADTS] section 3.1.1.3.4.1.14).
const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
const HIGHEST: &str = "highestCommittedUSN";

/// Follows; returns why it ended.
pub(super) async fn follow(ldap: &Ldap, feed: &Feed<'_>) -> DirectoryError {
    match changes(ldap.clone(), feed).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn changes(mut ldap: Ldap, feed: &Feed<'_>) -> Result<Infallible, DirectoryError> {
    let mut seen = highest(&mut ldap).await?;
    let domain = domain(feed)?;
    let graves = graves(&mut ldap, &domain).await?;
    (feed.tell)(FeedEvent::Following { seamless: false });
    loop {
        sleep(PAUSE).await;
        // Read before the changes are: one that is made in between is found twice, never not at all.
        let now = highest(&mut ldap).await?;
        if now == seen {
            continue;
        }
        tell(&mut ldap, feed, (&domain, graves.as_ref()), seen.saturating_add(1)).await?;
        seen = now;
    }
}

async fn highest(ldap: &mut Ldap) -> Result<u64, DirectoryError> {
    let found = search(ldap, &Dn::root(), Scope::Base, &Filter::everything(), &[HIGHEST], None).await?;
    let number = found.first().and_then(|root| root.text(HIGHEST)).and_then(|text| text.parse().ok());
    number.ok_or_else(|| DirectoryError::Malformed(format!("the server does not tell its {HIGHEST}")))
}

/// The naming context that all branches are in.
fn domain(feed: &Feed<'_>) -> Result<Dn, DirectoryError> {
    let contexts = feed.capabilities.naming_contexts.iter().filter_map(|name| name.parse::<Dn>().ok());
    let mut around = contexts.filter(|context| feed.branches.iter().all(|branch| branch.base.is_under(context)));
    around.next().ok_or_else(|| DirectoryError::Malformed("users.base and groups.base are not in one domain".to_owned()))
}

/// Where removed entries go, if our account sees what is there: by default administrators alone do, and others are not told so. That
/// there is something to see is the only proof.
async fn graves(ldap: &mut Ldap, domain: &Dn) -> Result<Option<Dn>, DirectoryError> {
    let Ok(attribute) = "CN".parse() else { return Ok(None) };
    let graves = domain.child(Rdn::new(attribute, "Deleted Objects"));
    let removed = Filter::equal("isDeleted", "TRUE");
    ldap.with_search_options(SearchOptions::new().sizelimit(1));
    match search(ldap, &graves, Scope::OneLevel, &removed, &["1.1"], Some(SHOW_DELETED)).await {
        Ok(found) => Ok((!found.is_empty()).then_some(graves)),
        Err(error) if error.is(ResultCode::SizeLimitExceeded) => Ok(Some(graves)),
        Err(error) if error.is(ResultCode::InsufficientAccessRights) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn tell(ldap: &mut Ldap, feed: &Feed<'_>, (domain, graves): (&Dn, Option<&Dn>), from: u64) -> Result<(), DirectoryError> {
    let profile = feed.profile;
    let newer = Filter::GreaterOrEqual(profile.change_mark.to_owned(), from.to_string().into_bytes());
    let attributes = [profile.id, profile.change_mark];
    let id = |entry: &Entry| entry.values(profile.id).first().and_then(|value| profile.id_form.read(value));
    let gone = |id: Uuid| (0..feed.branches.len()).for_each(|branch| (feed.tell)(FeedEvent::Gone { branch, id }));
    // In the whole domain, for an entry may have been moved out of the branches.
    let any = Filter::Or(feed.branches.iter().map(|branch| branch.filter.clone()).collect());
    match search(ldap, domain, Scope::Subtree, &Filter::all([newer.clone(), any]), &attributes, None).await {
        Ok(found) => {
            for entry in found {
                let Some(id) = id(&entry) else {
                    (feed.tell)(FeedEvent::Untold);
                    continue;
                };
                let mark = entry.text(profile.change_mark).map(str::to_owned);
                let mut within = (0..).zip(feed.branches).filter(|(_, branch)| entry.dn.is_under(&branch.base)).peekable();
                if within.peek().is_none() {
                    gone(id);
                }
                for (branch, _) in within {
                    (feed.tell)(FeedEvent::Changed { branch, id, dn: entry.dn.clone(), mark: mark.clone() });
                }
            }
        }
        // More than the server gives at once.
        Err(error) if error.is(ResultCode::SizeLimitExceeded) => (feed.tell)(FeedEvent::Untold),
        Err(error) => return Err(error),
    }
    // Where the removed are not shown to us, each rise of the number may be a removal.
    let Some(graves) = graves else {
        (feed.tell)(FeedEvent::Untold);
        return Ok(());
    };
    match search(ldap, graves, Scope::OneLevel, &newer, &attributes, Some(SHOW_DELETED)).await {
        Ok(found) => found.iter().filter_map(id).for_each(gone),
        Err(error) if error.is(ResultCode::SizeLimitExceeded) => (feed.tell)(FeedEvent::Untold),
        Err(error) => return Err(error),
    }
    Ok(())
}

async fn search(
    ldap: &mut Ldap,
    base: &Dn,
    scope: Scope,
    filter: &Filter,
    attributes: &[&str],
    control: Option<&str>,
) -> Result<Vec<Entry>, DirectoryError> {
    if let Some(oid) = control {
        ldap.with_controls(RawControl { ctype: oid.to_owned(), crit: true, val: None });
    }
    let answer = ldap.search(&base.to_string(), scope, &filter.to_string(), attributes.to_vec()).await;
    let ldap3::SearchResult(found, outcome) = answer.map_err(convert::failure)?;
    match convert::result(outcome) {
        Ok(_) => {
            let entries = found.into_iter().filter(|item| !item.is_ref() && !item.is_intermediate());
            entries.map(|item| convert::entry(item.0)).collect()
        }
        Err(error) if error.is(ResultCode::NoSuchObject) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
