//! GET /Users, GET /Groups and queries by POST: the page, and the true number of all that match.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use uuid::Uuid;

use super::get::{Remembered, Wanted};
use super::{Context, Service, error, shown};
use crate::directory::{Dn, Entry, Filter as Search, SearchRequest, Source};
use crate::mapping::{Linked, Mapping, ReadContext, ResourceMapping, Targets, Translation, references_in};
use crate::membership::{Members, Order, Question, Reading};
use crate::scim::cursor::{CursorParameter, Page, Position, QueryDigest};
use crate::scim::{
    Filter, Json, Kind, ListQuery, Projection, Resource, Resources, ScimError, ScimType, Tolerance, list_response,
    list_response_with_cursors,
};

/// Entries asked for by id in one search. The directory compares each that it finds with all of the ids: with a hundred that
/// takes it twice the time of four searches side by side.
const BATCH: usize = 25;
/// So many such searches are made side by side, however many there are to make.
const SIDE_BY_SIDE: usize = 8;
/// A list of no more is read at once.
const FEW: u32 = 200;
/// Resources a filter is evaluated on before others get their turn.
const AT_ONCE: usize = 64;

/// A list as it was asked for, and what the directory is searched for.
struct Asked<'a> {
    mapping: &'a Mapping,
    side: &'a ResourceMapping,
    query: &'a ListQuery,
    search: Search,
    /// Whether the search finds exactly what matches.
    exact: bool,
    /// Whether it leads to a few entries by an index.
    selective: bool,
}

impl Service {
    /// One page of a list.
    pub async fn list(&self, cx: &mut Context, kind: Kind, query: &ListQuery) -> Result<Json, ScimError> {
        if let Some(cursor) = &query.cursor {
            return self.page_by_cursor(cx, kind, query, cursor).await;
        }
        let (mut total, mut resources) = self.page(cx, kind, query).await?;
        if total == 0
            && let Some(filter) = query.filter.as_ref().and_then(Filter::percent_decoded)
            && cx.dialect.allowed.contains(Tolerance::FilterPercentEncoded)
        {
            let decoded = ListQuery { filter: Some(filter), ..query.clone() };
            (total, resources) = self.page(cx, kind, &decoded).await?;
            if total > 0 {
                cx.dialect.accept(Tolerance::FilterPercentEncoded);
            }
        }
        Ok(list_response(total, query.start_index, &resources))
    }

    /// One page by its cursor, with the cursors of its neighbours.
    async fn page_by_cursor(
        &self,
        cx: &mut Context,
        kind: Kind,
        query: &ListQuery,
        cursor: &CursorParameter,
    ) -> Result<Json, ScimError> {
        let mapping = self.mapping().await?;
        let digest = QueryDigest::new(kind.endpoint(), query);
        let position = self.seal.open(cursor, digest, &cx.client)?;
        if kind == Kind::Group && !mapping.groups_sync {
            return Ok(list_response_with_cursors(0, &Resources::default(), None, None));
        }
        let asked = self.asked(&mapping, kind, query).await?;
        let cut = |order: &Order| {
            let page = Page::cut(order, &position, query.count);
            (page.range.clone(), page)
        };
        let (order, page, looked) = self.cut(cx, &asked, cut).await?;
        let resources = self.resources(cx, &asked, &looked).await?;
        let seal = |position: Option<Position>| position.and_then(|position| self.seal.seal(position, digest, &cx.client));
        let (next, previous) = (seal(page.next), seal(page.previous));
        Ok(list_response_with_cursors(order.len(), &resources, next.as_deref(), previous.as_deref()))
    }

    /// One page over both resource types, users first (RFC 7644 section 3.4.2.1). A type that lacks an attribute of the query
    /// has no resource that matches; a query that fits neither is refused.
    pub async fn search_all(&self, cx: &mut Context, body: &Value) -> Result<Json, ScimError> {
        let registry = self.registry();
        let mut queries = Vec::new();
        let mut refusal = None;
        for kind in [Kind::User, Kind::Group] {
            match ListQuery::from_search_request(body, registry.get(kind), &self.budgets, &mut cx.dialect) {
                Ok(query) => queries.push((kind, query)),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        if let (true, Some(error)) = (queries.is_empty(), refusal) {
            return Err(error);
        }
        if queries.iter().any(|(_, query)| query.cursor.is_some()) {
            return Err(ScimError::bad_request(
                ScimType::InvalidValue,
                "A query of both resource types is paged by startIndex; cursors are for /Users/.search and /Groups/.search.",
            ));
        }
        let start_index = queries.first().map_or(1, |(_, query)| query.start_index);
        let (mut total, mut resources) = (0, Resources::default());
        for (kind, mut query) in queries {
            query.start_index = start_index.saturating_sub(total).max(1);
            query.count -= resources.len();
            let (matching, page) = self.page(cx, kind, &query).await?;
            total += matching;
            resources.append(page);
        }
        Ok(list_response(total, start_index, &resources))
    }

    /// How many match, and those of the page.
    async fn page(&self, cx: &mut Context, kind: Kind, query: &ListQuery) -> Result<(usize, Resources), ScimError> {
        let mapping = self.mapping().await?;
        if kind == Kind::Group && !mapping.groups_sync {
            return Ok((0, Resources::default()));
        }
        let since = self.cache.reading();
        let asked = self.asked(&mapping, kind, query).await?;
        let page = |total: usize| {
            let start = query.start_index.saturating_sub(1).min(total);
            start..start.saturating_add(query.count).min(total)
        };
        let (total, looked) = if let Some(mut found) = self.few(cx, &asked, since).await? {
            let total = found.len();
            found.truncate(page(total).end);
            (total, found.split_off(page(total).start))
        } else {
            let (order, (), looked) = self.cut(cx, &asked, |order| (page(order.len()), ())).await?;
            (order.len(), looked)
        };
        let resources = self.resources(cx, &asked, &looked).await?;
        Ok((total, resources))
    }

    async fn asked<'a>(&self, mapping: &'a Mapping, kind: Kind, query: &'a ListQuery) -> Result<Asked<'a>, ScimError> {
        let side = mapping.of(kind);
        let Translation { search, exact } = self.translate(mapping, side, query).await?;
        let selective = search.is_selective();
        Ok(Asked { mapping, side, query, search: Search::all([side.visible(), search]), exact, selective })
    }

    async fn translate(&self, mapping: &Mapping, side: &ResourceMapping, query: &ListQuery) -> Result<Translation, ScimError> {
        let Some(filter) = &query.filter else { return Ok(Translation { search: Search::everything(), exact: true }) };
        let ids = references_in(filter);
        let targets = if ids.is_empty() {
            Targets::new()
        } else {
            self.cache
                .targets(&*self.directory, mapping, &[Kind::User, Kind::Group], ids)
                .await
                .map_err(|e| error::refused(side, e))?
        };
        side.translate(filter, &targets)
    }

    async fn search(
        &self,
        side: &ResourceMapping,
        filter: Search,
        attributes: impl Into<Arc<[String]>>,
    ) -> Result<Vec<Entry>, ScimError> {
        let request = SearchRequest::below(&side.base, filter, attributes).from_replica();
        Ok(self.directory.search(&request).await.map_err(|e| error::refused(side, e))?.entries)
    }

    /// The ids of all that the search finds.
    async fn ids(&self, side: &ResourceMapping, search: Search, source: Source) -> Result<Vec<Uuid>, ScimError> {
        let request = SearchRequest::below(&side.base, search, vec![side.profile.id.to_owned()]);
        let found = self.directory.identifiers(&SearchRequest { source, ..request }, side.profile).await;
        found.map_err(|e| error::refused(side, e))
    }

    /// Those of the resources that are there and visible.
    async fn visible(&self, side: &ResourceMapping, ids: &[Uuid]) -> Result<Vec<Uuid>, ScimError> {
        let batches: Vec<_> = ids.chunks(BATCH).map(|ids| self.ids(side, by_ids(side, ids), Source::Provider)).collect();
        stream::iter(batches).buffered(SIDE_BY_SIDE).try_concat().await
    }

    /// All that match, where an index leads to a few of them: what a client asks before it creates must be answered as it is now,
    /// whoever else writes to the directory. `None` where there are more.
    async fn few(&self, cx: &Context, asked: &Asked<'_>, since: Reading) -> Result<Option<Vec<Looked>>, ScimError> {
        let Asked { side, query, search, exact, .. } = asked;
        if query.sort_by.is_some() || !asked.selective {
            return Ok(None);
        }
        // What was found is of use where the resources are remembered too.
        let filter = query.filter.as_ref().filter(|_| self.cache.remembers(side));
        let question = filter.map(|filter| Question { kind: side.ty.kind, filter: filter.to_string() });
        let wanted = Wanted::of(side, &query.projection);
        if let Some(ids) = question.as_ref().and_then(|question| self.cache.found(question)) {
            let remembered = self.all_remembered(side, &ids, &wanted).into_iter();
            if let Some(looked) = remembered.map(|remembered| remembered.map(Looked::Remembered)).collect() {
                return Ok(Some(looked));
            }
        }
        let attributes =
            if *exact { side.attributes(&query.projection) } else { side.attributes_for(query, &query.projection).into() };
        let request =
            SearchRequest { size_limit: FEW, ..SearchRequest::below(&side.base, search.clone(), attributes).from_replica() };
        let found = self.directory.search(&request).await.map_err(|e| error::refused(side, e))?;
        if found.truncated {
            return Ok(None);
        }
        let entries = if *exact {
            found.entries
        } else {
            let matching = self.matching(cx, asked, &found.entries).await?;
            matching.into_iter().map(|(entry, _)| entry.clone()).collect()
        };
        if let [one] = entries.as_slice() {
            self.cache.note(side, one, since);
            self.cache.note_entry(side, one, &wanted.attributes, since);
        } else {
            self.cache.note_listed(side, &entries, &wanted.attributes, since);
        }
        if let Some((question, ids)) = question.zip(entries.iter().map(|entry| side.id(entry)).collect::<Option<Vec<Uuid>>>()) {
            self.cache.note_found(question, ids.into(), since);
        }
        Ok(Some(entries.into_iter().map(|entry| Looked::Read(entry, since)).collect()))
    }

    /// A page, and the order that it was cut from, as `page` cuts it. Where somebody of it was not found, nobody counts them either.
    async fn cut<P>(
        &self,
        cx: &Context,
        asked: &Asked<'_>,
        page: impl Fn(&Order) -> (Range<usize>, P),
    ) -> Result<(Order, P, Vec<Looked>), ScimError> {
        let order = self.order(cx, asked).await?;
        let (range, cut) = page(&order);
        let ids = order.get(range).unwrap_or_default();
        let looked = self.entries(asked, ids).await?;
        if looked.len() == ids.len() {
            return Ok((order, cut, looked));
        }
        let again = self.order(cx, asked).await?;
        if Arc::ptr_eq(&order, &again) {
            return Ok((order, cut, looked));
        }
        let (range, cut) = page(&again);
        let looked = self.entries(asked, again.get(range).unwrap_or_default()).await?;
        Ok((again, cut, looked))
    }

    /// The ids of all that match, in an order that stays the same from page to page.
    async fn order(&self, cx: &Context, asked: &Asked<'_>) -> Result<Order, ScimError> {
        let Asked { side, query, .. } = asked;
        if query.filter.is_none() && query.sort_by.is_none() {
            // A replica may not have yet what was told already.
            let source = if self.cache.is_following() { Source::Provider } else { Source::Replica };
            let read = self.ids(side, asked.search.clone(), source);
            let look = async |ids: Vec<Uuid>| self.visible(side, &ids).await;
            return self.cache.order_of_all((side.ty.kind, side.hides_some()), read, look).await;
        }
        let filter = query.filter.as_ref().map(ToString::to_string).unwrap_or_default();
        let sort = query.sort_by.as_ref().map(ToString::to_string).unwrap_or_default();
        let key = format!("{}\n{filter}\n{sort}\n{}", side.ty.kind.name(), query.descending);
        let evaluate = async {
            if asked.exact && query.sort_by.is_none() {
                self.ids(side, asked.search.clone(), Source::Replica).await
            } else {
                self.evaluated(cx, asked).await
            }
        };
        self.cache.order_of_query(key, evaluate).await
    }

    /// Reads whatever might match, evaluates the filter on each and sorts.
    async fn evaluated(&self, cx: &Context, asked: &Asked<'_>) -> Result<Vec<Uuid>, ScimError> {
        let Asked { side, query, search, .. } = asked;
        let found = self.search(side, search.clone(), side.attributes_for(query, &Projection::Only(Vec::new()))).await?;
        let mut matching = self.matching(cx, asked, &found).await?;
        if let Some(path) = &query.sort_by {
            crate::scim::sort(&mut matching, |(_, resource)| resource, path, query.descending);
        }
        Ok(matching.into_iter().filter_map(|(entry, _)| side.id(entry)).collect())
    }

    /// Those of the entries that satisfy the filter, with the resources they are.
    async fn matching<'a>(
        &self,
        cx: &Context,
        asked: &Asked<'_>,
        found: &'a [Entry],
    ) -> Result<Vec<(&'a Entry, Resource)>, ScimError> {
        let Asked { mapping, side, query, exact, .. } = asked;
        let references: Vec<Dn> = found.iter().flat_map(|entry| side.references(entry)).collect();
        let names = self.names(mapping, &references).await?;
        let context = ReadContext { base_url: &cx.base_url, linked: Linked::Names(&names), groups: None };
        // What an exact search found is not looked at again: the groups of a user, say, are not in what is read here.
        let open = query.filter.as_ref().filter(|_| !exact);
        let mut matching = Vec::new();
        for some in found.chunks(AT_ONCE) {
            for entry in some {
                let resource = side.read(entry, context);
                if open.is_none_or(|filter| filter.matches(&resource)) {
                    matching.push((entry, sorted_by(resource, query)));
                }
            }
            // A long list and a long filter must not keep others waiting.
            tokio::task::yield_now().await;
        }
        Ok(matching)
    }

    /// The entries with these ids, in this order; those removed meanwhile are left out.
    async fn entries(&self, asked: &Asked<'_>, ids: &[Uuid]) -> Result<Vec<Looked>, ScimError> {
        let Asked { side, query, .. } = asked;
        let (mut known, mut unknown) = (HashMap::with_capacity(ids.len()), Vec::new());
        let wanted = Wanted::of(side, &query.projection);
        for (id, remembered) in ids.iter().zip(self.all_remembered(side, ids, &wanted)) {
            match remembered {
                Some(remembered) => {
                    known.insert(*id, Looked::Remembered(remembered));
                }
                None => unknown.push(*id),
            }
        }
        let since = self.cache.reading();
        let attributes = side.attributes(&query.projection);
        let batch = |ids: &[Uuid]| self.search(side, by_ids(side, ids), attributes.clone());
        let found = try_join_all(unknown.chunks(BATCH).map(batch)).await?;
        let found: Vec<Entry> = found.into_iter().flatten().collect();
        self.cache.note_listed(side, &found, &wanted.attributes, since);
        known.extend(found.into_iter().filter_map(|entry| Some((side.id(&entry)?, Looked::Read(entry, since)))));
        for id in unknown.iter().filter(|id| !known.contains_key(id)) {
            self.cache.missed(side.ty.kind, *id);
        }
        Ok(ids.iter().filter_map(|id| known.remove(id)).collect())
    }

    async fn resources(&self, cx: &Context, asked: &Asked<'_>, looked: &[Looked]) -> Result<Resources, ScimError> {
        let Asked { mapping, side, query, .. } = asked;
        // What all of them refer to is asked for together, and so are the groups they are in.
        let references: Vec<Vec<Dn>> = looked.iter().map(|looked| side.references(looked.entry())).collect();
        let names = self.names(mapping, &references.concat()).await?;
        for (looked, references) in looked.iter().zip(&references) {
            if let Looked::Read(entry, since) = looked {
                self.note_members(side, entry, &query.projection, (references, &names), *since);
            }
        }
        drop(references);
        let view = side.view(&query.projection);
        let groups = if view.shows_groups() {
            self.groups_of_all(mapping, looked.iter().map(Looked::entry).collect()).await?
        } else {
            Vec::new()
        };
        let mut groups = groups.iter();
        let mut resources = Resources::default();
        for some in looked.chunks(AT_ONCE) {
            for looked in some {
                let groups = groups.next().map(|groups| &**groups);
                let linked = looked.members().map_or(Linked::Names(&names), |members| Linked::Members(&members.names));
                let context = ReadContext { base_url: &cx.base_url, linked, groups };
                resources.push(&shown(cx, side, (&view, &query.projection), looked.entry(), context));
            }
            // A long page must not keep others waiting.
            tokio::task::yield_now().await;
        }
        Ok(resources)
    }
}

/// A resource of a list.
enum Looked {
    /// Read since.
    Read(Entry, Reading),
    Remembered(Remembered),
}

impl Looked {
    fn entry(&self) -> &Entry {
        match self {
            Self::Read(entry, _) | Self::Remembered(Remembered { entry, .. }) => entry,
        }
    }

    fn members(&self) -> Option<&Members> {
        match self {
            Self::Read(..) => None,
            Self::Remembered(Remembered { members, .. }) => members.as_deref(),
        }
    }
}

/// Those of the resources with these ids that are visible.
pub(super) fn by_ids(side: &ResourceMapping, ids: &[Uuid]) -> Search {
    Search::all([side.visible(), Search::Or(ids.iter().map(|id| side.by_uuid(*id)).collect())])
}

/// What an order needs of a resource: the attribute it is sorted by, so that a long list is not held whole.
fn sorted_by(mut resource: Resource, query: &ListQuery) -> Resource {
    let mut key = Resource::new();
    if let Some((path, value)) = query.sort_by.as_ref().and_then(|path| Some((path, resource.remove(path)?))) {
        key.set(path, value);
    }
    key
}
