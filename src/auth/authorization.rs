//! The Authorization header of a request (RFC 9110 section 11.6.2).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

/// Longer credentials are nobody's: tokens with many roles in them have a few thousand characters.
const LONGEST: usize = 16 << 10;

/// Which forms of the header are read beside `Bearer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderForms {
    /// User name and password (RFC 7617).
    pub basic: bool,
    /// Further words that stand for `Bearer`.
    pub words: Vec<Arc<str>>,
    /// A key or token without any word before it.
    pub bare: bool,
}

/// How a key or token was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// As a standard has it.
    Standard,
    /// After a word of the administrator's choice.
    OtherWord,
    /// Without a word.
    NoWord,
}

/// What the header holds.
#[derive(Debug)]
pub(super) enum Credential<'a> {
    /// There is none.
    Absent,
    /// Something that is not accepted here in this form.
    Malformed,
    /// A key or token (RFC 6750 section 2.1).
    Token(&'a str, Writing),
    /// A user name and a password (RFC 7617 section 2).
    Password(UserPassword),
}

/// A user name and a password.
pub(super) struct UserPassword {
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
}

impl std::fmt::Debug for UserPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserPassword").field("user", &self.user).finish_non_exhaustive()
    }
}

impl<'a> Credential<'a> {
    /// Reads it. Scheme words have no case (RFC 9110 section 11.1).
    pub(super) fn of(headers: &'a HeaderMap, forms: &HeaderForms) -> Self {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = given.next() else { return Self::Absent };
        let Some(text) = value.to_str().ok().filter(|text| text.len() <= LONGEST && given.next().is_none()) else {
            return Self::Malformed;
        };
        let text = text.trim_matches(' ');
        let (word, rest) = text.split_once(' ').map_or((text, None), |(word, rest)| (word, Some(rest.trim_matches(' '))));
        let writing = if word.eq_ignore_ascii_case("Bearer") {
            Some(Writing::Standard)
        } else {
            forms.words.iter().any(|known| word.eq_ignore_ascii_case(known)).then_some(Writing::OtherWord)
        };
        let basic = word.eq_ignore_ascii_case("Basic");
        match (writing, rest) {
            (Some(writing), Some(token)) if !token.is_empty() => Self::Token(token, writing),
            (None, Some(coded)) if basic && forms.basic => UserPassword::read(coded).map_or(Self::Malformed, Self::Password),
            (None, None) if forms.bare && !basic && !word.is_empty() => Self::Token(word, Writing::NoWord),
            (Some(_) | None, Some(_) | None) => Self::Malformed,
        }
    }
}

impl UserPassword {
    fn read(coded: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(coded).ok()?);
        let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
        Some(Self { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(forms: &HeaderForms, values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        match Credential::of(&headers, forms) {
            Credential::Absent => "absent".to_owned(),
            Credential::Malformed => "malformed".to_owned(),
            Credential::Token(token, writing) => format!("{token} {writing:?}"),
            Credential::Password(UserPassword { user, password }) => format!("{user}|{}", &*password),
        }
    }

    #[test]
    fn a_form_is_read_where_it_is_wanted() {
        let strict = HeaderForms::default();
        let wide = HeaderForms { basic: true, words: vec!["oauth2".into()], bare: true };
        let basic = format!("basic {}", STANDARD.encode("ping:a:é"));
        for (value, strictly, widely) in [
            ("Bearer  x ", "x Standard", "x Standard"),
            ("bEARER x y", "x y Standard", "x y Standard"),
            ("OAuth2 x", "malformed", "x OtherWord"),
            ("x", "malformed", "x NoWord"),
            (&*basic, "malformed", "ping|a:é"),
            ("Basic", "malformed", "malformed"),
            ("Bearer", "malformed", "malformed"),
            ("Bearer ", "malformed", "malformed"),
            ("oauth2", "malformed", "malformed"),
            ("", "malformed", "malformed"),
            ("Basic !", "malformed", "malformed"),
            ("Basic cGluZw==", "malformed", "malformed"),
            ("Digest x", "malformed", "malformed"),
            ("\u{e9}", "malformed", "malformed"),
        ] {
            assert_eq!(read(&strict, &[value]), strictly, "{value}");
            assert_eq!(read(&wide, &[value]), widely, "{value}");
        }
        assert_eq!(read(&wide, &[]), "absent");
        assert_eq!(read(&wide, &["Bearer x", "Bearer x"]), "malformed");
        assert_eq!(read(&wide, &[&format!("Bearer {}", "x".repeat(LONGEST))]), "malformed");
    }

    #[test]
    fn a_password_is_not_printed() {
        let password = UserPassword::read(&STANDARD.encode("ping:secret")).unwrap();
        assert!(!format!("{password:?}").contains("secret"));
    }
}
