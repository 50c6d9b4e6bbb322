//! What every page has around it.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};

use super::sessions::Notice;
use super::{Answer, Page, whole};

/// The pages by their paths, in the order in which they are listed.
const PAGES: [(&str, &str); 6] = [
    ("/console/provisioning", "Provisioning"),
    ("/console/keys", "Keys and clients"),
    ("/console/activity", "Live activity"),
    ("/console/explain", "Explain"),
    ("/console/limits", "Cache and limits"),
    ("/console/health", "Health"),
];

/// A page of somebody who has signed in. What is to be told once is told here.
pub(super) fn page(page: &Page<'_>, path: &str, title: &str, lead: &str, body: &Markup) -> Answer {
    let told = page.state.console.sessions.told(page.visit);
    let inside = html! {
        header.bar {
            a.brand href="/console/provisioning" { (mark()) "scimgate" }
            nav aria-label="Pages" {
                ul {
                    @for (at, name) in PAGES {
                        li { a href=(at) aria-current=[(at == path).then_some("page")] { (name) } }
                    }
                }
            }
            form.out method="post" action="/console/sign-out" {
                (token(page))
                span.who { "Signed in as " strong { (page.visit.by) } }
                button.plain type="submit" { "Sign out" }
            }
        }
        main #main tabindex="-1" {
            div.head { h1 { (title) } p.lead { (lead) } }
            @if let Some(told) = told { (notice(&told)) }
            (body)
        }
    };
    document(StatusCode::OK, title, "inside", &inside)
}

/// A page of nobody yet.
pub(super) fn bare(status: StatusCode, title: &str, body: &Markup) -> Answer {
    let inside = html! {
        main #main.alone tabindex="-1" {
            p.brand { (mark()) "scimgate" }
            (body)
        }
    };
    document(status, title, "outside", &inside)
}

/// The field by which a form is known to be of this session.
pub(super) fn token(page: &Page<'_>) -> Markup {
    html! { input type="hidden" name="token" value=(page.visit.token); }
}

/// A value to be pasted elsewhere. The button is there where JavaScript is.
pub(super) fn copied(id: &str, label: &str, value: &str) -> Markup {
    html! {
        div.copied {
            dt #{ (id) "-name" } { (label) }
            dd {
                code #(id) { (value) }
                button.copy.plain type="button" hidden data-copy=(id) aria-describedby={ (id) "-name" } { "Copy" }
            }
        }
    }
}

fn notice(notice: &Notice) -> Markup {
    html! {
        @match notice {
            Notice::Done(text) => p.notice.good role="status" { (text) },
            Notice::Failed(lines) => div.notice.bad role="alert" {
                p { strong { "Nothing has changed." } }
                ul { @for line in lines { li { (line) } } }
            },
            Notice::Made { name, secret, is_client } => section.notice.made role="status" aria-labelledby="made-title" {
                h2 #made-title { @if *is_client { "The client " (name) " is made" } @else { "The key of " (name) " is made" } }
                p { "Paste it into the identity provider now: it is shown this once, and kept as a hash only." }
                dl {
                    @if *is_client {
                        (copied("made-id", "Client ID", name))
                        (copied("made-secret", "Client secret", secret.expose()))
                    } @else {
                        (copied("made-secret", "Token", secret.expose()))
                    }
                }
            },
        }
    }
}

fn mark() -> Markup {
    html! { img.mark src="/console/assets/icon.svg" alt="" width="22" height="22"; }
}

fn document(status: StatusCode, title: &str, class: &str, inside: &Markup) -> Answer {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · scimgate" }
                link rel="icon" href="/console/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/console/assets/console.css";
                script defer src="/console/assets/console.js" {}
            }
            body class=(class) {
                a.skip href="#main" { "Skip to the page" }
                (inside)
                p #said .unseen role="status" aria-live="polite" {}
            }
        }
    };
    let mut answer = whole(status, text.into_string());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    answer
}
