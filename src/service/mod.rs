//! SCIM operations, carried out in the directory. Knows neither HTTP nor LDAP's wire.

mod audited;
mod bulk;
mod confirm;
mod create;
mod cursor;
mod delete;
mod error;
mod get;
mod groups;
mod list;
mod members;
mod patch;
mod protected;
mod rails;
mod rehearsed;
mod replace;
mod restore;
mod shadow;
mod update;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use self::bulk::BulkPermission;
use self::cursor::CursorSeal;
pub use self::cursor::{CursorConfig, NoKey};
pub use self::get::Got;
pub use self::protected::{Protected, ProtectedBy};
pub use self::rails::{Act, Rail, RailState, Rails, RailsConfig};
pub use self::replace::Omitted;
pub use self::shadow::{Shadow, ShadowConfig};
use crate::audit::{Activity, Audit};
use crate::clock::Clock;
use crate::directory::{Directory, Dn, Entry, Filter, ResultCode, Scope, SearchRequest, Source};
use crate::mapping::{Groups, Linked, Mapping, Names, ReadContext, ResourceMapping, Shown, Targets, View};
use crate::membership::{CacheConfig, Home, MembershipCache, Reading, RoleGroups};
use crate::scim::precondition::{IfMatch, changed_meanwhile};
use crate::scim::{Budgets, Dialect, Json, Kind, Projection, SchemaRegistry, ScimError, Tolerance, ToleranceSet};
use crate::telemetry::{FeedState, Metrics};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

/// How long a request waits for the first connection to the directory.
const FIRST_CONNECTION: Duration = Duration::from_secs(2);

/// What the service needs to know.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// What a request may cost.
    pub budgets: Budgets,
    /// What is remembered.
    pub cache: CacheConfig,
    /// How long lists can be walked by cursors.
    pub cursors: CursorConfig,
    /// What is never changed.
    pub protected: Protected,
    /// How much a client may delete and disable.
    pub rails: RailsConfig,
    /// Whether roles are groups.
    pub role_groups: bool,
    /// Shadow mode, if that is wanted.
    pub shadow: Option<ShadowConfig>,
}

/// Who asks, and how.
#[derive(Debug)]
pub struct Context {
    /// The SCIM base that clients reach us by, without a trailing slash.
    pub base_url: String,
    /// The client's configured name.
    pub client: Arc<str>,
    /// The request's id in logs.
    pub request_id: Arc<str>,
    /// Where the client is, if that is known.
    pub address: Option<IpAddr>,
    /// Which operation of a bulk request this is, from zero.
    pub bulk: Option<usize>,
    /// Which oddities are accepted, and which were met.
    pub dialect: Dialect,
    /// Whether a user's name and email address are made up where the directory has none.
    pub derive_missing: bool,
    /// The versions of the resource that may be changed, if the client says.
    pub if_match: Option<IfMatch>,
}

impl Context {
    /// The same client's, for one operation of several.
    fn single(&self, operation: usize) -> Self {
        let dialect = Dialect { used: ToleranceSet::none(), ..self.dialect };
        let (base_url, client, request_id) = (self.base_url.clone(), self.client.clone(), self.request_id.clone());
        Self {
            base_url,
            client,
            request_id,
            address: self.address,
            bulk: Some(operation),
            dialect,
            derive_missing: self.derive_missing,
            if_match: None,
        }
    }

    /// What a PUT with this body does to what it leaves out. A group has nothing else to leave out than its members and its
    /// externalId, and some clients rename a group without its members.
    pub fn omitted(&mut self, kind: Kind, body: &Value, of_user: Omitted) -> Omitted {
        match kind {
            Kind::User => of_user,
            Kind::Group => {
                let has_members =
                    body.as_object().is_some_and(|object| object.keys().any(|key| key.eq_ignore_ascii_case("members")));
                let keeps = !has_members && self.dialect.accept(Tolerance::PutWithoutMembers);
                if keeps { Omitted::Keep } else { Omitted::Clear }
            }
        }
    }

    /// What an entry must match at the moment of a write: it is the resource, in a version that the client has seen.
    fn guard(&self, side: &ResourceMapping, id: &str) -> Result<Filter, ScimError> {
        let identity = side.by_id(id).ok_or_else(|| error::not_found(side.ty.kind, id))?;
        let identity = Filter::all(std::iter::once(identity).chain(side.living()));
        let Some(marks) = self.if_match.as_ref().and_then(IfMatch::marks) else { return Ok(identity) };
        let seen = marks.map(|mark| Filter::equal(side.profile.change_mark, mark)).collect();
        Ok(Filter::all([identity, Filter::Or(seen)]))
    }

    /// Refuses a change of an entry in another version than the client has seen.
    fn check_version(&self, side: &ResourceMapping, entry: &Entry) -> Result<(), ScimError> {
        let Some(if_match) = &self.if_match else { return Ok(()) };
        let current = side.version(entry).and_then(|version| version.parse().ok());
        if current.is_some_and(|current| if_match.allows(&current)) { Ok(()) } else { Err(changed_meanwhile()) }
    }
}

/// A resource to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Its `id`.
    pub id: String,
    /// As the client asked for it.
    pub resource: Json,
    /// Its URL.
    pub location: String,
    /// Its entity tag.
    pub version: Option<String>,
}

/// What a change is answered by.
#[derive(Debug, Clone, Copy)]
pub enum Projected<'a> {
    /// Nothing: what was written is not read back.
    Nothing,
    /// The resource as it is afterwards.
    Resource(&'a Projection),
}

impl<'a> Projected<'a> {
    fn projection(self) -> Option<&'a Projection> {
        match self {
            Self::Nothing => None,
            Self::Resource(projection) => Some(projection),
        }
    }
}

/// The SCIM operations. A clone is the same service: only the way to the directory may be another.
#[derive(Debug, Clone)]
pub struct Service {
    directory: Arc<dyn Directory>,
    /// The same, in which roles are memberships.
    plain: Arc<dyn Directory>,
    role_groups: bool,
    mapping: watch::Receiver<Option<Arc<Mapping>>>,
    /// The schemas until the directory has told what it can hold.
    schemas: Arc<SchemaRegistry>,
    cache: Arc<MembershipCache>,
    seal: Arc<CursorSeal>,
    budgets: Budgets,
    protected: Arc<Protected>,
    rails: Arc<Rails>,
    /// Where writes are told, if they are.
    audit: Option<Arc<Audit>>,
    /// Who looks on.
    activity: Option<Arc<Activity>>,
    /// Where they are kept if they are not made.
    shadow: Option<(Arc<Shadow>, Arc<ShadowConfig>)>,
}

impl Service {
    /// A service over a directory, whose writes the cache learns of. The mapping arrives when the directory was first reached.
    ///
    /// # Errors
    /// There is no key to seal cursors with.
    pub fn new(
        (directory, cache): (Arc<dyn Directory>, Arc<MembershipCache>),
        mapping: watch::Receiver<Option<Arc<Mapping>>>,
        schemas: Arc<SchemaRegistry>,
        config: &ServiceConfig,
        (clock, metrics): (Arc<dyn Clock>, Arc<Metrics>),
    ) -> Result<Self, NoKey> {
        Ok(Self {
            directory: with_roles(directory.clone(), &mapping, config.role_groups),
            plain: directory,
            role_groups: config.role_groups,
            mapping,
            schemas,
            cache,
            seal: Arc::new(CursorSeal::new(&config.cursors, clock.clone())?),
            rails: Arc::new(Rails::new(config.rails, clock, metrics)),
            budgets: config.budgets,
            protected: Arc::new(config.protected.clone()),
            audit: None,
            activity: None,
            shadow: None,
        })
    }

    /// The same, which goes on where another one is: with its counts of deletions and deactivations if the limits are the same and
    /// both make what they count or neither does.
    #[must_use]
    pub fn going_on_from(self, before: &Self) -> Self {
        let counts_on = before.rails.config() == self.rails.config() && before.shadow.is_some() == self.shadow.is_some();
        let rails = if counts_on { before.rails.clone() } else { self.rails };
        Self { rails, ..self }
    }

    /// The same service by another way to the directory.
    fn over(&self, plain: Arc<dyn Directory>) -> Self {
        Self { directory: with_roles(plain.clone(), &self.mapping, self.role_groups), plain, ..self.clone() }
    }

    /// How long a cursor can be used.
    pub fn cursor_lifetime(&self) -> Duration {
        self.seal.lifetime()
    }

    /// The schemas, narrowed to what the directory can hold as soon as that is known.
    pub fn registry(&self) -> Arc<SchemaRegistry> {
        self.mapping.borrow().as_ref().map_or_else(|| self.schemas.clone(), |mapping| mapping.registry.clone())
    }

    /// What a request may cost.
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Asks the directory for a sign of life; the error says in one line what is wrong.
    pub async fn health(&self) -> Result<(), String> {
        let root = SearchRequest::entry(&Dn::root(), vec!["1.1".to_owned()]);
        match self.directory.search(&root).await {
            // One that has too much to do is there.
            Ok(_) => {}
            Err(error) if error.is(ResultCode::Busy) => {}
            Err(error) => return Err(error.to_string()),
        }
        if self.mapping.borrow().is_none() {
            return Err("the directory's schema does not fit the configured mapping; see the log".to_owned());
        }
        Ok(())
    }

    /// Whether the directory tells what others change.
    pub fn feed_state(&self) -> FeedState {
        self.cache.feed_state()
    }

    async fn mapping(&self) -> Result<Arc<Mapping>, ScimError> {
        if let Some(mapping) = &*self.mapping.borrow() {
            return Ok(mapping.clone());
        }
        let mut arriving = self.mapping.clone();
        let first = tokio::time::timeout(FIRST_CONNECTION, arriving.wait_for(Option::is_some)).await;
        match first {
            Ok(Ok(mapping)) => mapping.clone().ok_or_else(error::unreachable),
            Ok(Err(_)) | Err(_) => Err(error::unreachable()),
        }
    }

    /// Where a resource is, as last seen or as the directory says now.
    async fn home(&self, side: &ResourceMapping, id: &str, fresh: bool) -> Result<Arc<Home>, ScimError> {
        if let Some(home) = self.cache.home(id).filter(|_| !fresh) {
            return Ok(Arc::new(home));
        }
        let marks = side.attributes(&Projection::Only(Vec::new()));
        let since = self.cache.reading();
        let entry = self.find(side, id, marks).await?;
        self.cache.note(side, &entry, since);
        Ok(Arc::new(Home::of(side, &entry)))
    }

    /// Reads the entry of a resource, for something to be done with it.
    async fn find(&self, side: &ResourceMapping, id: &str, attributes: impl Into<Arc<[String]>>) -> Result<Entry, ScimError> {
        self.find_from(Source::Provider, side, id, attributes).await
    }

    /// Reads the entry of a resource: where it was last seen, which costs the directory least, or else wherever it is.
    async fn find_from(
        &self,
        source: Source,
        side: &ResourceMapping,
        id: &str,
        attributes: impl Into<Arc<[String]>>,
    ) -> Result<Entry, ScimError> {
        let filter = side.by_id(id).ok_or_else(|| error::not_found(side.ty.kind, id))?;
        let filter = Filter::all([side.visible(), filter]);
        let mut request = SearchRequest { source, ..SearchRequest::below(&side.base, filter, attributes) };
        if let Some(home) = self.cache.home(id)
            && home.dn.is_under(&side.base)
        {
            (request.base, request.scope) = (home.dn, Scope::Base);
            let found = self.directory.search(&request).await.map_err(|e| error::refused(side, e))?;
            if let Some(entry) = found.entries.into_iter().next() {
                return Ok(entry);
            }
            (request.base, request.scope) = (side.base.clone(), Scope::Subtree);
        }
        let found = self.directory.search(&request).await.map_err(|e| error::refused(side, e))?;
        let entry = found.entries.into_iter().next();
        if entry.is_none() {
            self.cache.forget(id);
        }
        entry.ok_or_else(|| error::not_found(side.ty.kind, id))
    }

    /// The entries of resources that one refers to from now on, and of such as it need not refer to any longer. References to
    /// nobody are left out where the client is allowed that, and refused by name where it is not.
    async fn targets<'a>(
        &self,
        cx: &mut Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        coming: impl IntoIterator<Item = &'a str>,
        going: impl IntoIterator<Item = &'a str>,
    ) -> Result<Targets, ScimError> {
        let coming: Vec<&str> = coming.into_iter().collect();
        let all: Vec<&str> = coming.iter().copied().chain(going).collect();
        let kinds = mapping.member_kinds();
        let look = async |kinds: &[Kind], ids: Vec<&'a str>| {
            self.cache.targets(&*self.directory, mapping, kinds, ids).await.map_err(|e| error::refused(side, e))
        };
        let mut targets = look(kinds, all.clone()).await?;
        if !mapping.groups_nested {
            let unknown: Vec<&str> = all.into_iter().filter(|id| !targets.contains_key(*id)).collect();
            let groups = if unknown.is_empty() { Targets::new() } else { look(&[Kind::Group], unknown).await? };
            if coming.iter().any(|id| groups.contains_key(*id)) {
                return Err(error::nested_off());
            }
            targets.extend(groups);
        }
        let unknown: Vec<&str> = coming.into_iter().filter(|id| !targets.contains_key(*id)).collect();
        if unknown.is_empty() || cx.dialect.accept(Tolerance::UnknownMember) {
            return Ok(targets);
        }
        Err(error::unknown_references(&unknown))
    }

    async fn names(&self, mapping: &Mapping, references: &[Dn]) -> Result<Names, ScimError> {
        if references.is_empty() {
            return Ok(Names::new());
        }
        let found = self.cache.names(&*self.directory, mapping, references).await;
        found.map_err(|e| error::refused(&mapping.users, e))
    }

    /// An entry as the client asked for it, which was read since. After a write that is the moment before it: a write of ours that was
    /// made at the same time may be newer than what this one brought back, so it is not relied on.
    async fn serve(
        &self,
        cx: &Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        (entry, since): (&Entry, Reading),
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let names = self.note_read(mapping, side, (entry, since), projection).await?;
        self.answer(cx, mapping, side, (entry, Linked::Names(&names)), projection).await
    }

    /// The same of an entry that was made just now, of which no group can know yet. (A group may name an entry that was removed by
    /// others, and so one that is made again; whoever reads it will find that.)
    async fn serve_new(
        &self,
        cx: &Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        (entry, since): (&Entry, Reading),
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let names = self.note_read(mapping, side, (entry, since), projection).await?;
        Ok(printed(cx, side, (entry, Linked::Names(&names)), (&side.view(projection), projection), &Groups::default()))
    }

    /// Notes an entry that was read since. What its references point to.
    async fn note_read(
        &self,
        mapping: &Mapping,
        side: &ResourceMapping,
        (entry, since): (&Entry, Reading),
        projection: &Projection,
    ) -> Result<Names, ScimError> {
        self.cache.note(side, entry, since);
        // A group is remembered without its members, which are resources remembered by themselves.
        self.cache.note_entry(side, entry, &side.attributes_without_members(projection), since);
        let references = side.references(entry);
        let names = self.names(mapping, &references).await?;
        self.note_members(side, entry, projection, (&references, &names), since);
        Ok(names)
    }

    /// An entry as the client asked for it, with what it refers to.
    async fn answer(
        &self,
        cx: &Context,
        mapping: &Mapping,
        side: &ResourceMapping,
        (entry, linked): (&Entry, Linked<'_>),
        projection: &Projection,
    ) -> Result<Served, ScimError> {
        let view = side.view(projection);
        let groups = if view.shows_groups() { self.groups_of(mapping, &entry.dn, entry.dn.key()).await? } else { Arc::default() };
        Ok(printed(cx, side, (entry, linked), (&view, projection), &groups))
    }

    /// Notes the members of a group that was read with them.
    fn note_members(
        &self,
        side: &ResourceMapping,
        entry: &Entry,
        projection: &Projection,
        (references, names): (&[Dn], &Names),
        since: Reading,
    ) {
        if !side.has_exact_marks() || side.members_path().is_none_or(|path| !projection.wants(&path)) {
            return;
        }
        let Some((id, version)) = side.id(entry).zip(side.version(entry)) else { return };
        let members = side.members_among(references, names).into();
        self.cache.note_members(id, version, members, since);
    }

    /// Refuses writes to groups where the administrator switched them off.
    fn check_groups(mapping: &Mapping, kind: Kind) -> Result<(), ScimError> {
        match kind {
            Kind::Group if !mapping.groups_sync => Err(error::groups_off()),
            Kind::Group | Kind::User => Ok(()),
        }
    }
}

/// A directory in which users have roles as the service knows them, where roles are groups.
fn with_roles(
    plain: Arc<dyn Directory>,
    mapping: &watch::Receiver<Option<Arc<Mapping>>>,
    role_groups: bool,
) -> Arc<dyn Directory> {
    if role_groups { Arc::new(RoleGroups::new(plain, mapping.clone())) } else { plain }
}

/// An entry as the client asked for it.
fn printed(
    cx: &Context,
    side: &ResourceMapping,
    (entry, linked): (&Entry, Linked<'_>),
    view: (&View, &Projection),
    groups: &Groups,
) -> Served {
    let context = ReadContext { base_url: &cx.base_url, linked, groups: Some(groups) };
    let resource = Json::of(&shown(cx, side, view, entry, context));
    let id = side.id(entry).map(|id| id.to_string()).unwrap_or_default();
    Served { location: side.location(&cx.base_url, &id), id, version: side.version(entry), resource }
}

/// The same, to be printed.
fn shown<'a>(
    cx: &Context,
    side: &'a ResourceMapping,
    (view, projection): (&'a View, &Projection),
    entry: &'a Entry,
    context: ReadContext<'a>,
) -> impl Serialize + use<'a> {
    if cx.derive_missing {
        let mut resource = side.read(entry, context);
        side.complete(&mut resource);
        Answered::Made(projection.apply(resource, &side.ty))
    } else {
        Answered::AsRead(side.shown(view, entry, context))
    }
}

/// A resource in an answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Answered<'a> {
    AsRead(Shown<'a>),
    Made(Value),
}
