//! Preconditions (RFC 7644 section 3.14, RFC 9110 section 13.1): `If-Match` and `If-None-Match` against a resource's version.
//!
//! Versions are compared weakly, by their opaque part alone. RFC 9110 section 13.1.1 asks for the strong comparison in
//! `If-Match`, by which a weak tag equals nothing; but a version here is weak, as in every example of RFC 7644, because one
//! version of an entry has many representations (`attributes`, the groups of a user). What `If-Match` is to prevent, the lost
//! update, the weak comparison prevents too: the change mark behind the tag differs after each write.

use std::fmt;
use std::str::FromStr;

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};

use super::error::{ScimError, ScimType};

/// Tags of one header at most.
const MOST_TAGS: usize = 32;

/// A resource's version: an entity tag (RFC 9110 section 8.8.3) without its weakness. `Display` writes the weak tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(Box<[u8]>);

/// The text is not an entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an entity tag such as W/\"1\"")]
pub struct NotATag;

impl Version {
    /// What stands between the quotation marks; of a version made here, the entry's change mark.
    pub fn mark(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Version {
    type Err = NotATag;

    fn from_str(text: &str) -> Result<Self, NotATag> {
        match tag(text.as_bytes()) {
            Some((version, [])) => Ok(version),
            Some(_) | None => Err(NotATag),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "W/\"{}\"", String::from_utf8_lossy(&self.0))
    }
}

/// `If-Match`, or the `version` of a bulk operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatch(Tags);

/// `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfNoneMatch(Tags);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    /// `*`
    Any,
    /// At least one.
    Of(Vec<Version>),
}

impl IfMatch {
    /// From a request's headers; `None` without one.
    ///
    /// # Errors
    /// 400 for a header that is not of the grammar, or of more tags than anyone has use for.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, ScimError> {
        Ok(Tags::from_headers(headers, &IF_MATCH)?.map(Self))
    }

    /// From the text of one header, or of a bulk operation's `version`.
    ///
    /// # Errors
    /// 400 as above.
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        let mut tags = Tags::Of(Vec::new());
        tags.extend(text.as_bytes()).and_then(|()| tags.complete()).map(Self).ok_or_else(|| malformed("The version"))
    }

    /// Whether a resource that exists in this version may be changed. Where this is false, the answer is [`changed_meanwhile`].
    pub fn allows(&self, current: &Version) -> bool {
        self.0.hold(current)
    }

    /// The change marks of which the entry must have one, to be asserted along with a modification; `None` if any will do.
    pub fn marks(&self) -> Option<impl Iterator<Item = &[u8]>> {
        match &self.0 {
            Tags::Any => None,
            Tags::Of(versions) => Some(versions.iter().map(Version::mark)),
        }
    }
}

impl IfNoneMatch {
    /// From a request's headers; `None` without one.
    ///
    /// # Errors
    /// 400 as for [`IfMatch::from_headers`].
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, ScimError> {
        Ok(Tags::from_headers(headers, &IF_NONE_MATCH)?.map(Self))
    }

    /// Whether a resource that exists in this version is to be served, or changed. Where this is false a GET is answered by 304,
    /// anything else by 412 (RFC 9110 section 13.1.2).
    pub fn allows(&self, current: &Version) -> bool {
        !self.0.hold(current)
    }
}

/// 412: the resource is no longer in the version the client has seen.
pub fn changed_meanwhile() -> ScimError {
    ScimError::new(
        StatusCode::PRECONDITION_FAILED,
        "The resource has changed since this version (If-Match); nothing was changed. Read it again, then repeat the change.",
    )
}

impl Tags {
    fn from_headers(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, ScimError> {
        let mut lines = headers.get_all(name).iter().peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        // Several lines of one header are one list (RFC 9110 section 5.3).
        let mut tags = Self::Of(Vec::new());
        let read = lines.try_for_each(|line| tags.extend(line.as_bytes()));
        read.and_then(|()| tags.complete()).map(Some).ok_or_else(|| malformed(name.as_str()))
    }

    /// Takes in one line; `None` if it is malformed, or too long.
    fn extend(&mut self, line: &[u8]) -> Option<()> {
        let mut rest = line.trim_ascii();
        if rest == b"*" {
            if *self != Self::Of(Vec::new()) {
                return None;
            }
            *self = Self::Any;
            return Some(());
        }
        let Self::Of(versions) = self else { return None };
        // Empty elements of a list count for nothing (RFC 9110 section 5.6.1.2).
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(b",") {
                rest = after.trim_ascii_start();
                continue;
            }
            let (version, after) = tag(rest)?;
            if versions.len() == MOST_TAGS {
                return None;
            }
            versions.push(version);
            rest = after.trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(b",") {
                return None;
            }
        }
        Some(())
    }

    fn complete(self) -> Option<Self> {
        Some(self).filter(|tags| *tags != Self::Of(Vec::new()))
    }

    fn hold(&self, current: &Version) -> bool {
        match self {
            Self::Any => true,
            Self::Of(versions) => versions.contains(current),
        }
    }
}

/// The entity tag a text begins with, and what follows it. A tag has no escapes: a comma or a backslash in it is itself.
fn tag(text: &[u8]) -> Option<(Version, &[u8])> {
    let quoted = text.strip_prefix(b"W/").unwrap_or(text).strip_prefix(b"\"")?;
    let end = quoted.iter().position(|byte| *byte == b'"')?;
    let (opaque, rest) = quoted.split_at_checked(end)?;
    let fits = opaque.iter().all(|byte| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..));
    fits.then(|| (Version(opaque.into()), rest.strip_prefix(b"\"").unwrap_or_default()))
}

fn malformed(what: &str) -> ScimError {
    let detail =
        format!("{what} must be * or a list of at most {MOST_TAGS} entity tags, such as W/\"1\", as meta.version has them.");
    ScimError::bad_request(ScimType::InvalidValue, detail)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn version(mark: &str) -> Version {
        Version(mark.as_bytes().into())
    }

    fn headers(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_bytes(line).unwrap())).collect()
    }

    fn marks(text: &str) -> Option<Vec<String>> {
        let parsed = IfMatch::parse(text).ok()?;
        let marks = parsed.marks()?.map(|mark| String::from_utf8(mark.to_vec()).unwrap()).collect();
        Some(marks)
    }

    #[test]
    fn lists_of_tags_are_read() {
        assert_eq!(marks(r#"W/"a""#).unwrap(), ["a"]);
        assert_eq!(marks(r#""a""#).unwrap(), ["a"]);
        assert_eq!(marks(r#" W/"a" , "b,\c",, W/"" ,"#).unwrap(), ["a", "b,\\c", ""]);
        assert_eq!(
            marks(r#"W/"20240513044234.123456Z#000000#000#000000""#).unwrap(),
            ["20240513044234.123456Z#000000#000#000000"]
        );
        assert_eq!(IfMatch::parse(" * "), Ok(IfMatch(Tags::Any)));
        assert!(IfMatch::parse("*").unwrap().marks().is_none());
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for text in [
            "",
            " ",
            ",",
            "a",
            "W/",
            "w/\"a\"",
            "\"a",
            "\"a\" \"b\"",
            "\"a\"b",
            "*,\"a\"",
            "\"a\",*",
            "\"a b\"",
            "**",
            "W/ \"a\"",
        ] {
            let refused = IfMatch::parse(text).expect_err(text);
            assert_eq!((refused.status, refused.scim_type), (StatusCode::BAD_REQUEST, Some(ScimType::InvalidValue)), "{text}");
        }
        assert!(IfMatch::parse(&vec!["\"a\""; MOST_TAGS].join(",")).is_ok());
        assert!(IfMatch::parse(&vec!["\"a\""; MOST_TAGS + 1].join(",")).is_err());
    }

    #[test]
    fn several_lines_are_one_list_and_none_is_no_precondition() {
        assert_eq!(IfMatch::from_headers(&HeaderMap::new()), Ok(None));
        assert_eq!(IfMatch::from_headers(&headers(&IF_NONE_MATCH, &[b"*"])), Ok(None));
        let two = IfMatch::from_headers(&headers(&IF_MATCH, &[br#"W/"a""#, br#"W/"b","c""#])).unwrap().unwrap();
        assert!(["a", "b", "c"].iter().all(|mark| two.allows(&version(mark))) && !two.allows(&version("d")));
        assert!(IfMatch::from_headers(&headers(&IF_MATCH, &[b"*", b"*"])).is_err());
        assert!(IfMatch::from_headers(&headers(&IF_MATCH, &[b""])).is_err());
        // Bytes beyond ASCII are allowed in a tag; none of ours has them, so such a tag matches nothing.
        let foreign = IfMatch::from_headers(&headers(&IF_MATCH, &[b"\"\xff\""])).unwrap().unwrap();
        assert!(!foreign.allows(&version("a")));
    }

    #[test]
    fn weak_and_strong_tags_of_a_version_are_the_same() {
        let current: Version = r#"W/"a""#.parse().unwrap();
        assert!(IfMatch::parse(r#""a""#).unwrap().allows(&current) && IfMatch::parse("*").unwrap().allows(&current));
        assert!(!IfMatch::parse(r#"W/"A""#).unwrap().allows(&current));
        let none = |line: &[u8]| IfNoneMatch::from_headers(&headers(&IF_NONE_MATCH, &[line])).unwrap().unwrap();
        assert!(!none(br#""b", "a""#).allows(&current) && !none(b"*").allows(&current) && none(br#"W/"b""#).allows(&current));
        assert!(r#"W/"a","b""#.parse::<Version>().is_err() && "a".parse::<Version>().is_err());
    }

    proptest! {
        #[test]
        fn a_version_written_is_read_back(mark in "[!#-~é]{0,40}", others in prop::collection::vec("[!#-~]{0,10}", 0..5)) {
            let version = version(&mark);
            prop_assert_eq!(version.to_string().parse::<Version>(), Ok(version.clone()));
            let list: Vec<String> = others.iter().chain([&mark]).map(|mark| format!("W/\"{mark}\"")).collect();
            prop_assert!(IfMatch::parse(&list.join(",")).unwrap().allows(&version));
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), likely in r#"[W/",* a\\]{0,20}"#) {
            for text in [text, likely] {
                if let Some(read) = marks(&text) {
                    let written: Vec<String> = read.iter().map(|mark| format!("\"{mark}\"")).collect();
                    prop_assert_eq!(marks(&written.join(", ")), Some(read));
                }
            }
        }
    }
}
