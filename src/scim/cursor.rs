//! Cursors (RFC 9865): how far a walk through a list has come, bound to its query and its client. The bytes made here are sealed
//! before a client sees them, so that it can neither read nor make one.

use std::ops::Range;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::{ScimError, ScimType};
use super::query::ListQuery;

/// The first byte of every encoded cursor. Another layout gets another number, so that cursors of an older build are refused.
const LAYOUT: u8 = 1;
/// Bytes of an encoded cursor without an id.
const SHORT: usize = 1 + 16 + 16 + 8 + 8;
/// Longest cursor a client may send, in characters.
const LONGEST: usize = 512;

/// The `cursor` parameter of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorParameter {
    /// Empty: the first page, with cursors.
    First,
    /// As given out, sealed. Of characters that a URL holds unescaped, and not long.
    Sealed(String),
}

impl CursorParameter {
    pub(super) fn parse(text: String) -> Result<Self, ScimError> {
        if text.is_empty() {
            return Ok(Self::First);
        }
        // The unreserved characters of RFC 3986 section 2.3 (RFC 9865 section 2).
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if text.len() > LONGEST || !text.bytes().all(unreserved) {
            return Err(invalid());
        }
        Ok(Self::Sealed(text))
    }
}

/// What must stay the same from page to page: the resource type, the filter and the order. The size of the pages and the
/// attributes in them may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryDigest([u8; 16]);

impl QueryDigest {
    /// Of a query at an endpoint.
    pub fn new(endpoint: &str, query: &ListQuery) -> Self {
        let filter = query.filter.as_ref().map(ToString::to_string);
        let sort_by = query.sort_by.as_ref().map(ToString::to_string);
        let direction = if query.descending { "descending" } else { "ascending" };
        Self(digest([Some(endpoint), filter.as_deref(), sort_by.as_deref(), Some(direction)]))
    }
}

/// Half of SHA-256 over fields, each with its length before it, so that no two lists of fields are written alike.
fn digest<'a>(fields: impl IntoIterator<Item = Option<&'a str>>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for field in fields {
        match field {
            None => hash.update([0]),
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

/// A place in the order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// How many resources stand before it.
    index: u64,
    /// The last of them, by which the place is found again when others have come or gone.
    after: Option<Uuid>,
}

impl Position {
    /// Before the first resource.
    pub const START: Self = Self { index: 0, after: None };

    /// Before the resource at that index of the order.
    fn at(order: &[Uuid], index: usize) -> Self {
        let after = index.checked_sub(1).and_then(|last| order.get(last)).copied();
        Self { index: index as u64, after }
    }

    /// The index of the same place in the order as it is now. Where its neighbour is gone too, the place is taken to have moved up
    /// by that one: a resource seen twice does less harm than one never seen.
    fn find(&self, order: &[Uuid]) -> usize {
        let index = usize::try_from(self.index).unwrap_or(usize::MAX).min(order.len());
        let Some(after) = self.after else { return index };
        let last = index.saturating_sub(1);
        if order.get(last) == Some(&after) {
            return last + 1;
        }
        order.iter().position(|id| *id == after).map_or(last, |last| last + 1)
    }
}

/// One page of a list, and the places of its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Which of the order.
    pub range: Range<usize>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Position>,
    /// Where the page before begins; `None` on the first.
    pub previous: Option<Position>,
}

impl Page {
    /// Cuts a page of at most `count` resources, at least one, out of the order of all that match.
    pub fn cut(order: &[Uuid], from: &Position, count: usize) -> Self {
        let count = count.max(1);
        let start = from.find(order);
        let end = start.saturating_add(count).min(order.len());
        Self {
            range: start..end,
            next: (end < order.len()).then(|| Position::at(order, end)),
            previous: (start > 0).then(|| Position::at(order, start.saturating_sub(count))),
        }
    }
}

/// A cursor, unsealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    query: QueryDigest,
    client: [u8; 16],
    /// In seconds since 1970.
    issued: i64,
    position: Position,
}

impl Cursor {
    /// A cursor to be given out.
    pub fn new(query: QueryDigest, client: &str, now: Timestamp, position: Position) -> Self {
        Self { query, client: digest([Some(client)]), issued: now.as_second(), position }
    }

    /// The bytes to be sealed.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SHORT + 16);
        bytes.push(LAYOUT);
        bytes.extend(self.query.0);
        bytes.extend(self.client);
        bytes.extend(self.issued.to_be_bytes());
        bytes.extend(self.position.index.to_be_bytes());
        if let Some(id) = self.position.after {
            bytes.extend(id.into_bytes());
        }
        bytes
    }

    /// Reads unsealed bytes; nothing may be missing and nothing may follow.
    ///
    /// # Errors
    /// 400 `invalidCursor`.
    pub fn decode(bytes: &[u8]) -> Result<Self, ScimError> {
        fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
            let (head, tail) = rest.split_first_chunk()?;
            *rest = tail;
            Some(*head)
        }
        let mut rest = bytes;
        let mut read = || {
            let [LAYOUT] = take(&mut rest)? else { return None };
            let (query, client) = (QueryDigest(take(&mut rest)?), take(&mut rest)?);
            let (issued, index) = (i64::from_be_bytes(take(&mut rest)?), u64::from_be_bytes(take(&mut rest)?));
            let after = if rest.is_empty() { None } else { Some(Uuid::from_bytes(take(&mut rest)?)) };
            // Only the start has no neighbour.
            let fits = rest.is_empty() && (index == 0) == after.is_none();
            fits.then_some(Self { query, client, issued, position: Position { index, after } })
        };
        read().ok_or_else(invalid)
    }

    /// The place, if the cursor was given to this client for this query and is not older than `lifetime`.
    ///
    /// # Errors
    /// 400 `invalidCursor`, which does not tell what it is that differs, and 400 `expiredCursor`.
    pub fn redeem(&self, query: QueryDigest, client: &str, now: Timestamp, lifetime: Duration) -> Result<Position, ScimError> {
        if self.query != query || self.client != digest([Some(client)]) {
            return Err(invalid());
        }
        // One from the future was given out by a node whose clock is ahead.
        let age = u64::try_from(now.as_second().saturating_sub(self.issued)).unwrap_or(0);
        if age > lifetime.as_secs() {
            return Err(expired(lifetime));
        }
        Ok(self.position)
    }
}

/// 400 `invalidCursor`, for whatever reason.
pub fn invalid() -> ScimError {
    ScimError::bad_request(
        ScimType::InvalidCursor,
        "This cursor cannot be used: send nextCursor or previousCursor of the page before with the same query, by the same client, \
         or an empty cursor for the first page.",
    )
}

/// 400 `expiredCursor`.
fn expired(lifetime: Duration) -> ScimError {
    let seconds = lifetime.as_secs();
    ScimError {
        scim_type: Some(ScimType::ExpiredCursor),
        ..ScimError::new(
            StatusCode::BAD_REQUEST,
            format!("This cursor is older than {seconds} seconds (cursorTimeout): begin again with an empty cursor."),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scim::{Budgets, Dialect, SchemaRegistry};

    fn query(text: &str) -> ListQuery {
        ListQuery::from_query(text, &SchemaRegistry::builtin().user, &Budgets::default(), &mut Dialect::default()).expect(text)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ids(range: Range<u128>) -> Vec<Uuid> {
        range.map(|n| Uuid::from_u128(n + 1)).collect()
    }

    #[test]
    fn a_digest_holds_what_decides_the_order() {
        let digest = |text: &str| QueryDigest::new("/Users", &query(text));
        let same = digest("filter=userName+sw+%22a%22&sortBy=title");
        assert_eq!(digest("sortBy=title&filter=username%20SW%20%22a%22&count=7&attributes=title&cursor="), same);
        for other in [
            "sortBy=title",
            "filter=userName+sw+%22b%22&sortBy=title",
            "filter=userName+sw+%22a%22&sortBy=title&sortOrder=descending",
        ] {
            assert_ne!(digest(other), same, "{other}");
        }
        assert_ne!(QueryDigest::new("/Groups", &query("")), digest(""));
    }

    #[test]
    fn a_cursor_serves_its_client_and_query_for_a_while() {
        let (ours, other) = (QueryDigest::new("/Users", &query("")), QueryDigest::new("/Groups", &query("")));
        let position = Position::at(&ids(0..9), 3);
        let cursor = Cursor::new(ours, "ping", at(1000), position);
        let life = Duration::from_mins(10);
        let refused = |result: Result<Position, ScimError>| result.unwrap_err().scim_type;
        assert_eq!(cursor.redeem(ours, "ping", at(1600), life), Ok(position));
        assert_eq!(cursor.redeem(ours, "ping", at(900), life), Ok(position));
        assert_eq!(refused(cursor.redeem(ours, "ping", at(1601), life)), Some(ScimType::ExpiredCursor));
        assert_eq!(refused(cursor.redeem(ours, "okta", at(1000), life)), Some(ScimType::InvalidCursor));
        assert_eq!(refused(cursor.redeem(other, "ping", at(1000), life)), Some(ScimType::InvalidCursor));
        // One that is both old and of another query does not tell which.
        assert_eq!(refused(cursor.redeem(other, "ping", at(9000), life)), Some(ScimType::InvalidCursor));
    }

    #[test]
    fn the_first_page_has_no_previous_and_the_last_no_next() {
        let order = ids(0..5);
        let first = Page::cut(&order, &Position::START, 2);
        assert_eq!((first.range.clone(), first.previous), (0..2, None));
        let last = Page::cut(&order, &first.next.unwrap(), 3);
        assert_eq!((last.range.clone(), last.next), (2..5, None));
        assert_eq!(Page::cut(&order, &last.previous.unwrap(), 2).range, 0..2);
        assert_eq!(Page::cut(&[], &Position::START, 2), Page { range: 0..0, next: None, previous: None });
    }

    #[test]
    fn a_place_is_found_again_when_others_come_and_go() {
        let order = ids(0..6);
        let place = Position::at(&order, 3);
        let page = |order: &[Uuid]| order[Page::cut(order, &place, 10).range].to_vec();
        let without = |gone: &[usize]| -> Vec<Uuid> {
            order.iter().enumerate().filter(|(n, _)| !gone.contains(n)).map(|(_, id)| *id).collect()
        };
        assert_eq!(page(&without(&[0, 1])), order[3..]);
        assert_eq!(page(&without(&[2])), order[3..]);
        assert_eq!(page(&without(&[4])), [order[3], order[5]]);
        let more: Vec<Uuid> = ids(90..95).into_iter().chain(order.iter().copied()).collect();
        assert_eq!(page(&more), order[3..]);
        assert!(page(&[]).is_empty());
    }

    #[test]
    fn a_parameter_is_short_and_needs_no_escapes() {
        assert_eq!(CursorParameter::parse(String::new()), Ok(CursorParameter::First));
        assert_eq!(CursorParameter::parse("aZ0-._~".into()), Ok(CursorParameter::Sealed("aZ0-._~".into())));
        for text in ["a b".to_owned(), "a%20".to_owned(), "é".to_owned(), "=".to_owned(), "a".repeat(LONGEST + 1)] {
            assert_eq!(CursorParameter::parse(text).unwrap_err().scim_type, Some(ScimType::InvalidCursor));
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_and_nothing_else_is(index in 0usize..9, client in ".{0,9}", issued in 0i64..9_999_999, noise in any::<(u8, u8)>()) {
            let cursor = Cursor::new(QueryDigest(digest([Some(&*client)])), &client, at(issued), Position::at(&ids(0..9), index));
            let bytes = cursor.encode();
            prop_assert_eq!(Cursor::decode(&bytes), Ok(cursor));
            for cut in 0..bytes.len() {
                prop_assert!(Cursor::decode(&bytes[..cut]).is_err());
            }
            let longer = [bytes.clone(), vec![noise.0]].concat();
            prop_assert!(Cursor::decode(&longer).is_err());
            let mut other = bytes;
            other[0] = other[0].wrapping_add(noise.1.max(1));
            prop_assert!(Cursor::decode(&other).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(cursor) = Cursor::decode(&bytes) {
                prop_assert_eq!(cursor.encode(), bytes);
                let _ = Page::cut(&ids(0..3), &cursor.position, 2);
            }
        }

        #[test]
        fn a_walk_sees_every_resource_once(total in 0u128..40, count in 1usize..9) {
            let order = ids(0..total);
            let (mut seen, mut place) = (Vec::new(), Some(Position::START));
            while let Some(from) = place {
                let page = Page::cut(&order, &from, count);
                seen.extend_from_slice(&order[page.range]);
                place = page.next;
            }
            prop_assert_eq!(seen, order);
        }
    }
}
