//! `scimgate key new`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Span, Timestamp};

use super::{complain, print};
use crate::auth::{GeneratedKey, Scope, is_client_name};
use crate::clock::{Clock as _, SystemClock};

/// When a key ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expiry {
    Days(i32),
    On(Date),
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let days = text.strip_suffix('d').and_then(|number| number.parse().ok()).filter(|days| (1..=36_500).contains(days));
        match (days, text.parse()) {
            (Some(days), _) => Ok(Self::Days(days)),
            (None, Ok(date)) => Ok(Self::On(date)),
            (None, Err(_)) => Err("expected days such as 90d, or a date such as 2027-02-22".to_owned()),
        }
    }
}

impl Expiry {
    fn date(self, now: Timestamp) -> Option<Date> {
        match self {
            Self::Days(days) => Offset::UTC.to_datetime(now).date().checked_add(Span::new().days(days)).ok(),
            Self::On(date) => Some(date),
        }
    }
}

/// What the key is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// To be sent with every request, until it ends.
    ApiKey(Option<Expiry>),
    /// The secret of a client of the authorization server.
    Client,
}

pub(super) fn new(name: &str, scopes: &[Scope], kind: Kind) -> ExitCode {
    if !is_client_name(name) {
        complain("--name takes up to 64 letters, digits, `-`, `_` and `.`\n");
        return ExitCode::from(2);
    }
    let key = match GeneratedKey::new() {
        Ok(key) => key,
        Err(error) => {
            complain(&format!("the operating system gives no random numbers: {error}\n"));
            return ExitCode::from(1);
        }
    };
    let hash = key.hash();
    let (mut lines, shown) = match kind {
        Kind::ApiKey(_) => {
            (format!("[[auth.api_keys]]\nname = \"{name}\"\nhash = \"{hash}\"\n"), format!("Key: {}", key.expose()))
        }
        Kind::Client => (
            format!("[[auth.oauth.clients]]\nid = \"{name}\"\nsecret_hash = \"{hash}\"\n"),
            format!("Client ID: {name}\nClient secret: {}", key.expose()),
        ),
    };
    // Writing to a String cannot fail.
    if !scopes.is_empty() {
        let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
        let _ = writeln!(lines, "scopes = [{}]", scopes.join(", "));
    }
    if let Kind::ApiKey(Some(expires)) = kind
        && let Some(date) = expires.date(SystemClock.now())
    {
        let _ = writeln!(lines, "expires = {date}");
    }
    print(&format!(
        "{shown}\n\nPaste it into the identity provider now: it is not shown again. Add these lines to scimgate.toml:\n\n{lines}"
    ));
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_in_days_or_on_a_date() {
        let now = "2026-11-24T23:00:00Z".parse().unwrap();
        let date = |text: &str| text.parse::<Expiry>().ok().and_then(|expiry| expiry.date(now)).map(|date| date.to_string());
        assert_eq!(date("90d").as_deref(), Some("2027-02-22"));
        assert_eq!(date("2027-01-01").as_deref(), Some("2027-01-01"));
        for bad in ["", "d", "0d", "-1d", "90", "soon", "2027-13-01"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
