//! The authorization endpoint over HTTP: a page, a form that comes back, and a redirect.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HeaderMap, RETRY_AFTER, SET_COOKIE};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use zeroize::Zeroizing;

use super::page::{self, Wrong};
use crate::auth::{AuthorizationRequest, AuthorizationServer, Declined, NotSignedIn, Unusable};
use crate::http::gateway::Gateway;
use crate::http::response::{self, Answer};
use crate::limit::Exhausted;
use crate::telemetry::{Limit, Refusal};

/// Ties a page to the browser it was shown in, so that nobody makes a browser send another's form (login CSRF). By its prefix no
/// other host can set it (RFC 6265bis section 4.1.3.2).
const COOKIE_NAME: &str = "__Host-scimgate-sign-in";
/// As long as a page.
const COOKIE_SECONDS: u32 = 600;
/// A request's parameters are no longer.
const LONGEST_QUERY: usize = 6 << 10;
/// They come back sealed, which takes more room.
const LARGEST_FORM: usize = 32 << 10;

/// Shows the page; or sends the browser back if the request cannot be put before anybody.
pub(super) fn sign_in_page(server: &AuthorizationServer, request: &Request<Incoming>) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    if query.len() > LONGEST_QUERY {
        return page::failure(StatusCode::BAD_REQUEST, "The request is too long.");
    }
    match server.authorization_request(query) {
        Ok(asked) => show(server, &asked, request.headers(), None),
        Err(Declined::Shown(why)) => page::failure(StatusCode::BAD_REQUEST, why),
        Err(Declined::Redirect(to)) => page::redirect(&to),
    }
}

impl Gateway {
    /// Takes the form back; with the client's name, once it is known.
    pub(super) async fn sign_in(
        &self,
        server: &AuthorizationServer,
        request: Request<Incoming>,
        address: IpAddr,
    ) -> (Arc<str>, Answer) {
        let nobody = self.nobody.clone();
        let (head, incoming) = request.into_parts();
        // A browser that says where a form comes from must say that it is ours. Origin is `null` under our own Referrer-Policy.
        if head.headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
            return (nobody, page::failure(StatusCode::FORBIDDEN, "The form was sent by another page than ours."));
        }
        let bytes = match self.form(&head.headers, incoming, LARGEST_FORM).await {
            Ok(bytes) => bytes,
            Err(what) => return (nobody, page::failure(StatusCode::BAD_REQUEST, what)),
        };
        let field = |wanted: &str| {
            let mut found = form_urlencoded::parse(&bytes).filter(|(name, _)| name == wanted);
            found.next().map(|(_, value)| Zeroizing::new(value.into_owned())).unwrap_or_default()
        };
        let browser = cookie(&head.headers);
        let asked = match server.resume(&field("form"), browser) {
            Ok(asked) => asked,
            Err(Unusable::Expired(asked)) => {
                return (asked.client.clone(), show(server, &asked, &head.headers, Some(Wrong::Expired)));
            }
            Err(Unusable::Foreign) => {
                let why = "The form was not shown in this browser, or the browser keeps no cookies.";
                return (nobody, page::failure(StatusCode::BAD_REQUEST, why));
            }
        };
        let client = asked.client.clone();
        match field("answer").as_str() {
            "allow" => {}
            "deny" => return (client, page::onward(&asked, &server.denied(&asked))),
            _ => return (client, page::failure(StatusCode::BAD_REQUEST, "The form is not complete.")),
        }
        let answer = match server.sign_in(&field("username"), &field("password")).await {
            Ok(person) => page::onward(&asked, &server.consented(&asked, person)),
            Err(NotSignedIn::Incomplete) => show(server, &asked, &head.headers, Some(Wrong::Incomplete)),
            Err(NotSignedIn::Unavailable) => show(server, &asked, &head.headers, Some(Wrong::Unavailable)),
            Err(NotSignedIn::Refused) => {
                self.metrics.refused(Refusal::Invalid);
                match self.limiter.failure(address) {
                    Ok(()) => show(server, &asked, &head.headers, Some(Wrong::Refused)),
                    Err(exhausted) => {
                        self.metrics.limited(Limit::Failures, &client);
                        too_often(server, &asked, &head.headers, exhausted)
                    }
                }
            }
            Err(NotSignedIn::TooOften(seconds)) => {
                self.metrics.refused(Refusal::Rate);
                let _ = self.limiter.failure(address);
                let retry_after = u32::try_from(seconds).unwrap_or(u32::MAX);
                too_often(server, &asked, &head.headers, Exhausted::Until { retry_after })
            }
        };
        (client, answer)
    }
}

fn too_often(server: &AuthorizationServer, asked: &AuthorizationRequest, headers: &HeaderMap, exhausted: Exhausted) -> Answer {
    let mut answer = show(server, asked, headers, Some(Wrong::TooOften));
    let seconds = match exhausted {
        Exhausted::Until { retry_after } => retry_after,
        Exhausted::Never { .. } | Exhausted::Unknown => 1,
    };
    response::set(&mut answer, RETRY_AFTER, &seconds.to_string());
    answer
}

/// The page, for the browser that has the cookie or gets it: windows of one browser share it.
fn show(server: &AuthorizationServer, asked: &AuthorizationRequest, headers: &HeaderMap, wrong: Option<Wrong>) -> Answer {
    let known = cookie(headers).map(str::to_owned);
    let made = || {
        let mut random = [0; 32];
        getrandom::fill(&mut random).ok().map(|()| URL_SAFE_NO_PAD.encode(random))
    };
    let browser = known.or_else(made);
    let form = browser.as_deref().and_then(|browser| Some((browser, server.sign_in_form(asked, browser)?)));
    let Some((browser, form)) = form else {
        tracing::error!("no sign-in page can be made: there are no random numbers");
        return page::failure(StatusCode::INTERNAL_SERVER_ERROR, "This request met a defect of scimgate; its log has more.");
    };
    let mut answer = page::sign_in(asked, &form, wrong);
    let cookie = format!("{COOKIE_NAME}={browser}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={COOKIE_SECONDS}");
    response::set(&mut answer, SET_COOKIE, &cookie);
    answer
}

/// The text by which we know a browser, if it is of our form.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut found = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = found.find(|(name, _)| *name == COOKIE_NAME)?;
    (value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_a_text_of_our_form_alone() {
        let cookie_of = |value: &str| cookie(&HeaderMap::from_iter([(COOKIE, value.parse().unwrap())])).map(str::to_owned);
        let ours = "a".repeat(43);
        assert_eq!(cookie_of(&format!("x=1; {COOKIE_NAME}={ours}; y=2")), Some(ours.clone()));
        for other in
            [format!("{COOKIE_NAME}={}", "a".repeat(42)), format!("{COOKIE_NAME}={}!", "a".repeat(42)), format!("x={ours}")]
        {
            assert_eq!(cookie_of(&other), None, "{other}");
        }
    }
}
