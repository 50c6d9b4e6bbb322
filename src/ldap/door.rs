//! When an account may be tried again that was refused.

use std::time::Duration;

use tokio::time::Instant;

use super::sign_in::Trouble;

/// The first pause after an account was refused; it doubles up to the last. Directories lock an account that fails often in a
/// short time.
pub(super) const FIRST_REFUSED: Duration = Duration::from_secs(30);
const LAST_REFUSED: Duration = Duration::from_mins(5);

/// When the account may be tried again after it was refused.
#[derive(Debug, Default)]
pub(super) struct Door {
    pub(super) opens: Option<Instant>,
    pause: Option<Duration>,
}

impl Door {
    /// Takes in what came of an attempt.
    pub(super) fn learn<T>(&mut self, outcome: &Result<T, Trouble>) {
        match outcome {
            Ok(_) => *self = Self::default(),
            Err(Trouble::Refused(_)) => {
                let pause = self.pause.map_or(FIRST_REFUSED, |pause| (pause * 2).min(LAST_REFUSED));
                *self = Self { opens: Some(Instant::now() + pause), pause: Some(pause) };
            }
            // Whether the account is still refused is not known.
            Err(Trouble::Away(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_refused_is_left_alone_for_longer_and_longer() {
        let refused = || Err::<(), _>(Trouble::Refused(String::new()));
        let mut door = Door::default();
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let now = Instant::now();
            door.learn(&refused());
            // A server that is away meanwhile says nothing of the account.
            door.learn(&Err::<(), _>(Trouble::Away(String::new())));
            assert!(door.opens.unwrap() >= now + door.pause.unwrap());
            pauses.push(door.pause.unwrap().as_secs());
        }
        assert_eq!(pauses, [30, 60, 120, 240, 300, 300]);
        door.learn(&Ok(()));
        assert!(door.opens.is_none() && door.pause.is_none());
    }
}
