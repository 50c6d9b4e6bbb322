//! What clients search by, and whether the directory finds it without looking at every entry: by its own configuration where
//! that can be read, and by the clock.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::findings::Findings;
use super::{Patient, section};
use crate::directory::{Directory as _, Dn, Entry, Filter, Rdn, ResultCode, SearchRequest, Vendor};
use crate::mapping::ResourceMapping;
use crate::scim::Kind;

/// Searches of each kind; the one in the middle counts.
const SAMPLES: usize = 5;
/// A search that takes so many times as long as a look at one entry, and longer than the noise, has looked at many.
const TIMES: u32 = 8;
const NOISE: Duration = Duration::from_millis(4);
/// A lookup that takes longer makes every request slow.
const SLOW: Duration = Duration::from_millis(100);

/// A search by a value that nobody has.
struct Lookup {
    /// What clients call it.
    what: String,
    attribute: String,
    filter: Filter,
}

pub(super) async fn check(patient: &Patient<'_>, side: &ResourceMapping, findings: &mut Findings) {
    let section = section(side);
    let lookups = lookups(side);
    let known = configured(patient, side, &lookups).await;
    let Some(reference) = time(patient, &SearchRequest::entry(&side.base, vec!["1.1".to_owned()])).await.ok() else { return };
    let mut fine = Vec::new();
    for Lookup { what, attribute, filter } in lookups {
        let request = SearchRequest::below(&side.base, Filter::all([side.visible(), filter]), vec!["1.1".to_owned()]);
        let is_indexed = known.as_ref().map(|known| known.iter().any(|name| same(patient, name, &attribute)));
        let missing = match is_indexed {
            Some(true) => "although it has an index",
            Some(false) => "there is no index on it",
            None => "an index on it seems to be missing",
        };
        match time(patient, &request).await {
            Ok(took) if took > NOISE && took > reference * TIMES => {
                let text = format!(
                    "looking {section} up by {what} ({attribute}) takes {} ms, a look at one entry {} ms: {missing}",
                    millis(took),
                    millis(reference)
                );
                if took > SLOW {
                    findings.mend(text, remedy(patient, side, &attribute));
                } else {
                    findings.advise(text, remedy(patient, side, &attribute));
                }
            }
            Ok(_) if is_indexed == Some(false) => findings.advise(
                format!("looking {section} up by {what} ({attribute}) is fast as yet, but there is no index on it"),
                remedy(patient, side, &attribute),
            ),
            Ok(_) => fine.push(what),
            Err(ResultCode::AdminLimitExceeded | ResultCode::SizeLimitExceeded | ResultCode::TimeLimitExceeded) => findings.mend(
                format!("looking {section} up by {what} ({attribute}) is refused, for every entry would be looked at: {missing}"),
                remedy(patient, side, &attribute),
            ),
            Err(code) => findings.wrong(format!("looking {section} up by {what} ({attribute}) is refused: {code}")),
        }
    }
    if !fine.is_empty() {
        findings.good(format!("looking {section} up is fast by {} ({} ms for one entry)", fine.join(", "), millis(reference)));
    }
}

fn lookups(side: &ResourceMapping) -> Vec<Lookup> {
    let nobody = Uuid::new_v4();
    let mut found = vec![Lookup { what: "id".to_owned(), attribute: side.profile.id.to_owned(), filter: side.by_uuid(nobody) }];
    let names: &[&str] = match side.ty.kind {
        Kind::User => &["userName", "externalId", "emails"],
        Kind::Group => &["displayName", "externalId"],
    };
    for name in names {
        for attribute in side.kept_in(name) {
            let filter = Filter::equal(attribute, format!("scimgate-check-{nobody}"));
            found.push(Lookup { what: (*name).to_owned(), attribute: attribute.to_owned(), filter });
        }
    }
    let Some(dn) = nowhere(&side.base, nobody) else { return found };
    if let Some(attribute) = side.profile.entry_dn {
        found.push(Lookup { what: "its name".to_owned(), attribute: attribute.to_owned(), filter: side.by_name(&dn) });
    }
    if let Some(attribute) = side.member_attribute() {
        let filter = Filter::equal(attribute, dn.to_string());
        found.push(Lookup { what: "members".to_owned(), attribute: attribute.to_owned(), filter });
    }
    found
}

/// A name that no entry has.
fn nowhere(base: &Dn, nobody: Uuid) -> Option<Dn> {
    let rdn = Rdn::new("cn".parse().ok()?, format!("scimgate-check-{nobody}"));
    Some(base.child(rdn))
}

/// How long a search takes, as a rule.
async fn time(patient: &Patient<'_>, request: &SearchRequest) -> Result<Duration, ResultCode> {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let started = Instant::now();
        if let Err(error) = patient.directory.search(request).await {
            return Err(error.code().unwrap_or(ResultCode::Unavailable));
        }
        times.push(started.elapsed());
        if times.last().is_some_and(|took| *took > 10 * SLOW) {
            break;
        }
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn millis(took: Duration) -> String {
    format!("{:.1}", took.as_secs_f64() * 1000.0)
}

fn same(patient: &Patient<'_>, one: &str, other: &str) -> bool {
    let name = |text: &str| {
        let known = patient.capabilities.schema.attribute(text);
        known.map_or_else(|| text.to_lowercase(), |known| known.name.to_lowercase())
    };
    name(one) == name(other)
}

/// The attributes with an index for equality, as the directory's configuration has them; `None` if it cannot be read.
async fn configured(patient: &Patient<'_>, side: &ResourceMapping, lookups: &[Lookup]) -> Option<Vec<String>> {
    match patient.capabilities.vendor {
        Vendor::OpenLdap => {
            let config: Dn = "cn=config".parse().ok()?;
            let databases =
                patient.look(&config, Filter::equal("objectClass", "olcDatabaseConfig"), &["olcSuffix", "olcDbIndex"]);
            let holds = |entry: &Entry| {
                entry.texts("olcSuffix").filter_map(|suffix| suffix.parse::<Dn>().ok()).any(|suffix| side.base.is_under(&suffix))
            };
            let database = databases.await.into_iter().find(holds)?;
            let mut found = vec!["entryDN".to_owned()];
            found.extend(database.texts("olcDbIndex").flat_map(with_equality));
            Some(found)
        }
        Vendor::Ds389 => {
            let config: Dn = "cn=ldbm database,cn=plugins,cn=config".parse().ok()?;
            let indexes = patient.look(&config, Filter::equal("objectClass", "nsIndex"), &["cn", "nsIndexType"]).await;
            let equality = indexes.iter().filter(|index| index.has("nsIndexType", "eq"));
            let found: Vec<String> = equality.filter_map(|index| index.text("cn")).map(str::to_owned).collect();
            Some(found).filter(|found| !found.is_empty())
        }
        Vendor::ActiveDirectory => {
            let contexts = &patient.capabilities.naming_contexts;
            let schema = contexts.iter().find(|name| name.to_lowercase().starts_with("cn=schema,"))?.parse().ok()?;
            let wanted = lookups.iter().map(|lookup| Filter::equal("lDAPDisplayName", &lookup.attribute)).collect();
            let found = patient.look(&schema, Filter::Or(wanted), &["lDAPDisplayName", "searchFlags", "linkID"]).await;
            // fATTINDEX ([MS-ADTS] section 2.2.9); links and names have indexes of their own.
            let flagged = |entry: &&Entry| {
                let flags = entry.text("searchFlags").and_then(|flags| flags.parse::<u32>().ok()).unwrap_or_default();
                flags & 1 != 0 || entry.text("linkID").is_some()
            };
            let own = patient.mapping.profile.entry_dn.into_iter().chain([patient.mapping.profile.id]).map(str::to_owned);
            let names = found.iter().filter(flagged).filter_map(|entry| entry.text("lDAPDisplayName")).map(str::to_owned);
            (!found.is_empty()).then(|| names.chain(own).collect())
        }
        Vendor::Unknown => None,
    }
}

/// The attributes of a line such as `uid,mail eq,sub` that has `eq`, or nothing after them.
fn with_equality(line: &str) -> Vec<String> {
    let mut words = line.split_whitespace();
    let names = words.next().unwrap_or_default();
    let has = words.next().is_none_or(|kinds| kinds.split(',').any(|kind| kind == "eq"));
    if has { names.split(',').map(str::to_owned).collect() } else { Vec::new() }
}

fn remedy(patient: &Patient<'_>, side: &ResourceMapping, attribute: &str) -> String {
    match patient.capabilities.vendor {
        Vendor::OpenLdap => format!(
            "in slapd.conf `index {attribute} eq`, then slapindex with slapd stopped; in cn=config add olcDbIndex: {attribute} eq"
        ),
        Vendor::Ds389 => format!(
            "dsconf INSTANCE backend index add --attr {attribute} --index-type eq BACKEND, then backend index reindex --attr \
             {attribute} BACKEND, for the backend of {}",
            side.base
        ),
        Vendor::ActiveDirectory => {
            format!("set the bit 1 of searchFlags in the schema's entry of {attribute}, as a schema administrator")
        }
        Vendor::Unknown => format!("give {attribute} an index for equality"),
    }
}

#[cfg(test)]
mod tests {
    use super::with_equality;

    #[test]
    fn a_line_of_indexes_names_attributes_and_kinds() {
        assert_eq!(with_equality("uid,mail eq,sub"), ["uid", "mail"]);
        assert_eq!(with_equality("uid"), ["uid"]);
        assert_eq!(with_equality("cn pres,sub"), [""; 0]);
    }
}
