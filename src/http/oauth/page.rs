//! Pages for a person: signing in, and what went wrong. They need no script and nothing from elsewhere, and a browser is told to
//! allow neither (Content Security Policy Level 3).

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, PRAGMA, REFERRER_POLICY, REFRESH,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::auth::{AuthorizationRequest, Scope, Scopes};
use crate::http::response::{Answer, set};

const STYLE: &str = include_str!("sign_in.css");
/// The one style that a page may have.
static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE)));

/// What is wrong with what a person sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The name or the password was left empty.
    Incomplete,
    /// It is not told which, and the same for all reasons.
    Refused,
    /// Too many attempts.
    TooOften,
    /// The directory is away.
    Unavailable,
    /// The page was open for too long.
    Expired,
}

impl Wrong {
    fn text(self) -> &'static str {
        match self {
            Self::Incomplete => "Enter both your user name and your password.",
            Self::Refused => {
                "The user name or the password is not right, or this person is not among the administrators who may sign in here."
            }
            Self::TooOften => "There were too many failed attempts. Wait a quarter of an hour, then try again.",
            Self::Unavailable => "The directory cannot be asked just now. Try again in a minute.",
            Self::Expired => "This page was open for too long, so nothing was sent. Enter your password again.",
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Incomplete | Self::Expired => StatusCode::BAD_REQUEST,
            Self::Refused => StatusCode::FORBIDDEN,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether it is about what is in the fields.
    fn is_about_fields(self) -> bool {
        match self {
            Self::Incomplete | Self::Refused => true,
            Self::TooOften | Self::Unavailable | Self::Expired => false,
        }
    }
}

/// The page on which a person signs in and consents. `form` is its state; what was typed does not come back.
pub(super) fn sign_in(request: &AuthorizationRequest, form: &str, wrong: Option<Wrong>) -> Answer {
    let client = escaped(&request.client);
    let target = Url::parse(&request.redirect_uri).ok();
    let host = target.as_ref().and_then(Url::host_str).unwrap_or_default();
    let title = format!("Allow {client} to manage the directory?");
    let mut body = format!("<p class=\"product\">scimgate</p>\n<h1>{title}</h1>\n");
    if let Some(wrong) = wrong {
        let link = if wrong.is_about_fields() { "<a href=\"#username\">Go to the fields</a>" } else { "" };
        let _ = writeln!(
            body,
            "<div class=\"wrong\" id=\"wrong\" role=\"alert\" tabindex=\"-1\" autofocus><h2>You are not signed in</h2><p>{} {link}</p></div>",
            wrong.text()
        );
    }
    let _ = writeln!(body, "<p>The provisioning client <strong>{client}</strong> asks to:</p>\n<ul>");
    for words in allowed(request.scopes) {
        let _ = writeln!(body, "<li>{words}</li>");
    }
    let invalid =
        if wrong.is_some_and(Wrong::is_about_fields) { " aria-invalid=\"true\" aria-describedby=\"wrong\"" } else { "" };
    let _ = write!(
        body,
        "</ul>\n<form method=\"post\" action=\"authorize\">\n\
         <input type=\"hidden\" name=\"form\" value=\"{form}\">\n\
         <label for=\"username\">User name or email address</label>\n\
         <input id=\"username\" name=\"username\" type=\"text\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" \
         maxlength=\"256\" required{invalid}>\n\
         <label for=\"password\">Password</label>\n\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" maxlength=\"1024\" \
         required{invalid}>\n\
         <div class=\"buttons\"><button name=\"answer\" value=\"allow\">Sign in and allow</button>\n\
         <button class=\"no\" name=\"answer\" value=\"deny\" formnovalidate>Do not allow</button></div>\n</form>\n\
         <p class=\"small\">Either way you go back to <strong>{}</strong>. Allow only what you have begun there yourself. Your password goes \
         to the directory and to nobody else.</p>\n",
        escaped(host)
    );
    let heading = if wrong.is_some() { format!("Error: {title}") } else { title };
    page(wrong.map_or(StatusCode::OK, Wrong::status), &heading, &body, "'self'")
}

/// A page that says why nothing can be done; it leads nowhere.
pub(super) fn failure(status: StatusCode, why: &str) -> Answer {
    let title = "This request cannot be carried out";
    let body = format!(
        "<p class=\"product\">scimgate</p>\n<h1>{title}</h1>\n<p role=\"alert\">{}</p>\n\
         <p>Begin again in the application that sent you here. If it comes to the same, its administrator has to compare what is entered \
         there with what <code>scimgate settings</code> prints.</p>\n",
        escaped(why)
    );
    page(status, title, &body, "'none'")
}

/// Sends the browser back to the client after the form. Not by a redirect: Chromium holds all that follow to the form's own
/// form-action, and where a client sends people on to is not known here (RFC 6749 section 1.7 leaves the means open). Nor is the
/// password sent on (RFC 9700 section 4.12).
pub(super) fn onward(request: &AuthorizationRequest, to: &str) -> Answer {
    let client = escaped(&request.client);
    let title = format!("Going back to {client}");
    let body = format!("<p class=\"product\">scimgate</p>\n<h1>{title}</h1>\n<p><a href=\"{}\">Go on</a></p>\n", escaped(to));
    let mut answer = page(StatusCode::OK, &title, &body, "'none'");
    set(&mut answer, REFRESH, &format!("0; url={to}"));
    answer
}

/// Sends the browser elsewhere by GET.
pub(super) fn redirect(to: &str) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    set(&mut answer, LOCATION, to);
    protect(&mut answer, "default-src 'none'; frame-ancestors 'none'");
    answer
}

fn page(status: StatusCode, title: &str, body: &str, form_action: &str) -> Answer {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title} - scimgate</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    );
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action {form_action}; base-uri 'none'; frame-ancestors 'none'",
        *STYLE_HASH
    );
    protect(&mut answer, &policy);
    answer
}

/// What a browser must not do with an answer. There is no Cross-Origin-Opener-Policy: a client may open the page in a window that
/// it waits for.
fn protect(answer: &mut Answer, policy: &str) {
    let fixed: [(HeaderName, &'static str); 5] = [
        (CACHE_CONTROL, "no-store"),
        (PRAGMA, "no-cache"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    set(answer, CONTENT_SECURITY_POLICY, policy);
}

fn allowed(scopes: Scopes) -> impl Iterator<Item = &'static str> {
    let words = |read: Scope, write: Scope, [reads, writes]: [&'static str; 2]| {
        if scopes.contains(write) { Some(writes) } else { scopes.contains(read).then_some(reads) }
    };
    let users = words(Scope::UsersRead, Scope::UsersWrite, ["read users", "read, create, change and remove users"]);
    let groups =
        words(Scope::GroupsRead, Scope::GroupsWrite, ["read groups", "read, create, change and remove groups and their members"]);
    let bulk = scopes.contains(Scope::Bulk).then_some("do many of these in one request");
    let admin = scopes.contains(Scope::Admin).then_some("administer scimgate");
    users.into_iter().chain(groups).chain(bulk).chain(admin)
}

/// Text for HTML, in elements and in attributes' quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped("<a href='x' b=\"&\">é"), "&lt;a href=&#39;x&#39; b=&quot;&amp;&quot;&gt;é");
    }

    #[test]
    fn what_is_asked_for_is_said_in_words() {
        let words = |scopes: &[Scope]| allowed(scopes.iter().copied().collect()).collect::<Vec<_>>();
        assert_eq!(words(&[Scope::UsersWrite]), ["read, create, change and remove users"]);
        assert_eq!(words(&[Scope::UsersRead, Scope::GroupsRead]), ["read users", "read groups"]);
    }
}
