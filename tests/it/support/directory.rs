//! A directory, as its administrator sees it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Mod, Scope, SearchEntry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::server::Server;
use super::site::Domain;
use super::slapd::{self, GROUPS, PEOPLE, ROOT, ROOT_PASSWORD, Slapd, SlapdOptions};
use super::{Site, Vendor, sorted};

/// Where the tests keep a user's password: one that every directory's rules take.
pub(crate) const USER_PASSWORD: &str = "Secret-of-Ana-7";

/// A directory with branches that are one test's alone.
#[derive(Debug)]
pub(crate) struct Directory {
    site: Site,
    administrator: String,
    administrator_password: String,
    keeper: Keeper,
    /// Branches beside those of users and groups.
    others: Vec<String>,
}

#[derive(Debug)]
enum Keeper {
    Slapd(Slapd),
    Server(Server),
}

/// An entry; names of attributes in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    pub(super) vendor: Vendor,
    attributes: HashMap<String, Vec<String>>,
    binary: HashMap<String, Vec<u8>>,
}

impl Entry {
    /// The values of what is called so in OpenLDAP, in order of the alphabet.
    pub(crate) fn all(&self, attribute: &str) -> Vec<&str> {
        let name = self.vendor.attribute(attribute).unwrap_or_else(|| panic!("{:?} has nothing like {attribute}", self.vendor));
        let mut values: Vec<&str> = self.attributes.get(&name.to_lowercase()).into_iter().flatten().map(String::as_str).collect();
        values.sort_unstable();
        values
    }

    /// The only value of an attribute; empty if there is none.
    pub(crate) fn one(&self, attribute: &str) -> &str {
        match self.all(attribute).as_slice() {
            [] => "",
            [value] => value,
            values => panic!("{attribute} of {} has several values: {values:?}", self.dn),
        }
    }

    /// The name of the entry that an attribute holds, by the value of its RDN.
    pub(crate) fn named(&self, attribute: &str) -> Option<String> {
        Some(self.one(attribute)).filter(|dn| !dn.is_empty()).map(rdn_value)
    }

    /// A value that is no text.
    pub(super) fn bytes(&self, attribute: &str) -> &[u8] {
        self.binary.get(&attribute.to_lowercase()).unwrap_or_else(|| panic!("{} has no {attribute}", self.dn))
    }
}

impl From<Slapd> for Directory {
    fn from(slapd: Slapd) -> Self {
        Self {
            site: Site::from(&slapd.url()),
            administrator: ROOT.to_owned(),
            administrator_password: ROOT_PASSWORD.to_owned(),
            others: Vec::new(),
            keeper: Keeper::Slapd(slapd),
        }
    }
}

impl Directory {
    /// The kind of directory that the tests are to run on, empty.
    pub(crate) async fn start() -> Self {
        match Vendor::chosen() {
            Vendor::OpenLdap => Slapd::start(&SlapdOptions::default()).into(),
            vendor @ (Vendor::Ds389 | Vendor::ActiveDirectory) => Self::on(Server::find(vendor), vendor).await,
        }
    }

    /// One of its own, with users `member0`, `member1` and so on, and the group `crowd` of all of them.
    pub(crate) fn crowded(members: usize) -> Self {
        match Vendor::chosen() {
            Vendor::OpenLdap => {
                let names = (0..members).map(|n| format!("member{n}"));
                let mut options = SlapdOptions::with_users(names.clone());
                options.entries.push_str(&slapd::group_ldif("crowd", names));
                Slapd::start(&options).into()
            }
            vendor @ (Vendor::Ds389 | Vendor::ActiveDirectory) => {
                let server = Server::start(vendor, members);
                let (site, administrator, administrator_password) = server.access(vendor);
                Self { site, administrator, administrator_password, keeper: Keeper::Server(server), others: Vec::new() }
            }
        }
    }

    /// On a server that others may use too. The account's rights are those it has in the branches above.
    async fn on(server: Server, vendor: Vendor) -> Self {
        let (mut site, administrator, administrator_password) = server.access(vendor);
        let label: String = uuid::Uuid::new_v4().simple().to_string().chars().take(8).collect();
        (site.people, site.groups) = (format!("ou={label},{PEOPLE}"), format!("ou={label},{GROUPS}"));
        site.domain = Domain::own(&label);
        let directory = Self { site, administrator, administrator_password, keeper: Keeper::Server(server), others: Vec::new() };
        let mut ldap = directory.administrator().await;
        for branch in [&directory.site.people, &directory.site.groups] {
            directory.add(&mut ldap, branch, &[("objectClass", "organizationalUnit")]).await;
        }
        ldap.unbind().await.unwrap();
        directory
    }

    /// One more branch, outside that of the users, in which the gateway may make them too.
    pub(crate) async fn add_branch(&mut self, name: &str) -> String {
        let branch = match &self.keeper {
            Keeper::Slapd(_) => format!("ou={name},{GROUPS}"),
            Keeper::Server(_) => format!("ou={name}-{}", self.site.people.trim_start_matches("ou=")),
        };
        let mut ldap = self.administrator().await;
        self.add(&mut ldap, &branch, &[("objectClass", "organizationalUnit")]).await;
        ldap.unbind().await.unwrap();
        self.others.push(branch.clone());
        branch
    }

    pub(crate) fn vendor(&self) -> Vendor {
        self.site.vendor
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    pub(crate) fn url(&self) -> String {
        self.site.url.clone()
    }

    /// Ends slapd as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.slapd().kill();
    }

    /// Starts slapd again on the same port with the same data.
    pub(crate) fn restart(&mut self) {
        self.slapd().restart();
    }

    fn slapd(&mut self) -> &mut Slapd {
        match &mut self.keeper {
            Keeper::Slapd(slapd) => slapd,
            Keeper::Server(_) => panic!("this test needs a slapd of its own: .config/nextest.toml leaves it out elsewhere"),
        }
    }

    /// Text of a test, such as an address, as it is in the directory.
    pub(crate) fn outward(&self, text: &str) -> String {
        self.site.domain.outward(text)
    }

    /// The name of a user's entry. `name` must need no escapes.
    pub(crate) fn user_dn(&self, name: &str) -> String {
        format!("{}={name}@example.com,{}", self.vendor().user_rdn(), self.site.people)
    }

    /// The name of a group's entry. `name` must need no escapes.
    pub(crate) fn group_dn(&self, name: &str) -> String {
        format!("cn={name},{}", self.site.groups)
    }

    /// The entry of a user.
    pub(crate) async fn user(&self, name: &str) -> Option<Entry> {
        self.entry(&self.user_dn(name)).await
    }

    /// The entry of a group.
    pub(crate) async fn group(&self, name: &str) -> Option<Entry> {
        self.entry(&self.group_dn(name)).await
    }

    /// All users, managed or not, in order of their entries' names.
    pub(crate) async fn users(&self) -> Vec<Entry> {
        self.search(&self.site.people, &format!("(objectClass={})", self.vendor().user_class())).await
    }

    /// All groups, managed or not, in order of their entries' names.
    pub(crate) async fn groups(&self) -> Vec<Entry> {
        self.search(&self.site.groups, &format!("(objectClass={})", self.vendor().group_class())).await
    }

    /// The members of a group, by the values of their RDNs, in order of the alphabet.
    pub(crate) async fn members(&self, group: &str) -> Vec<String> {
        let entry = self.group(group).await.unwrap_or_else(|| panic!("there is no group {group}"));
        sorted(entry.all("member").into_iter().filter(|dn| !dn.is_empty()).map(rdn_value).collect())
    }

    /// Makes users of these names, which the gateway manages.
    pub(crate) async fn add_users(&self, names: impl IntoIterator<Item = String>) {
        let mut ldap = self.administrator().await;
        for name in names {
            self.make_user(&mut ldap, &name, &[self.vendor().mark()]).await;
        }
        ldap.unbind().await.unwrap();
    }

    /// Makes a user that nobody manages.
    pub(crate) async fn add_user(&self, name: &str) {
        let mut ldap = self.administrator().await;
        self.make_user(&mut ldap, name, &[]).await;
        ldap.unbind().await.unwrap();
    }

    async fn make_user(&self, ldap: &mut Ldap, name: &str, more: &[(&str, &str)]) {
        let address = format!("{name}@example.com");
        let mut attributes = vec![("objectClass", self.vendor().user_class()), ("sn", "Ruiz"), ("mail", &address)];
        match self.vendor() {
            Vendor::OpenLdap | Vendor::Ds389 => attributes.push(("cn", name)),
            // A normal account, which needs no password.
            Vendor::ActiveDirectory => {
                attributes.extend([("userPrincipalName", &*address), ("userAccountControl", "544")]);
            }
        }
        attributes.extend(more);
        self.add(ldap, &self.user_dn(name), &attributes).await;
    }

    /// Makes a group that nobody manages.
    pub(crate) async fn add_group(&self, name: &str, members: &[&str]) {
        let members: Vec<String> = members.iter().map(|name| self.user_dn(name)).collect();
        let mut attributes = vec![("objectClass", self.vendor().group_class())];
        attributes.extend(members.iter().map(|dn| ("member", &**dn)));
        let mut ldap = self.administrator().await;
        self.add(&mut ldap, &self.group_dn(name), &attributes).await;
        ldap.unbind().await.unwrap();
    }

    async fn add(&self, ldap: &mut Ldap, dn: &str, attributes: &[(&str, &str)]) {
        let mut grouped: HashMap<String, HashSet<String>> = HashMap::new();
        for (name, value) in attributes {
            grouped.entry((*name).to_owned()).or_default().insert(self.site.domain.outward(value));
        }
        ldap.add(&self.site.domain.outward(dn), grouped.into_iter().collect()).await.unwrap().success().unwrap();
    }

    /// Gives an attribute this value only, as somebody who knows nothing of SCIM.
    pub(crate) async fn set(&self, dn: &str, attribute: &str, value: &str) {
        self.modify(dn, Mod::Replace(attribute.as_bytes(), HashSet::from([self.site.domain.outward(value).as_bytes()]))).await;
    }

    /// Gives an attribute one more value.
    pub(crate) async fn push(&self, dn: &str, attribute: &str, value: &str) {
        self.modify(dn, Mod::Add(attribute.as_bytes(), HashSet::from([self.site.domain.outward(value).as_bytes()]))).await;
    }

    /// Gives an entry the password of the tests.
    pub(crate) async fn set_password(&self, dn: &str) {
        match self.vendor() {
            Vendor::OpenLdap | Vendor::Ds389 => self.set(dn, "userPassword", USER_PASSWORD).await,
            Vendor::ActiveDirectory => {
                let quoted: Vec<u8> = format!("\"{USER_PASSWORD}\"").encode_utf16().flat_map(u16::to_le_bytes).collect();
                self.modify(dn, Mod::Replace(b"unicodePwd", HashSet::from([&*quoted]))).await;
            }
        }
    }

    /// Whether that entry can sign in with the password of the tests.
    pub(crate) async fn signs_in(&self, dn: &str) -> bool {
        self.signs_in_by(dn, USER_PASSWORD).await
    }

    /// The same, by a password of its own.
    pub(crate) async fn signs_in_by(&self, dn: &str, password: &str) -> bool {
        let mut ldap = self.connect().await;
        let signed_in = ldap.simple_bind(&self.site.domain.outward(dn), password).await.unwrap().success().is_ok();
        ldap.unbind().await.unwrap();
        signed_in
    }

    /// Gives an entry another RDN.
    pub(crate) async fn rename(&self, dn: &str, rdn: &str) {
        let domain = &self.site.domain;
        let mut ldap = self.administrator().await;
        ldap.modifydn(&domain.outward(dn), &domain.outward(rdn), true, None).await.unwrap().success().unwrap();
        ldap.unbind().await.unwrap();
    }

    /// Removes an entry.
    pub(crate) async fn remove(&self, dn: &str) {
        let mut ldap = self.administrator().await;
        ldap.delete(&self.site.domain.outward(dn)).await.unwrap().success().unwrap();
        ldap.unbind().await.unwrap();
    }

    async fn modify(&self, dn: &str, change: Mod<&[u8]>) {
        let mut ldap = self.administrator().await;
        ldap.modify(&self.site.domain.outward(dn), vec![change]).await.unwrap().success().unwrap();
        ldap.unbind().await.unwrap();
    }

    async fn connect(&self) -> Ldap {
        let mut settings = LdapConnSettings::new();
        if let Some(ca) = &self.site.ca {
            settings = settings.set_config(trusting(ca));
        }
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &self.site.url).await.unwrap();
        tokio::spawn(connection.drive());
        ldap
    }

    /// A connection that may do everything.
    pub(crate) async fn administrator(&self) -> Ldap {
        let mut ldap = self.connect().await;
        ldap.simple_bind(&self.administrator, &self.administrator_password).await.unwrap().success().unwrap();
        ldap
    }

    /// Everything in the two branches that a person could have put there: by entry and attribute, the values as they are kept.
    /// Left out is what the directory counts and stamps by itself.
    pub(crate) async fn snapshot(&self) -> BTreeMap<String, BTreeMap<String, BTreeSet<Vec<u8>>>> {
        let mut ldap = self.administrator().await;
        let mut found = BTreeMap::new();
        for branch in [&self.site.people, &self.site.groups] {
            let attributes = ["*", "pwdAccountLockedTime", "nsAccountLock"];
            for entry in ldap.search(branch, Scope::Subtree, "(objectClass=*)", attributes).await.unwrap().0 {
                let entry = SearchEntry::construct(entry);
                let texts =
                    entry.attrs.into_iter().map(|(name, values)| (name, values.into_iter().map(String::into_bytes).collect()));
                let all = texts.chain(entry.bin_attrs).filter(|(name, _)| !self.vendor().stamps(name));
                let mut kept: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
                for (name, values) in all {
                    kept.entry(name.to_lowercase()).or_default().extend(values);
                }
                found.insert(entry.dn, kept);
            }
        }
        ldap.unbind().await.unwrap();
        found
    }

    /// What slapcat prints of all there is, without what tells of each write; of a slapd alone.
    pub(crate) fn dump(&self) -> Option<Vec<Vec<String>>> {
        match &self.keeper {
            Keeper::Slapd(slapd) => Some(slapd.dump()),
            Keeper::Server(_) => None,
        }
    }

    /// Makes changes with the tool that OpenLDAP ships.
    pub(crate) fn ldapmodify(&self, ldif: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), ldif).unwrap();
        let mut command = std::process::Command::new("ldapmodify");
        command.args(["-x", "-H", &self.site.url, "-D", &self.administrator, "-w", &self.administrator_password, "-f"]);
        command.arg(file.path());
        if let Some(ca) = &self.site.ca {
            command.env("LDAPTLS_CACERT", ca);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}\n{ldif}", String::from_utf8_lossy(&output.stderr));
    }

    /// Every entry right below a base that matches, with its operational attributes, in order of their names.
    pub(crate) async fn search(&self, base: &str, filter: &str) -> Vec<Entry> {
        self.look(base, Scope::OneLevel, filter).await
    }

    /// The entry of that name.
    pub(crate) async fn entry(&self, dn: &str) -> Option<Entry> {
        self.look(dn, Scope::Base, "(objectClass=*)").await.pop()
    }

    async fn look(&self, base: &str, scope: Scope, filter: &str) -> Vec<Entry> {
        let domain = &self.site.domain;
        let mut ldap = self.administrator().await;
        let found = ldap.search(&domain.outward(base), scope, &domain.outward(filter), ["*", "+"]).await.unwrap();
        ldap.unbind().await.unwrap();
        let construct = |found| self.construct(SearchEntry::construct(found));
        let mut entries: Vec<Entry> = found.0.into_iter().map(construct).collect();
        entries.sort_by(|a, b| a.dn.cmp(&b.dn));
        entries
    }

    fn construct(&self, found: SearchEntry) -> Entry {
        let inward = |text: &str| self.site.domain.inward(text);
        let attributes = found.attrs.into_iter().map(|(name, values)| {
            let values = values.iter().map(|value| inward(value)).collect();
            (name.to_lowercase(), values)
        });
        let binary =
            found.bin_attrs.into_iter().filter_map(|(name, values)| Some((name.to_lowercase(), values.into_iter().next()?)));
        Entry { dn: inward(&found.dn), vendor: self.vendor(), attributes: attributes.collect(), binary: binary.collect() }
    }
}

impl Drop for Directory {
    /// On a server that others use too nothing is left behind: a name may be given once only in all of the directory.
    fn drop(&mut self) {
        if matches!(&self.keeper, Keeper::Server(server) if !server.is_own()) {
            let directory = &*self;
            let remove = || tokio::runtime::Runtime::new().unwrap().block_on(directory.remove_branches());
            if std::thread::scope(|scope| scope.spawn(remove).join()).is_err() {
                eprintln!("{} or {} could not be removed", self.site.people, self.site.groups);
            }
        }
    }
}

impl Directory {
    async fn remove_branches(&self) {
        let mut ldap = self.administrator().await;
        for branch in self.others.iter().chain([&self.site.groups, &self.site.people]) {
            let found = ldap.search(branch, Scope::Subtree, "(objectClass=*)", ["1.1"]).await.unwrap().0;
            let mut names: Vec<String> = found.into_iter().map(|found| SearchEntry::construct(found).dn).collect();
            // What is below comes first, and a name is longer than that of the entry above.
            names.sort_by_key(|dn| std::cmp::Reverse(dn.len()));
            for dn in names {
                ldap.delete(&dn).await.unwrap().success().unwrap();
            }
        }
        ldap.unbind().await.unwrap();
    }
}

/// The value of a DN's first RDN, which must need no escapes.
fn rdn_value(dn: &str) -> String {
    dn.split(['=', ',']).nth(1).unwrap_or_default().to_owned()
}

/// The client's side of TLS that trusts this authority.
fn trusting(ca: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_file_iter(ca).unwrap().map(Result::unwrap));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}
