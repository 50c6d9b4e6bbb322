//! The orders that pages are cut from: the ids of all that match, so that a walk through a list costs the same at every page, counts
//! truly, and neither skips nor repeats. That of a whole branch is read once, and then kept up by our own writes and by what the
//! directory tells of others'. That of a filtered list any write may change, so it is worked out anew.

use std::collections::HashSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use uuid::Uuid;

use super::freshness::{Freshness, Reading};
use super::{MembershipCache, OVERHEAD};
use crate::scim::Kind;

/// How long an order is used while nothing tells what others change, and that of a filtered list at most.
const LIFETIME: Duration = Duration::from_secs(10);
/// An order that others may have made untrue is used for so many times as long as it took to read: however much they change, no more
/// than a tenth of the time goes into reading.
const PATIENCE: u32 = 10;
/// What the orders of filtered lists may take together, in bytes.
const FILTERED: u64 = 16 << 20;
/// So many resources are looked for by their ids, or a quarter of those that there are. Where more are in doubt the branch is read,
/// which then costs the directory less.
const DOUBTS: usize = 500;
/// So many changes are kept while a branch is read; after more it is read again.
const MEANWHILE: usize = 10_000;

/// Ids in the order of the list.
pub type Order = Arc<Vec<Uuid>>;

/// Every order.
#[derive(Debug)]
pub(super) struct Orders {
    users: Branch,
    groups: Branch,
    /// Of filtered and sorted lists, by the query.
    filtered: Cache<String, Arc<Answer>>,
    ttl: Duration,
}

/// The order of a whole branch.
#[derive(Debug, Default)]
struct Branch {
    /// Held while the branch or some of it is read, so that it is read once for all who wait.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    /// What happened since the branch began to be read: the search may have found it or not.
    meanwhile: Option<Vec<(Uuid, Change)>>,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Created,
    Removed,
    /// The directory told that its entry was made or changed; `is_news` if that is not the echo of what is known.
    Told {
        is_news: bool,
    },
    /// It was not found.
    Missed,
}

/// An order as it was read.
#[derive(Debug)]
struct Answer {
    since: Reading,
    took: Duration,
    ids: Order,
}

/// The order of a branch, and what has become of it.
#[derive(Debug)]
struct Known {
    answer: Answer,
    /// Whether a change can make an entry invisible that stays in its place.
    hides: bool,
    /// What is in the order.
    present: HashSet<Uuid>,
    /// What is gone and still to be taken out of it.
    gone: Vec<Uuid>,
    /// Of what it is to be seen whether it is in the order.
    doubtful: HashSet<Uuid>,
    /// What is being looked for.
    sought: HashSet<Uuid>,
}

/// What there is of an order.
enum Stand {
    Settled(Order),
    /// All but whether these are in it.
    Open(Vec<Uuid>),
    Unknown,
}

impl Answer {
    async fn read<E>(freshness: &Freshness, read: impl Future<Output = Result<Vec<Uuid>, E>>) -> Result<Self, E> {
        let since = freshness.reading();
        let ids = Arc::new(read.await?);
        Ok(Self { took: since.age(), since, ids })
    }

    /// Whether an order that others may have changed since is good enough.
    fn is_young(&self) -> bool {
        let age = self.since.age();
        age < LIFETIME && age < self.took * PATIENCE
    }
}

impl Known {
    fn new(answer: Answer, hides: bool) -> Self {
        let present = answer.ids.iter().copied().collect();
        Self { answer, hides, present, gone: Vec::new(), doubtful: HashSet::new(), sought: HashSet::new() }
    }

    fn serves(&self, freshness: &Freshness, ttl: Duration) -> bool {
        if freshness.has_gap_since(self.answer.since) {
            return self.answer.is_young();
        }
        self.answer.since.age() < if freshness.is_following() { ttl } else { LIFETIME }
    }

    fn apply(&mut self, id: Uuid, change: Change) {
        let is_present = self.present.contains(&id);
        match change {
            Change::Created => self.put(id),
            Change::Removed => self.take(id),
            Change::Told { is_news } if !is_present || self.hides && is_news => self.doubt(id),
            Change::Missed if is_present => self.doubt(id),
            Change::Told { .. } | Change::Missed => {}
        }
    }

    fn put(&mut self, id: Uuid) {
        self.settle(id);
        if self.present.insert(id) {
            match self.gone.iter().position(|gone| *gone == id) {
                // It is in its place still.
                Some(at) => drop(self.gone.swap_remove(at)),
                None => Arc::make_mut(&mut self.answer.ids).push(id),
            }
        }
    }

    fn take(&mut self, id: Uuid) {
        self.settle(id);
        if self.present.remove(&id) {
            self.gone.push(id);
        }
    }

    fn doubt(&mut self, id: Uuid) {
        self.settle(id);
        self.doubtful.insert(id);
    }

    fn is_mostly_doubtful(&self) -> bool {
        self.doubtful.len() > DOUBTS.max(self.present.len() / 4)
    }

    /// Whatever is found of it by a look that is under way, may be from before this.
    fn settle(&mut self, id: Uuid) {
        self.sought.remove(&id);
        self.doubtful.remove(&id);
    }

    /// The order without what is gone.
    fn order(&mut self) -> Order {
        if !self.gone.is_empty() {
            let mut gone = mem::take(&mut self.gone);
            gone.sort_unstable();
            Arc::make_mut(&mut self.answer.ids).retain(|id| gone.binary_search(id).is_err());
        }
        self.answer.ids.clone()
    }
}

impl Branch {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, id: Uuid, change: Change) {
        let State { known, meanwhile } = &mut *self.state();
        if let Some(all) = meanwhile {
            all.push((id, change));
        }
        if let Some(known) = known {
            known.apply(id, change);
        }
        // Nobody may ask for it for a long time.
        meanwhile.take_if(|all| all.len() > MEANWHILE);
        known.take_if(|known| known.is_mostly_doubtful());
    }

    /// The order, if nothing of it is open.
    fn settled(&self, serves: impl Fn(&Known) -> bool) -> Option<Order> {
        let mut state = self.state();
        let known = state.known.as_mut().filter(|known| known.doubtful.is_empty() && known.sought.is_empty() && serves(known));
        known.map(Known::order)
    }

    /// What there is of the order, for who has the turn: what is open is sought from now on.
    fn stand(&self, serves: impl Fn(&Known) -> bool) -> Stand {
        let mut state = self.state();
        let Some(known) = state.known.as_mut().filter(|known| serves(known)) else { return Stand::Unknown };
        // Who sought before may have given up.
        known.sought.extend(known.doubtful.drain());
        if known.sought.is_empty() { Stand::Settled(known.order()) } else { Stand::Open(known.sought.iter().copied().collect()) }
    }

    /// The order after these of the sought were found. `None` if it is not known any more.
    fn found(&self, found: &[Uuid]) -> Option<Order> {
        let mut state = self.state();
        let known = state.known.as_mut()?;
        // What happened to others of them meanwhile is newer.
        for id in found {
            if known.sought.contains(id) {
                known.put(*id);
            }
        }
        for id in mem::take(&mut known.sought) {
            known.take(id);
        }
        Some(known.order())
    }

    async fn order<E, F: Future<Output = Result<Vec<Uuid>, E>>>(
        &self,
        (freshness, ttl, hides): (&Freshness, Duration, bool),
        read: impl Future<Output = Result<Vec<Uuid>, E>>,
        look: impl FnOnce(Vec<Uuid>) -> F,
    ) -> Result<Order, E> {
        let serves = |known: &Known| known.serves(freshness, ttl);
        if let Some(order) = self.settled(serves) {
            return Ok(order);
        }
        let _turn = self.turn.lock().await;
        match self.stand(serves) {
            Stand::Settled(order) => return Ok(order),
            Stand::Open(sought) => {
                let found = look(sought).await?;
                if let Some(order) = self.found(&found) {
                    return Ok(order);
                }
            }
            Stand::Unknown => {}
        }
        *self.state() = State { known: None, meanwhile: Some(Vec::new()) };
        let mut known = Known::new(Answer::read(freshness, read).await?, hides);
        let mut state = self.state();
        let Some(meanwhile) = state.meanwhile.take() else { return Ok(known.answer.ids) };
        for (id, change) in meanwhile {
            known.apply(id, change);
        }
        let order = known.order();
        state.known = Some(known);
        Ok(order)
    }
}

impl Orders {
    pub(super) fn new(ttl: Duration) -> Self {
        let weight = |query: &String, answer: &Arc<Answer>| {
            u32::try_from(OVERHEAD + query.len() + answer.ids.len() * size_of::<Uuid>()).unwrap_or(u32::MAX)
        };
        let filtered = Cache::builder().max_capacity(FILTERED).weigher(weight).time_to_live(LIFETIME).build();
        Self { users: Branch::default(), groups: Branch::default(), filtered, ttl }
    }

    fn branch(&self, kind: Kind) -> &Branch {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }
}

impl MembershipCache {
    /// The order of a whole branch: as it is known, or else what `read` finds. Of what others made or changed `look` finds those that
    /// are in it; `hides` says whether such a change can hide what is.
    ///
    /// # Errors
    /// That of `read` or `look`.
    pub async fn order_of_all<E, F: Future<Output = Result<Vec<Uuid>, E>>>(
        &self,
        (kind, hides): (Kind, bool),
        read: impl Future<Output = Result<Vec<Uuid>, E>>,
        look: impl FnOnce(Vec<Uuid>) -> F,
    ) -> Result<Order, E> {
        self.orders.branch(kind).order((&self.freshness, self.orders.ttl, hides), read, look).await
    }

    /// The order of a query, worked out if it is not known.
    ///
    /// # Errors
    /// That of `evaluate`.
    pub async fn order_of_query<E>(
        &self,
        query: String,
        evaluate: impl Future<Output = Result<Vec<Uuid>, E>>,
    ) -> Result<Order, E> {
        let holds = |answer: &Arc<Answer>| {
            self.freshness.is_unwritten_since(answer.since) && (self.freshness.is_untold_since(answer.since) || answer.is_young())
        };
        if let Some(answer) = self.orders.filtered.get(&query).filter(holds) {
            return Ok(answer.ids.clone());
        }
        let answer = Answer::read(&self.freshness, evaluate).await?;
        let ids = answer.ids.clone();
        self.orders.filtered.insert(query, Arc::new(answer));
        Ok(ids)
    }

    /// After an entry was made or changed by others, or so it seems.
    pub(super) fn changed_by_others(&self, kind: Kind, id: Uuid, is_news: bool) {
        self.orders.branch(kind).changed(id, Change::Told { is_news });
    }

    /// After a creation of ours.
    pub fn created(&self, kind: Kind, id: Uuid) {
        self.orders.branch(kind).changed(id, Change::Created);
    }

    /// After a removal, ours or one that was told.
    pub fn removed(&self, kind: Kind, id: Uuid) {
        self.orders.branch(kind).changed(id, Change::Removed);
    }

    /// After a resource was not found that was to be.
    pub fn missed(&self, kind: Kind, id: Uuid) {
        self.orders.branch(kind).changed(id, Change::Missed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Dn, FeedEvent};
    use crate::membership::freshness::Row;
    use crate::membership::noting::Write;
    use crate::membership::tests::following;

    const TTL: Duration = Duration::from_mins(5);

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    fn ids(numbers: &[u128]) -> Vec<Uuid> {
        numbers.iter().map(|n| id(*n)).collect()
    }

    /// A branch of which nothing is known yet, followed by the feed.
    struct Followed {
        branch: Branch,
        freshness: Freshness,
        hides: bool,
    }

    impl Followed {
        fn new(hides: bool) -> Self {
            let freshness = Freshness::new(TTL);
            freshness.follow(true);
            Self { branch: Branch::default(), freshness, hides }
        }

        async fn order<F: Future<Output = Result<Vec<Uuid>, ()>>>(
            &self,
            read: impl Future<Output = Result<Vec<Uuid>, ()>>,
            look: impl FnOnce(Vec<Uuid>) -> F,
        ) -> Result<Vec<Uuid>, ()> {
            let order = self.branch.order((&self.freshness, TTL, self.hides), read, look).await?;
            Ok(order.to_vec())
        }

        async fn read(&self, found: &[u128]) -> Vec<Uuid> {
            self.order(async { Ok(ids(found)) }, async |_| panic!("nothing is in doubt")).await.unwrap()
        }

        /// The order, in which these are looked for and those found.
        async fn look(&self, sought: &[u128], found: &[u128]) -> Vec<Uuid> {
            let look = async |mut these: Vec<Uuid>| {
                these.sort_unstable();
                assert_eq!(these, ids(sought));
                Ok(ids(found))
            };
            self.order(async { panic!("it is known") }, look).await.unwrap()
        }

        /// The order as it is known.
        async fn known(&self) -> Vec<Uuid> {
            self.order(async { panic!("it is known") }, async |_| panic!("nothing is in doubt")).await.unwrap()
        }

        /// Something may have changed that nothing told, a long time after the order was read.
        fn gap(&self) {
            self.freshness.all_changed();
            self.branch.state().known.as_mut().unwrap().answer.took = Duration::ZERO;
        }

        fn is(&self, n: u128, change: Change) {
            self.branch.changed(id(n), change);
        }
    }

    const NEWS: Change = Change::Told { is_news: true };

    #[tokio::test]
    async fn a_branch_is_read_once_and_kept_up_by_our_own_writes() {
        let followed = Followed::new(false);
        let first = followed.read(&[1, 2]).await;
        followed.is(3, Change::Created);
        followed.is(1, Change::Removed);
        assert_eq!((first, followed.known().await), (ids(&[1, 2]), ids(&[2, 3])));
        followed.is(2, Change::Removed);
        followed.is(2, Change::Created);
        assert_eq!(followed.known().await, ids(&[2, 3]), "it is where it was");
    }

    #[tokio::test]
    async fn what_changes_while_it_is_read_is_in_it_once() {
        let followed = Followed::new(false);
        let read = async {
            followed.is(2, Change::Created);
            followed.is(3, Change::Created);
            followed.is(1, Change::Removed);
            followed.is(2, NEWS);
            Ok(ids(&[1, 2]))
        };
        assert_eq!(followed.order(read, async |_| panic!("nothing is in doubt")).await.unwrap(), ids(&[2, 3]));
        assert_eq!(followed.known().await, ids(&[2, 3]));
    }

    #[tokio::test]
    async fn a_failed_reading_leaves_nothing_behind() {
        let followed = Followed::new(false);
        assert!(followed.order(async { Err(()) }, async |_| Ok(Vec::new())).await.is_err());
        followed.is(5, Change::Created);
        assert_eq!(followed.read(&[5]).await, ids(&[5]));
    }

    #[tokio::test]
    async fn what_others_make_is_looked_for_once_and_what_they_remove_is_gone() {
        let followed = Followed::new(false);
        followed.read(&[1, 2]).await;
        for n in [7, 1, 8, 7] {
            followed.is(n, NEWS);
        }
        assert_eq!(followed.look(&[7, 8], &[7]).await, ids(&[1, 2, 7]));
        followed.is(1, Change::Removed);
        assert_eq!(followed.known().await, ids(&[2, 7]));
        followed.is(2, Change::Missed);
        followed.is(9, Change::Missed);
        assert_eq!(followed.look(&[2], &[]).await, ids(&[7]));
    }

    #[tokio::test]
    async fn where_a_change_can_hide_an_entry_it_is_looked_for() {
        let followed = Followed::new(true);
        followed.read(&[1, 2, 3]).await;
        followed.is(1, NEWS);
        followed.is(2, Change::Told { is_news: false });
        followed.is(3, NEWS);
        assert_eq!(followed.look(&[1, 3], &[1]).await, ids(&[1, 2]));
    }

    #[tokio::test]
    async fn what_happens_to_an_entry_while_it_is_looked_for_counts() {
        let followed = Followed::new(false);
        followed.read(&[1]).await;
        (2..=4).for_each(|n| followed.is(n, NEWS));
        let look = async |_| {
            followed.is(2, Change::Removed);
            followed.is(3, Change::Created);
            followed.is(4, NEWS);
            Ok(ids(&[2, 4]))
        };
        assert_eq!(followed.order(async { panic!("it is known") }, look).await.unwrap(), ids(&[1, 3]));
        assert_eq!(followed.look(&[4], &[4]).await, ids(&[1, 3, 4]));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_look_to_the_next() {
        let followed = Followed::new(false);
        followed.read(&[1]).await;
        followed.is(2, NEWS);
        assert!(followed.order(async { panic!("it is known") }, async |_| Err(())).await.is_err());
        followed.is(3, NEWS);
        assert_eq!(followed.look(&[2, 3], &[2, 3]).await, ids(&[1, 2, 3]));
    }

    #[tokio::test]
    async fn after_a_gap_or_too_many_doubts_the_branch_is_read_anew() {
        let followed = Followed::new(false);
        followed.read(&[1]).await;
        followed.freshness.all_changed();
        followed.branch.state().known.as_mut().unwrap().answer.took = TTL;
        assert_eq!(followed.known().await, ids(&[1]), "reading it again would take up all the time");
        followed.gap();
        assert_eq!(followed.read(&[2]).await, ids(&[2]));
        (0..=DOUBTS as u128).for_each(|n| followed.is(1000 + n, NEWS));
        assert_eq!(followed.read(&[3]).await, ids(&[3]));
        let too_much = async {
            (0..=MEANWHILE as u128).for_each(|n| followed.is(100_000 + n, Change::Created));
            Ok(ids(&[4]))
        };
        followed.gap();
        assert_eq!(followed.order(too_much, async |_| Ok(Vec::new())).await.unwrap(), ids(&[4]));
        assert_eq!(followed.read(&[5]).await, ids(&[5]));
    }

    #[tokio::test]
    async fn the_order_of_a_query_is_used_until_we_write_or_others_are_told_to_have() {
        let cache = following();
        let keep = |took| {
            let answer = Answer { since: cache.reading(), took, ids: Arc::new(ids(&[1])) };
            cache.orders.filtered.insert("q".to_owned(), Arc::new(answer));
        };
        let order = async || cache.order_of_query("q".to_owned(), async { Ok::<_, ()>(ids(&[2])) }).await.unwrap().to_vec();
        let (old, new) = (ids(&[1]), ids(&[2]));
        keep(Duration::ZERO);
        assert_eq!(order().await, old);
        cache.hear(FeedEvent::Gone { branch: 0, id: id(7) });
        assert_eq!(order().await, new);
        keep(TTL);
        cache.hear(FeedEvent::Gone { branch: 0, id: id(7) });
        assert_eq!(order().await, old, "working it out again would take up all the time");
        cache.written(&Write { row: Row::of(&"uid=ann,dc=x".parse::<Dn>().unwrap().key()), is_user: true, is_group: false });
        assert_eq!(order().await, new);
        assert_eq!(order().await, new);
    }
}
