//! The authorization endpoint (RFC 6749 section 4.1): from a client's request to a code, by way of a page on which a person
//! signs in and consents.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::pkce::Challenge;
use super::request::Parameters;
use super::seal::Purpose;
use super::server::{AuthorizationServer, granted};
use super::{NotSignedIn, Person};
use crate::auth::Scopes;

/// How long a sign-in page can be used.
const FORM_LIFETIME: i64 = 600;
/// How long a code is good (RFC 6749 section 4.1.2 allows ten minutes; a client's server needs seconds).
const CODE_LIFETIME: i64 = 60;
/// What a client may send along.
const LONGEST_STATE: usize = 2048;

/// A request that may be put before a person.
#[derive(Debug, Clone)]
pub struct AuthorizationRequest {
    /// The client that asks.
    pub client: Arc<str>,
    /// What it is to be allowed.
    pub scopes: Scopes,
    /// Where the person goes afterwards; one of the client's, to the letter.
    pub redirect_uri: String,
    /// Whether the client named it, which it then must do again (RFC 6749 section 4.1.3).
    named: bool,
    state: Option<String>,
    challenge: Option<Challenge>,
}

/// Why a request is not put before a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declined {
    /// It is not certain whose request it is, so the person is told and goes nowhere (RFC 6749 section 4.1.2.1).
    Shown(&'static str),
    /// The client is told, at this URL.
    Redirect(String),
}

/// Why a sign-in page that was sent back is of no use.
#[derive(Debug)]
pub enum Unusable {
    /// It is not ours, or was shown in another browser.
    Foreign,
    /// It was shown too long ago; the request is still good for another page.
    Expired(AuthorizationRequest),
}

/// A sign-in page's state.
#[derive(Serialize, Deserialize)]
struct Form {
    client: String,
    scope: String,
    redirect_uri: String,
    named: bool,
    state: Option<String>,
    challenge: Option<Challenge>,
    /// What the browser holds, hashed.
    browser: String,
    end: i64,
}

/// What a code says.
#[derive(Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) id: Uuid,
    pub(super) client: String,
    pub(super) person: Uuid,
    pub(super) scope: String,
    /// What the token request must name.
    pub(super) redirect_uri: Option<String>,
    pub(super) challenge: Option<Challenge>,
    pub(super) end: i64,
}

fn hashed(browser: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(browser))
}

impl AuthorizationServer {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// Where the person is to go instead.
    pub fn authorization_request(&self, query: &str) -> Result<AuthorizationRequest, Declined> {
        let twice = |_| Declined::Shown("A parameter of the request is there twice.");
        let mut query = Parameters::parse(query.as_bytes()).map_err(twice)?;
        let client = query.text("client_id").and_then(|id| self.registered(&id));
        let client = client.ok_or(Declined::Shown("The client that sent you here is not registered (client_id)."))?;
        let named = query.text("redirect_uri");
        let redirect_uri = match (&named, client.redirect_uris.as_slice()) {
            (_, []) => {
                return Err(Declined::Shown("The client that sent you here has no redirect_uris in scimgate's configuration."));
            }
            // Equal to the letter (RFC 9700 section 2.1).
            (Some(uri), known) if known.contains(&uri.as_str()) => uri.clone(),
            (None, [only]) => (*only).to_owned(),
            (Some(_) | None, _) => {
                return Err(Declined::Shown(
                    "The address to return to (redirect_uri) is not one of the client's in scimgate's configuration.",
                ));
            }
        };
        let state = query.text("state");
        if state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(Declined::Redirect(self.refusal(&redirect_uri, None, "invalid_request", "state is too long.")));
        }
        let refuse = |error: &str, why: &str| Err(Declined::Redirect(self.refusal(&redirect_uri, state.as_deref(), error, why)));
        match query.text("response_type").as_deref() {
            Some("code") => {}
            Some(_) => return refuse("unsupported_response_type", "response_type must be code."),
            None => return refuse("invalid_request", "response_type is missing; it must be code."),
        }
        if query.text("response_mode").is_some_and(|mode| mode != "query") {
            return refuse("invalid_request", "response_mode must be query, or left out.");
        }
        if query.take("request").is_some() {
            return refuse("request_not_supported", "Send the parameters themselves.");
        }
        if query.take("request_uri").is_some() {
            return refuse("request_uri_not_supported", "Send the parameters themselves.");
        }
        let challenge = match (query.text("code_challenge"), query.text("code_challenge_method").as_deref()) {
            (None, None) if client.pkce => {
                return refuse("invalid_request", "PKCE is required: send code_challenge, and code_challenge_method=S256.");
            }
            (None, None) => None,
            (Some(challenge), Some("S256")) => match Challenge::parse(challenge) {
                Some(challenge) => Some(challenge),
                None => return refuse("invalid_request", "code_challenge is not the base64url form of a SHA-256 hash."),
            },
            // Without a method it would be `plain` (RFC 7636 section 4.3).
            (Some(_) | None, Some(_) | None) => {
                return refuse("invalid_request", "code_challenge_method must be S256, with a code_challenge.");
            }
        };
        let Some(scopes) = granted(client.scopes, query.text("scope").as_deref()) else {
            return refuse("invalid_scope", "This client may have none of these scopes.");
        };
        let named = named.is_some();
        Ok(AuthorizationRequest { client: client.id, scopes, redirect_uri, named, state, challenge })
    }

    /// The state of a page for this browser, which holds a random text of ours.
    pub fn sign_in_form(&self, request: &AuthorizationRequest, browser: &str) -> Option<String> {
        let AuthorizationRequest { client, scopes, redirect_uri, named, state, challenge } = request.clone();
        let form = Form {
            client: client.to_string(),
            scope: scopes.to_string(),
            redirect_uri,
            named,
            state,
            challenge,
            browser: hashed(browser),
            end: self.now().saturating_add(FORM_LIFETIME),
        };
        self.keys.seal(Purpose::Form, &form)
    }

    /// The request of a page that came back from a browser.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn resume(&self, form: &str, browser: Option<&str>) -> Result<AuthorizationRequest, Unusable> {
        let form: Form = self.keys.open(Purpose::Form, form).ok_or(Unusable::Foreign)?;
        let same = browser.is_some_and(|browser| bool::from(hashed(browser).as_bytes().ct_eq(form.browser.as_bytes())));
        // The configuration may be another than when the page was shown, or that of another replica.
        let client = self.registered(&form.client).filter(|client| same && client.redirect_uris.contains(&&*form.redirect_uri));
        let client = client.ok_or(Unusable::Foreign)?;
        let asked = Scopes::of_words(&form.scope);
        let scopes = asked.intersection(client.scopes);
        let Form { redirect_uri, named, state, challenge, end, .. } = form;
        let request = AuthorizationRequest { client: client.id, scopes, redirect_uri, named, state, challenge };
        if end <= self.now() { Err(Unusable::Expired(request)) } else { Ok(request) }
    }

    /// Lets an administrator in.
    ///
    /// # Errors
    /// Why not.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Person, NotSignedIn> {
        match &self.administrators {
            Some(administrators) => administrators.sign_in(name, password).await,
            None => Err(NotSignedIn::Refused),
        }
    }

    /// Where the person goes who consented: with a code.
    pub fn consented(&self, request: &AuthorizationRequest, person: Person) -> String {
        let code = Code {
            id: Uuid::new_v4(),
            client: request.client.to_string(),
            person: person.0,
            scope: request.scopes.to_string(),
            redirect_uri: request.named.then(|| request.redirect_uri.clone()),
            challenge: request.challenge.clone(),
            end: self.now().saturating_add(CODE_LIFETIME),
        };
        match self.keys.seal(Purpose::Code, &code) {
            Some(code) => self.response(&request.redirect_uri, request.state.as_deref(), &[("code", &code)]),
            None => self.refusal(&request.redirect_uri, request.state.as_deref(), "server_error", "No code could be made."),
        }
    }

    /// Where the person goes who did not.
    pub fn denied(&self, request: &AuthorizationRequest) -> String {
        self.refusal(&request.redirect_uri, request.state.as_deref(), "access_denied", "The person did not consent.")
    }

    fn refusal(&self, redirect_uri: &str, state: Option<&str>, error: &str, why: &str) -> String {
        self.response(redirect_uri, state, &[("error", error), ("error_description", why)])
    }

    /// The redirect URI with parameters (RFC 6749 section 4.1.2), with the client's state and our name (RFC 9207).
    fn response(&self, redirect_uri: &str, state: Option<&str>, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &self.issuer);
        let separator = if redirect_uri.contains('?') { '&' } else { '?' };
        format!("{redirect_uri}{separator}{}", query.finish())
    }
}
