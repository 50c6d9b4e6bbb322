//! What a gateway and its clients are told of a directory.

use super::Vendor;
use super::slapd::{ACCOUNT, GROUPS, PASSWORD, PEOPLE};

/// Where a directory is, and what in it is the gateway's.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(super) vendor: Vendor,
    pub(super) url: String,
    /// The file of the authority that it is known by.
    pub(super) ca: Option<String>,
    pub(super) account: String,
    pub(super) password: String,
    /// The branch of users.
    pub(crate) people: String,
    /// The branch of groups.
    pub(super) groups: String,
    pub(super) domain: Domain,
}

impl Default for Site {
    /// That of a slapd.
    fn default() -> Self {
        Self {
            vendor: Vendor::OpenLdap,
            url: String::new(),
            ca: None,
            account: ACCOUNT.to_owned(),
            password: PASSWORD.to_owned(),
            people: PEOPLE.to_owned(),
            groups: GROUPS.to_owned(),
            domain: Domain::default(),
        }
    }
}

impl From<&String> for Site {
    fn from(url: &String) -> Self {
        Self { url: url.clone(), ..Self::default() }
    }
}

impl From<&Self> for Site {
    fn from(site: &Self) -> Self {
        site.clone()
    }
}

/// The domain of the addresses in a test, `example.com`, as it is on the wire. A user's name may be unique in all of a directory,
/// so that tests which share one have domains of their own: what a test calls `ana@example.com` is then `ana@1f3e.example.com`
/// for the gateway and the directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Domain(Option<String>);

impl Domain {
    /// One that no other test has.
    pub(super) fn own(label: &str) -> Self {
        Self(Some(label.to_lowercase()))
    }

    /// Text of a test for the wire; also where its `@` is escaped for a URL, once or twice.
    pub(super) fn outward(&self, text: &str) -> String {
        let Some(label) = &self.0 else { return text.to_owned() };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.to_ascii_lowercase().find("example.com") {
            let (before, domain) = rest.split_at(at);
            out.push_str(before);
            if ["@", "%40", "%2540"].iter().any(|at| before.ends_with(at)) {
                out.push_str(label);
                out.push('.');
            }
            let (domain, after) = domain.split_at("example.com".len());
            out.push_str(domain);
            rest = after;
        }
        out + rest
    }

    /// Text from the wire for a test.
    pub(super) fn inward(&self, text: &str) -> String {
        let Some(label) = &self.0 else { return text.to_owned() };
        let label = format!("@{label}.");
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.to_ascii_lowercase().find(&label) {
            let (before, after) = rest.split_at(at);
            out.push_str(before);
            out.push('@');
            rest = after.split_at(label.len()).1;
        }
        out + rest
    }
}

#[test]
fn a_domain_of_its_own_is_seen_by_nobody_but_the_wire() {
    let domain = Domain::own("X1");
    for (inside, outside) in [
        ("ana@example.com", "ana@x1.example.com"),
        ("ANA@Example.COM, bob@example.com", "ANA@x1.Example.COM, bob@x1.example.com"),
        ("https://example.com/é", "https://example.com/é"),
        ("", ""),
    ] {
        assert_eq!(domain.outward(inside), outside);
        assert_eq!(domain.inward(outside), inside);
    }
    assert_eq!(domain.outward("a%40example.com"), "a%40x1.example.com");
    assert_eq!(Domain::default().outward("ana@example.com"), "ana@example.com");
}
