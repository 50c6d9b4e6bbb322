use super::*;

#[derive(Debug)]
struct Hand(Mutex<Timestamp>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl Hand {
    fn pass(&self, minutes: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
    }
}

fn rails(per_hour: usize, percent: usize) -> (Arc<Rails>, Arc<Hand>) {
    let clock = Arc::new(Hand(Mutex::new("2026-11-24T12:00:00Z".parse().unwrap())));
    let config = RailsConfig { deletes: Rail { per_hour, percent }, disables: Rail::default() };
    (Arc::new(Rails::new(config, clock.clone(), Arc::default())), clock)
}

/// Tries so many, all of which are made if they are let through, and tells how many were.
async fn made(rails: &Arc<Rails>, client: &str, tries: usize, population: usize) -> usize {
    let mut made = 0;
    for _ in 0..tries {
        if let Ok(permit) = rails.admit(&client.into(), Act::DeleteUser, async { Ok(population) }).await.unwrap() {
            permit.unwrap().made();
            made += 1;
        }
    }
    made
}

#[tokio::test]
async fn each_client_may_do_so_many_within_an_hour() {
    let (rails, clock) = rails(5, 0);
    assert_eq!(made(&rails, "ping", 3, 0).await, 3);
    clock.pass(30);
    assert_eq!(made(&rails, "ping", 10, 0).await, 2);
    assert_eq!(made(&rails, "okta", 10, 0).await, 5);
    // The first three are forgotten, but nobody has looked yet.
    clock.pass(31);
    assert_eq!(made(&rails, "ping", 1, 0).await, 0);
    assert_eq!(rails.states()[1].until, Some("2026-11-24T13:30:00Z".parse().unwrap()));
    clock.pass(29);
    assert_eq!(made(&rails, "ping", 10, 0).await, 5);
}

#[tokio::test]
async fn a_window_has_no_edge_to_do_twice_as_many_at() {
    let (rails, clock) = rails(5, 0);
    assert_eq!(made(&rails, "ping", 1, 0).await, 1);
    clock.pass(59);
    assert_eq!(made(&rails, "ping", 4, 0).await, 4);
    clock.pass(2);
    assert_eq!(made(&rails, "ping", 5, 0).await, 1);
}

#[tokio::test]
async fn a_share_is_that_of_before_the_first_and_one_at_least() {
    assert_eq!(made(&rails(0, 10).0, "ping", 50, 200).await, 20);
    assert_eq!(made(&rails(0, 10).0, "ping", 5, 3).await, 1);
    assert_eq!(made(&rails(7, 10).0, "ping", 50, 200).await, 7);
    assert_eq!(made(&rails(50, 10).0, "ping", 50, 200).await, 20);
    assert_eq!(made(&rails(0, 0).0, "ping", 0, 200).await, 0);
    let failing = rails(0, 10).0.admit(&"ping".into(), Act::DeleteUser, async { Err(ScimError::not_found("")) }).await;
    assert!(failing.is_err());
}

#[tokio::test]
async fn a_release_begins_anew_and_tells_whom_it_released() {
    let (rails, _) = rails(2, 0);
    assert_eq!(made(&rails, "ping", 3, 0).await, 2);
    assert_eq!(rails.release(Some("okta"), None), []);
    assert_eq!(rails.release(Some("ping"), Some(Act::DeleteGroup)), []);
    assert_eq!(rails.release(None, None), [("ping".into(), Act::DeleteUser)]);
    assert_eq!(rails.release(None, None), []);
    assert_eq!(made(&rails, "ping", 3, 0).await, 2);
    let text = rails.metrics.text(crate::telemetry::Exposition::OpenMetrics);
    assert!(text.contains("scimgate_rail_reached{client=\"ping\",act=\"delete-user\"} 1"), "{text}");
    assert!(text.contains("scimgate_rail_refusals_total{client=\"ping\",act=\"delete-user\"} 2"), "{text}");
}

#[tokio::test]
async fn what_fails_uses_up_nothing_and_the_next_one_waits_for_it() {
    let (rails, _) = rails(2, 0);
    let admit = || {
        let rails = rails.clone();
        async move { rails.admit(&"ping".into(), Act::DeleteUser, async { Ok(0) }).await.unwrap() }
    };
    let (one, two) = (admit().await.unwrap(), admit().await.unwrap());
    let (third, fourth) = (tokio::spawn(admit()), tokio::spawn(admit()));
    tokio::task::yield_now().await;
    assert!(!third.is_finished() && !fourth.is_finished());
    // One place becomes free: one of the two gets it, the other waits on.
    drop(one);
    one_of(&third, &fourth).await;
    two.unwrap().made();
    let (winner, waiting) = if third.is_finished() { (third, fourth) } else { (fourth, third) };
    let winner = winner.await.unwrap().unwrap().unwrap();
    assert!(!waiting.is_finished());
    winner.made();
    assert_eq!(waiting.await.unwrap().unwrap_err(), Reached { limit: 2, first: true });
    assert_eq!(admit().await.unwrap_err(), Reached { limit: 2, first: false });
}

async fn one_of<T>(one: &tokio::task::JoinHandle<T>, other: &tokio::task::JoinHandle<T>) {
    while !one.is_finished() && !other.is_finished() {
        tokio::task::yield_now().await;
    }
}

/// A hundred at once, every third of which fails.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_exactly_as_many_are_made_as_are_allowed() {
    let (rails, _) = rails(40, 0);
    let attempts = (0..100).map(|n| {
        let rails = rails.clone();
        tokio::spawn(async move {
            let admitted = rails.admit(&"ping".into(), Act::DeleteUser, async { Ok(0) }).await.unwrap();
            let Ok(permit) = admitted else { return false };
            let permit = permit.unwrap();
            tokio::task::yield_now().await;
            let works = n % 3 != 0;
            if works {
                permit.made();
            }
            works
        })
    });
    let mut made = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        made += usize::from(attempt.await.unwrap());
    }
    assert_eq!(made, 40);
}
