//! The orders that pages are cut from: the ids of all that match, remembered for a short while, so that a walk through a list
//! costs the same at every page, counts truly, and neither skips nor repeats.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use uuid::Uuid;

use crate::scim::{Kind, ScimError};

/// How long an order is used. Within it, a change made by another LDAP client is not seen in the list; ours are, at once.
const LIFETIME: Duration = Duration::from_secs(10);
/// Orders of filtered lists kept at once.
const FILTERED: u64 = 64;

/// Ids in the order of the list.
pub(super) type Order = Arc<Vec<Uuid>>;

/// Every order.
#[derive(Debug)]
pub(super) struct Orders {
    users: Branch,
    groups: Branch,
    /// Of filtered and sorted lists, by the query: any write may change them.
    filtered: Cache<String, Order>,
}

/// The order of a whole branch.
#[derive(Debug, Default)]
struct Branch {
    /// Held while the branch is read, so that it is read once for all who wait.
    reading: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    order: Option<(Instant, Order)>,
    /// Changes since the branch began to be read: the search may have found them or not.
    meanwhile: Option<Vec<Change>>,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Created(Uuid),
    Removed(Uuid),
}

impl Change {
    fn apply(self, ids: &mut Vec<Uuid>) {
        match self {
            Self::Created(id) if !ids.contains(&id) => ids.push(id),
            Self::Created(_) => {}
            Self::Removed(id) => ids.retain(|present| *present != id),
        }
    }
}

impl Branch {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that panics is done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<Order> {
        self.state().order.as_ref().filter(|(since, _)| since.elapsed() < LIFETIME).map(|(_, order)| order.clone())
    }

    fn changed(&self, change: Change) {
        let mut state = self.state();
        if let Some(meanwhile) = &mut state.meanwhile {
            meanwhile.push(change);
        }
        if let Some((_, order)) = &mut state.order {
            change.apply(Arc::make_mut(order));
        }
    }

    async fn order(&self, read: impl Future<Output = Result<Vec<Uuid>, ScimError>>) -> Result<Order, ScimError> {
        if let Some(order) = self.fresh() {
            return Ok(order);
        }
        let _reading = self.reading.lock().await;
        if let Some(order) = self.fresh() {
            return Ok(order);
        }
        let since = Instant::now();
        *self.state() = State { order: None, meanwhile: Some(Vec::new()) };
        let read = read.await;
        let meanwhile = self.state().meanwhile.take().unwrap_or_default();
        let mut ids = read?;
        for change in meanwhile {
            change.apply(&mut ids);
        }
        let order = Arc::new(ids);
        self.state().order = Some((since, order.clone()));
        Ok(order)
    }
}

impl Orders {
    pub(super) fn new() -> Self {
        let filtered = Cache::builder().max_capacity(FILTERED).time_to_live(LIFETIME).build();
        Self { users: Branch::default(), groups: Branch::default(), filtered }
    }

    fn branch(&self, kind: Kind) -> &Branch {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }

    /// The order of a whole branch, read if it is not known.
    pub(super) async fn whole(
        &self,
        kind: Kind,
        read: impl Future<Output = Result<Vec<Uuid>, ScimError>>,
    ) -> Result<Order, ScimError> {
        self.branch(kind).order(read).await
    }

    /// The order of a query, evaluated if it is not known.
    pub(super) async fn of_query(
        &self,
        query: String,
        evaluate: impl Future<Output = Result<Vec<Uuid>, ScimError>>,
    ) -> Result<Order, ScimError> {
        if let Some(order) = self.filtered.get(&query) {
            return Ok(order);
        }
        let order = Arc::new(evaluate.await?);
        self.filtered.insert(query, order.clone());
        Ok(order)
    }

    /// After a creation.
    pub(super) fn created(&self, kind: Kind, id: Uuid) {
        self.branch(kind).changed(Change::Created(id));
        self.filtered.invalidate_all();
    }

    /// After a removal.
    pub(super) fn removed(&self, kind: Kind, id: Uuid) {
        self.branch(kind).changed(Change::Removed(id));
        self.filtered.invalidate_all();
    }

    /// After a change to a resource.
    pub(super) fn changed(&self) {
        self.filtered.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[tokio::test]
    async fn a_branch_is_read_once_and_kept_up_by_our_own_writes() {
        let orders = Orders::new();
        let first = orders.whole(Kind::User, async { Ok(vec![id(1), id(2)]) }).await.unwrap();
        assert_eq!(*first, [id(1), id(2)]);
        orders.created(Kind::User, id(3));
        orders.removed(Kind::User, id(1));
        orders.created(Kind::Group, id(9));
        let second = orders.whole(Kind::User, async { panic!("it is known") }).await.unwrap();
        assert_eq!(*second, [id(2), id(3)]);
        assert_eq!(*first, [id(1), id(2)]);
    }

    #[tokio::test]
    async fn what_changes_while_it_is_read_is_in_it_once() {
        let orders = Orders::new();
        let read = async {
            orders.created(Kind::User, id(2));
            orders.created(Kind::User, id(3));
            orders.removed(Kind::User, id(1));
            Ok(vec![id(1), id(2)])
        };
        assert_eq!(*orders.whole(Kind::User, read).await.unwrap(), [id(2), id(3)]);
    }

    #[tokio::test]
    async fn a_failed_reading_leaves_nothing_behind() {
        let orders = Orders::new();
        let away = async { Err(ScimError::unavailable(1, "away")) };
        assert!(orders.whole(Kind::User, away).await.is_err());
        orders.created(Kind::User, id(5));
        assert_eq!(*orders.whole(Kind::User, async { Ok(vec![id(5)]) }).await.unwrap(), [id(5)]);
    }
}
