//! Things that were read together, kept together: what an entry of an ordinary cache takes beside its content, many share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use slab::Slab;
use uuid::Uuid;

use super::Reading;

/// What the place of one thing takes, in bytes: its key in the map, with the room that a map keeps free, and in the piece.
const PLACE: usize = 56;
/// What a piece takes beside its content and its places.
const PIECE: usize = 160;

/// Pieces of many things each, found by the key of any of them.
#[derive(Debug)]
pub(super) struct Pieces<P> {
    kept: Mutex<Kept<P>>,
    /// What all may take, in bytes.
    capacity: usize,
    ttl: Duration,
}

#[derive(Debug)]
struct Kept<P> {
    places: HashMap<Uuid, Place>,
    pieces: Slab<Slot<P>>,
    bytes: usize,
}

/// Which piece a thing is in, and as the how manyth.
#[derive(Debug, Clone, Copy)]
struct Place {
    piece: u32,
    at: u32,
}

#[derive(Debug)]
struct Slot<P> {
    piece: Arc<Piece<P>>,
    keys: Box<[Uuid]>,
    /// How many of its things are found here still.
    used: usize,
    bytes: usize,
}

/// Things that were read at one time.
#[derive(Debug)]
pub(super) struct Piece<P> {
    pub(super) since: Reading,
    pub(super) content: P,
}

/// A piece in which something is, and its place there.
pub(super) type Found<P> = (Arc<Piece<P>>, usize);

impl<P> Pieces<P> {
    pub(super) fn new(capacity: u64, ttl: Duration) -> Self {
        Self { kept: Mutex::new(Kept::new()), capacity: usize::try_from(capacity).unwrap_or(usize::MAX), ttl }
    }

    fn kept(&self) -> MutexGuard<'_, Kept<P>> {
        // Nothing that panics is done under the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for more without another's having to go before its time.
    pub(super) fn has_room(&self) -> bool {
        let mut kept = self.kept();
        if kept.bytes >= self.capacity / 20 * 19 {
            kept.retain(|piece| piece.since.age() < self.ttl);
        }
        kept.bytes < self.capacity / 20 * 19
    }

    /// Keeps things that were read since, in the order of their keys, instead of what there was of them. The content takes `size`
    /// bytes.
    pub(super) fn put(&self, keys: Vec<Uuid>, content: P, size: usize, since: Reading) {
        let mut kept = self.kept();
        let more = size + keys.len() * PLACE + PIECE;
        if keys.is_empty() || kept.bytes + more > self.capacity {
            return;
        }
        for key in &keys {
            kept.forget(key);
        }
        let Kept { places, pieces, bytes } = &mut *kept;
        let entry = pieces.vacant_entry();
        let Ok(piece) = u32::try_from(entry.key()) else { return };
        let mut used = 0;
        for (key, at) in keys.iter().zip(0..) {
            used += usize::from(places.insert(*key, Place { piece, at }).is_none());
        }
        entry.insert(Slot { piece: Arc::new(Piece { since, content }), keys: keys.into(), used, bytes: more });
        *bytes += more;
    }

    pub(super) fn get(&self, key: &Uuid) -> Option<Found<P>> {
        self.kept().get(key, self.ttl)
    }

    /// Of each of these.
    pub(super) fn get_all(&self, keys: &[Uuid]) -> Vec<Option<Found<P>>> {
        let kept = self.kept();
        keys.iter().map(|key| kept.get(key, self.ttl)).collect()
    }

    pub(super) fn forget(&self, key: &Uuid) {
        self.kept().forget(key);
    }

    pub(super) fn clear(&self) {
        *self.kept() = Kept::new();
    }
}

impl<P> Kept<P> {
    fn new() -> Self {
        Self { places: HashMap::new(), pieces: Slab::new(), bytes: 0 }
    }

    fn get(&self, key: &Uuid, ttl: Duration) -> Option<Found<P>> {
        let Place { piece, at } = *self.places.get(key)?;
        let piece = &self.pieces.get(usize::try_from(piece).ok()?)?.piece;
        (piece.since.age() < ttl).then(|| (piece.clone(), usize::try_from(at).unwrap_or(usize::MAX)))
    }

    fn forget(&mut self, key: &Uuid) {
        let Some(piece) = self.places.remove(key).and_then(|place| usize::try_from(place.piece).ok()) else { return };
        let Some(slot) = self.pieces.get_mut(piece) else { return };
        slot.used -= 1;
        if slot.used == 0 {
            self.bytes -= self.pieces.remove(piece).bytes;
        }
    }

    fn retain(&mut self, is_wanted: impl Fn(&Piece<P>) -> bool) {
        let Self { places, pieces, bytes } = self;
        pieces.retain(|number, Slot { piece, keys, bytes: freed, .. }| {
            let stays = is_wanted(piece);
            if !stays {
                for key in keys.iter() {
                    if places.get(key).is_some_and(|place| usize::try_from(place.piece) == Ok(number)) {
                        places.remove(key);
                    }
                }
                *bytes -= *freed;
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::freshness::Freshness;
    use super::*;

    const LONG: Duration = Duration::from_mins(5);

    fn now() -> Reading {
        Freshness::new(LONG).reading()
    }

    fn keys<const N: usize>(numbers: [u128; N]) -> Vec<Uuid> {
        numbers.map(Uuid::from_u128).to_vec()
    }

    fn found(pieces: &Pieces<&'static str>, key: u128) -> Option<(&'static str, usize)> {
        pieces.get(&Uuid::from_u128(key)).map(|(piece, at)| (piece.content, at))
    }

    #[test]
    fn each_thing_is_found_in_the_piece_that_was_put_last() {
        let pieces = Pieces::new(10_000, LONG);
        pieces.put(keys([1, 2, 3]), "first", 100, now());
        pieces.put(keys([3, 4]), "second", 100, now());
        assert_eq!(
            [1, 2, 3, 4, 5].map(|key| found(&pieces, key)),
            [Some(("first", 0)), Some(("first", 1)), Some(("second", 0)), Some(("second", 1)), None]
        );
        let all = pieces.get_all(&keys([4, 5]));
        assert!(all.first().is_some_and(Option::is_some) && all.last().is_some_and(Option::is_none));
        pieces.forget(&Uuid::from_u128(4));
        assert_eq!((found(&pieces, 3), found(&pieces, 4)), (Some(("second", 0)), None));
    }

    #[test]
    fn a_piece_of_which_nothing_is_found_any_more_takes_no_room() {
        let pieces = Pieces::new(10_000, LONG);
        pieces.put(keys([1, 2]), "first", 100, now());
        let one = pieces.kept().bytes;
        pieces.put(keys([1, 2]), "second", 100, now());
        assert_eq!(pieces.kept().bytes, one);
        // A thing that was read twice at one time counts once.
        pieces.put(keys([1, 1, 2]), "third", 100, now());
        for key in keys([1, 2, 2]) {
            pieces.forget(&key);
        }
        let kept = pieces.kept();
        assert_eq!((kept.bytes, kept.places.len(), kept.pieces.len()), (0, 0, 0));
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out_until_others_have_had_their_time() {
        let full = |ttl| {
            let pieces = Pieces::new(1_000, ttl);
            assert!(pieces.has_room());
            pieces.put(keys([1]), "first", 700, now());
            pieces.put(keys([2]), "second", 700, now());
            pieces
        };
        let pieces = full(LONG);
        assert_eq!((found(&pieces, 1), found(&pieces, 2)), (Some(("first", 0)), None));
        let pieces = Pieces::new(1_000, Duration::ZERO);
        pieces.put(keys([1]), "first", 750, now());
        assert_eq!(found(&pieces, 1), None, "its time is over");
        assert!(pieces.has_room());
        assert_eq!(pieces.kept().places.len(), 0);
    }
}
