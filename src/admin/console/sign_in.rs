//! Signing in with a key that has the scope `admin`, and out.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::html;

use super::form::Form;
use super::sessions::{LIFETIME, SESSION, Visit, cookie, is_same, random};
use super::{Answer, Page, gate, layout, see};
use crate::admin::AdminState;
use crate::http::NotAdministrator;
use crate::secret::Secret;

/// The cookie that says which sign-in page a form came from.
const BEFORE: &str = "scimgate_sign_in";

/// The page, or what comes of its form.
pub(super) async fn answer(headers: &HeaderMap, address: IpAddr, form: Option<&Form>, state: &AdminState) -> Answer {
    let Some(form) = form else { return page(StatusCode::OK, None) };
    let is_meant = cookie(headers, BEFORE).is_some_and(|token| is_same(token, form.text("token")));
    if !is_meant {
        return page(StatusCode::FORBIDDEN, Some("This form is out of date. Try again; cookies must be allowed here."));
    }
    let key = Secret::new(form.text("key").to_owned());
    match administrator(&key, address, state).await {
        Ok(by) => match state.console.sessions.begin(key) {
            Ok(value) => {
                tracing::info!(client = &*by, address = %address, "signed in at the console");
                let mut answer = see("/console/provisioning");
                set(&mut answer, SESSION, &value, LIFETIME.as_secs());
                set(&mut answer, BEFORE, "", 0);
                answer
            }
            Err(error) => gate::refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("no random numbers: {error}")),
        },
        Err(NotAdministrator::Unknown) => page(StatusCode::FORBIDDEN, Some("This key is not known here.")),
        Err(NotAdministrator::Scope) => {
            page(StatusCode::FORBIDDEN, Some("This key lacks the scope admin, which must be named in its scopes."))
        }
        Err(NotAdministrator::TooMany) => {
            page(StatusCode::TOO_MANY_REQUESTS, Some("Too many wrong keys came from your address. Try again in a minute."))
        }
    }
}

/// Who a request is from, if that one has signed in and the key is still good.
pub(super) async fn visit(headers: &HeaderMap, address: IpAddr, state: &AdminState) -> Option<Visit> {
    let sessions = &state.console.sessions;
    let visit = sessions.find(cookie(headers, SESSION)?)?;
    if let Ok(by) = administrator(&visit.key, address, state).await {
        return Some(Visit { by, ..visit });
    }
    sessions.end(&visit);
    None
}

/// Whether somebody who was let in still would be.
pub(super) async fn is_still_in(visit: &Visit, address: IpAddr, state: &AdminState) -> bool {
    state.console.sessions.is_open(visit) && administrator(&visit.key, address, state).await.is_ok()
}

/// Ends the session.
pub(super) fn out(page: &Page<'_>) -> Answer {
    page.state.console.sessions.end(page.visit);
    let mut answer = see("/console/sign-in");
    set(&mut answer, SESSION, "", 0);
    answer
}

async fn administrator(key: &Secret, address: IpAddr, state: &AdminState) -> Result<std::sync::Arc<str>, NotAdministrator> {
    let mut headers = HeaderMap::new();
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose())).unwrap_or(HeaderValue::from_static("Bearer -"));
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    state.serving.gateway().administrator(&headers, address).await
}

fn page(status: StatusCode, trouble: Option<&str>) -> Answer {
    let Ok(token) = random() else {
        return gate::refused(StatusCode::INTERNAL_SERVER_ERROR, "The operating system gives no random numbers.");
    };
    let body = html! {
        form.card.sign-in method="post" action="/console/sign-in" {
            h1 { "Sign in" }
            @if let Some(trouble) = trouble { p.notice.bad role="alert" { (trouble) } }
            input type="hidden" name="token" value=(token);
            label for="key" { "Administrator’s key" }
            input #key type="password" name="key" required autocomplete="current-password" spellcheck="false" aria-describedby="key-help";
            p.help #key-help { "A key with the scope " code { "admin" } ". To make one:" br; code { "scimgate key new --name me --scopes admin" } }
            button type="submit" { "Sign in" }
        }
    };
    let mut answer = layout::bare(status, "Sign in", &body);
    set(&mut answer, BEFORE, &token, 3600);
    answer
}

/// Only for us, sent with no request that another site makes, and out of reach of scripts.
fn set(answer: &mut Answer, name: &str, value: &str, seconds: u64) {
    let line = format!("{name}={value}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Strict");
    if let Ok(line) = HeaderValue::from_str(&line) {
        answer.headers_mut().append(SET_COOKIE, line);
    }
}
