//! Keys and clients: who may sign in, what with, and until when.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use maud::{Markup, html};

use super::form::Form;
use super::layout::{page, token};
use super::sessions::Notice;
use super::{Answer, Page, see};
use crate::admin::Listed;
use crate::admin::state::{Digest, MadeClient, MadeKey};
use crate::auth::{GeneratedKey, Scope, Scopes, is_client_name};
use crate::clock::{Clock as _, SystemClock};
use crate::secret::Secret;

const PATH: &str = "/console/keys";
const LEAD: &str = "Who may sign in, and what for. Keys and secrets are kept as hashes, and shown once.";

/// What is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// An API key, until it ends.
    Key(Option<Timestamp>),
    /// A client of the authorization server.
    Client,
}

/// The page.
pub(super) fn show(shown: &Page<'_>) -> Answer {
    let desk = shown.desk;
    let body = html! {
        (table(shown, "API keys", "keys", &desk.keys))
        @if desk.token_endpoint.is_some() { (table(shown, "OAuth clients", "clients", &desk.clients)) }
        @if desk.kept.is_some() { (maker(shown)) } @else { p.notice { (super::change::NO_FILE) } }
    };
    page(shown, PATH, "Keys and clients", LEAD, &body)
}

fn table(shown: &Page<'_>, title: &str, id: &str, all: &[Listed]) -> Markup {
    let now = SystemClock.now();
    html! {
        section.card aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if all.is_empty() { p.help { "None." } } @else {
                div.scroll tabindex="0" role="region" aria-labelledby=(id) {
                    // A narrow window shows rows in another way; they are rows all the same.
                    table.stack role="table" {
                        thead role="rowgroup" { tr role="row" {
                            @for name in ["Name", "May", "Until", "What to do"] { th role="columnheader" scope="col" { (name) } }
                        } }
                        tbody role="rowgroup" {
                            @for one in all {
                                tr role="row" {
                                    th role="rowheader" scope="row" { (one.name) }
                                    td.words role="cell" { (one.scopes) }
                                    td.date role="cell" { (until(one, now)) }
                                    td.do role="cell" { (what_to_do(shown, one, id == "keys")) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn until(one: &Listed, now: Timestamp) -> Markup {
    html! {
        @match one.expires {
            None => span.help { "no end" },
            Some(end) if end <= now => span.tag.bad { "ended " (end.strftime("%F")) },
            Some(end) => (end.strftime("%F")),
        }
    }
}

fn what_to_do(shown: &Page<'_>, one: &Listed, is_key: bool) -> Markup {
    html! {
        @match &one.mark {
            None => span.tag { "from the configuration" },
            Some(mark) => {
                @if is_key {
                    form.small method="post" action="/console/keys/expire" {
                        (token(shown))
                        input type="hidden" name="mark" value=(mark);
                        input type="date" name="expires" required aria-label={ "First day on which the key of " (one.name) " no longer works" };
                        button.plain type="submit" { "Set end" }
                    }
                }
                form.small method="post" action="/console/keys/revoke" {
                    (token(shown))
                    input type="hidden" name="mark" value=(mark);
                    button.plain.danger type="submit" aria-label={ "Revoke " (one.name) } { "Revoke" }
                }
            },
        }
    }
}

fn maker(shown: &Page<'_>) -> Markup {
    html! {
        form.card method="post" action=(PATH) {
            (token(shown))
            h2 { "Make a new one" }
            div.pair {
                div.field { label.name for="name" { "Name" } input #name name="name" required maxlength="64" pattern="[A-Za-z0-9_.\\-]+" autocomplete="off" spellcheck="false" aria-describedby="name-help"; p.help #name-help { "The client’s name in logs, limits and the audit." } }
                div.field { label.name for="expires" { "First day on which it no longer works" } input #expires type="date" name="expires" aria-describedby="expires-help"; p.help #expires-help { "Empty: it has no end. For API keys." } }
            }
            @if shown.desk.token_endpoint.is_some() {
                fieldset.field {
                    legend.name { "Kind" }
                    label.choice { input type="radio" name="kind" value="key" checked; span { "API key" } }
                    label.choice { input type="radio" name="kind" value="client"; span { "OAuth client" } }
                }
            }
            fieldset.field.row {
                legend.name { "It may" }
                @for scope in Scope::ALL {
                    label.choice { input type="checkbox" name="scope" value=(scope) checked[Scopes::all().contains(scope) && !matches!(scope, Scope::UsersRead | Scope::GroupsRead)]; span { code { (scope) } } }
                }
            }
            div.actions { button type="submit" { "Make" } }
        }
    }
}

/// Makes one as the form says.
pub(super) async fn make(shown: &Page<'_>, form: &Form) -> Answer {
    let scopes: Result<Scopes, _> = form.all("scope").map(str::parse::<Scope>).collect();
    let kind = match (form.text("kind"), form.text("expires")) {
        ("client", _) => Ok(Kind::Client),
        (_, "") => Ok(Kind::Key(None)),
        (_, day) => first_moment(day).map(|end| Kind::Key(Some(end))),
    };
    match (scopes, kind) {
        (Ok(scopes), _) if scopes == Scopes::none() => shown.failed("Say what it may do: tick one at least."),
        (Ok(scopes), Ok(kind)) => shown.make(form.text("name"), scopes, kind).await,
        (Err(error), _) => shown.failed(&error.to_string()),
        (_, Err(error)) => shown.failed(&error),
    }
    see(PATH)
}

/// Has one end on a day.
pub(super) async fn expire(shown: &Page<'_>, form: &Form) -> Answer {
    match first_moment(form.text("expires")) {
        Ok(end) => {
            let mark = form.text("mark").to_owned();
            tracing::warn!(client = &*shown.visit.by, key = mark, %end, "an end was set at the console");
            let done = shown.change(move |state| {
                state.keys.iter_mut().filter(|key| key.hash.mark() == mark).for_each(|key| key.expires = Some(end));
            });
            let notice = match done.await {
                Ok(()) => Notice::Done(format!("It works until {} 00:00 UTC.", end.strftime("%F"))),
                Err(mistakes) => Notice::Failed(mistakes),
            };
            shown.state.console.sessions.tell(shown.visit, notice);
        }
        Err(error) => shown.failed(&error),
    }
    see(PATH)
}

/// Takes one away, at once.
pub(super) async fn revoke(shown: &Page<'_>, form: &Form) -> Answer {
    let mark = form.text("mark").to_owned();
    tracing::warn!(client = &*shown.visit.by, key = mark, "revoked at the console");
    let done = shown.change(move |state| {
        state.keys.retain(|key| key.hash.mark() != mark);
        state.clients.retain(|client| client.hash.mark() != mark);
    });
    let notice = match done.await {
        Ok(()) => Notice::Done("Revoked. It is refused from now on.".to_owned()),
        Err(mistakes) => Notice::Failed(mistakes),
    };
    shown.state.console.sessions.tell(shown.visit, notice);
    see(PATH)
}

/// The day's beginning in UTC.
fn first_moment(day: &str) -> Result<Timestamp, String> {
    let moment = day.parse::<Date>().ok().and_then(|day| Offset::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok());
    moment.ok_or_else(|| "The end must be a date such as 2027-02-22.".to_owned())
}

impl Page<'_> {
    pub(super) fn failed(&self, what: &str) {
        self.state.console.sessions.tell(self.visit, Notice::Failed(vec![what.to_owned()]));
    }

    /// Makes a key or a client, and has its secret told once.
    pub(super) async fn make(&self, name: &str, scopes: Scopes, kind: Kind) {
        if !is_client_name(name) {
            return self.failed("A name has up to 64 letters, digits, `-`, `_` and `.`");
        }
        let Ok(generated) = GeneratedKey::new() else { return self.failed("The operating system gives no random numbers.") };
        let Some(hash) = Digest::parse(&generated.hash()) else { return self.failed("The key has no hash.") };
        let (own, made) = (name.to_owned(), SystemClock.now());
        let done = self.change(move |state| match kind {
            Kind::Key(expires) => state.keys.push(MadeKey { name: own, hash, scopes, expires, made }),
            Kind::Client => state.clients.push(MadeClient { id: own, hash, scopes, made }),
        });
        let notice = match done.await {
            Ok(()) => {
                tracing::warn!(client = &*self.visit.by, name, %scopes, "a key or client was made at the console");
                let is_client = matches!(kind, Kind::Client);
                Notice::Made { name: name.to_owned(), secret: Secret::new(generated.expose().to_owned()), is_client }
            }
            Err(mistakes) => Notice::Failed(mistakes),
        };
        self.state.console.sessions.tell(self.visit, notice);
    }
}
