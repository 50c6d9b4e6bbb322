//! Whose a path is. What the application must not be asked for is everything that it might take for a path of ours, however it reads
//! paths: decoded once or twice, with `\` for `/`, without parameters, in another case.

use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization as _;

/// What is ours, with all that is below it.
const OURS: [&[&str]; 4] = [&["scim"], &["oauth2"], &[".well-known", "oauth-authorization-server"], &["openapi.json"]];
/// A path that is still coded after so many rounds hides something.
const ROUNDS: usize = 4;

/// Whose a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Place {
    /// Ours, as we read it.
    Ours,
    /// The application's, however it is read.
    Application,
    /// Neither to be sure; why.
    Unclear(&'static str),
}

impl Place {
    pub(in crate::http) fn of(path: &str) -> Self {
        // As `Call::parse` reads it.
        let once: Option<Vec<String>> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8().ok().map(Into::into))
            .collect();
        if once.is_some_and(|segments| is_ours(&segments)) {
            return Self::Ours;
        }
        match simplest(path) {
            Ok(segments) if is_ours(&segments) => Self::Unclear("the application might take it for one of scimgate's own"),
            Ok(_) => Self::Application,
            Err(why) => Self::Unclear(why),
        }
    }
}

fn is_ours(segments: &[String]) -> bool {
    OURS.iter().any(|ours| segments.len() >= ours.len() && ours.iter().zip(segments).all(|(ours, segment)| ours == segment))
}

/// The segments as the most generous of servers would read them.
fn simplest(path: &str) -> Result<Vec<String>, &'static str> {
    let mut text = path.to_owned();
    let mut rounds = 0;
    loop {
        let decoded = percent_decode_str(&text).decode_utf8().map_err(|_| "it is not UTF-8")?.into_owned();
        if decoded == text {
            break;
        }
        if rounds == ROUNDS {
            return Err("it is percent-encoded over and over");
        }
        (text, rounds) = (decoded, rounds + 1);
    }
    let mut segments = Vec::new();
    for segment in text.nfkc().collect::<String>().split(['/', '\\']) {
        let name: String = segment.chars().take_while(|c| *c != ';').filter(|c| !c.is_control() && !c.is_whitespace()).collect();
        let is_dots = !name.is_empty() && name.bytes().all(|byte| byte == b'.');
        if is_dots && name.len() > 1 {
            return Err("it goes up by `..`");
        }
        // Some file systems know no dots at the end of a name.
        let name = name.trim_end_matches('.').to_lowercase();
        if !name.is_empty() {
            segments.push(name);
        }
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proptest::prelude::*;

    use super::*;
    use crate::http::route::{Call, NoCall};

    #[test]
    fn what_is_ours_is_never_the_applications() {
        for path in [
            "/scim/v2/Users",
            "/scim",
            "//scim//v2/Users",
            "/%73cim/v2/Users",
            "/oauth2/anything",
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-authorization-server/tenant",
            "/openapi.json",
        ] {
            assert_eq!(Place::of(path), Place::Ours, "{path}");
        }
    }

    #[test]
    fn what_might_be_read_as_ours_is_nobodys() {
        for path in [
            "/app/../scim/v2/Users",
            "/app/..",
            "/./%2e%2e/scim",
            "/app/%2e%2E%2fscim/v2",
            "/app/%252e%252e/scim/v2",
            "/app/..;x=1/scim",
            "/app\\..\\scim",
            "/app/..%5cscim",
            "/%2fscim/v2/Users",
            "/scim%2fv2/Users",
            "/scim%5Cv2/Users",
            "/\\scim/v2",
            "/./scim/v2/Users",
            "/%2e/scim/v2/Users",
            "/;a=b/scim/v2/Users",
            "/scim;a=b/v2/Users",
            "/SCIM/v2/Users",
            "/Scim%00/v2/Users",
            "/scim%20/v2/Users",
            "/scim./v2/Users",
            "/%2573cim/v2/Users",
            "/%25252573cim/v2/Users",
            "/\u{ff53}cim/v2",
            "/\u{17f}cim/v2",
            "/\u{ff0f}scim",
            "/app/\u{2025}/scim",
            "/OAuth2/token",
            "/.well-known/%6Fauth-authorization-server;x",
            "/.Well-Known/oauth-authorization-server",
            "/%c0%ae%c0%ae/scim",
            "/app/%ff",
        ] {
            assert!(matches!(Place::of(path), Place::Unclear(_)), "{path}: {:?}", Place::of(path));
        }
    }

    #[test]
    fn everything_else_is_the_applications() {
        for path in [
            "/",
            "/index.html",
            "/scimitar",
            "/app/scim/v2/Users",
            "/api/v4/projects/group%2Fproject",
            "/.well-known/openid-configuration",
            "/.well-known",
            "/a;b=c/d",
            "/100%",
            "/caf\u{e9}/%C3%A9",
            "/a/./b",
            "/...a/b..c/.git",
            "/search/%2541",
        ] {
            assert_eq!(Place::of(path), Place::Application, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_we_answer_to_is_not_passed_on(path in "(/|%2[fF]|\\\\|%5c|scim|SCIM|v2|Users|oauth2|token|openapi.json|\\.\\.?|%2e|%73|;x|a|\\.well-known|oauth-authorization-server){0,9}") {
            let path = format!("/{path}");
            if Place::of(&path) == Place::Application {
                let call = Call::parse(&Method::GET, &path);
                prop_assert!(matches!(call, Err(NoCall::NotFound(_))), "{path}: {call:?}");
            }
        }

        // What a server might do with a path before it looks where it leads.
        #[test]
        fn no_way_of_reading_leads_from_the_application_to_us(path in "(/|%2[fF]|\\\\|%5c|%255c|scim|SCIM|sCim|v2|\\.\\.?|%2e|%252e|%73|;x|a|%00){0,9}") {
            let path = format!("/{path}");
            if Place::of(&path) == Place::Application {
                for rounds in 0..3 {
                    let mut text = path.clone();
                    for _ in 0..rounds {
                        text = percent_decode_str(&text).decode_utf8_lossy().into_owned();
                    }
                    let mut at: Vec<String> = Vec::new();
                    for segment in text.replace('\\', "/").to_lowercase().split('/') {
                        match segment.split(';').next().unwrap().trim_matches('\0') {
                            "" | "." => {}
                            ".." => { at.pop(); }
                            name => at.push(name.to_owned()),
                        }
                    }
                    prop_assert!(at.first().is_none_or(|first| first != "scim"), "{path} as {at:?}");
                }
            }
        }
    }
}
