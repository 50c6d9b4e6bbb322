//! The provisioning page: whether and how the identity provider is let in, and what it may manage.

use maud::{Markup, html};

use super::change::NO_FILE;
use super::form::Form;
use super::keys::Kind;
use super::layout::{copied, page, token};
use super::sessions::Notice;
use super::{Answer, Page, see};
use crate::admin::Listed;
use crate::admin::state::SignIn;
use crate::auth::Scopes;

const PATH: &str = "/console/provisioning";
const TITLE: &str = "Provisioning";
const LEAD: &str = "Let an identity provider create, change and remove users and groups in the directory.";

/// A switch of the page.
struct Switch {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    is_on: bool,
    /// Where the configuration sets it, so that it cannot be set here.
    place: Option<String>,
    /// What turning it on does, and what turning it off does.
    effect: [&'static str; 2],
}

fn switches(shown: &Page<'_>) -> [Switch; 3] {
    let desk = shown.desk;
    [
        Switch {
            name: "enabled",
            label: "Use identity provider",
            help: "Off: every SCIM request is answered 403. Nothing in the directory changes.",
            is_on: desk.enabled,
            place: desk.set.enabled.clone(),
            effect: [
                "The identity provider is let in again, with the keys and clients that are listed.",
                "Every SCIM request is answered 403 from now on. Users and groups stay in the directory as they are.",
            ],
        },
        Switch {
            name: "existing_users",
            label: "Provision existing users",
            help: "People who were in the directory before SCIM are found, and managed from the provider’s first write on.",
            is_on: desk.existing_users,
            place: desk.set.existing_users.clone(),
            effect: [
                "Everybody in the branch of users becomes visible to the provider. Whom it changes, even once, counts as managed by it \
                 from then on.",
                "Users without the managed mark are out of the provider’s sight. It cannot create one of the same name: that is \
                 answered 409. Those already managed stay so.",
            ],
        },
        Switch {
            name: "sync_groups",
            label: "Sync SCIM groups",
            help: "Groups of the provider are kept as groups of the directory.",
            is_on: desk.sync_groups,
            place: desk.set.sync_groups.clone(),
            effect: [
                "The provider sees the groups of the directory, and may create, rename, fill and delete groups.",
                "The provider sees no groups, and its writes to groups are answered 403. Groups and their members stay in the directory \
                 as they are; nobody keeps them up to date.",
            ],
        },
    ]
}

/// The page.
pub(super) fn show(shown: &Page<'_>) -> Answer {
    let kept = shown.desk.kept.as_ref();
    let method = kept.map(|kept| kept.state.provisioning.method).unwrap_or_default();
    let all_set = kept.is_none();
    let body = html! {
        @if all_set { p.notice { (NO_FILE) } }
        form.card method="post" action=(PATH) {
            (token(shown))
            h2 { "Identity provider" }
            @for switch in switches(shown).iter().take(1) { (drawn(switch, all_set)) }
            div.pair {
                div.field { span.name { "Protocol" } p { "SCIM 2.0" } }
                fieldset.field {
                    legend.name { "Authentication method" }
                    @let ways = [(SignIn::Header, "HTTP header (API key)", true), (SignIn::OAuth2, "OAuth2 client credentials", shown.desk.token_endpoint.is_some())];
                    @for (way, label, possible) in ways {
                        label.choice { input type="radio" name="method" value=(way.word()) checked[way == method] disabled[all_set || !possible]; span { (label) } }
                    }
                    @if shown.desk.token_endpoint.is_none() {
                        p.help { "OAuth2 needs " code { "signing_key" } " in " code { "[auth.oauth]" } " and " code { "public_url" } " in " code { "[server]" } "." }
                    }
                }
            }
            h2 { "What it manages" }
            @for switch in switches(shown).iter().skip(1) { (drawn(switch, all_set)) }
            div.actions { button type="submit" disabled[all_set] { "Save" } }
        }
        section.card aria-labelledby="values" {
            h2 #values { "Values for the provider" }
            p.help { "Paste these into its connection." }
            (values(shown, method))
            @if !all_set { (maker(shown, method)) }
        }
    };
    page(shown, PATH, TITLE, LEAD, &body)
}

fn drawn(switch: &Switch, all_set: bool) -> Markup {
    let (help, name) = (format!("{}-help", switch.name), switch.name);
    html! {
        div.switch {
            input type="checkbox" role="switch" id=(name) name=(name) checked[switch.is_on] disabled[all_set || switch.place.is_some()] aria-describedby=(help);
            div {
                label for=(name) { (switch.label) }
                p.help id=(help) {
                    (switch.help)
                    @if let Some(place) = &switch.place { " " strong.place { "Set by the configuration (" code { (place) } "): change it there." } }
                }
            }
        }
    }
}

fn values(shown: &Page<'_>, method: SignIn) -> Markup {
    html! {
        dl.values {
            (copied("base-url", "SCIM base URL", &shown.desk.base_url))
            @match (method, &shown.desk.token_endpoint) {
                (SignIn::OAuth2, Some(endpoint)) => {
                    (copied("token-endpoint", "Token endpoint", endpoint))
                    div.copied { dt { "Client ID and secret" } dd { (named(&shown.desk.clients)) } }
                },
                (SignIn::Header | SignIn::OAuth2, _) => {
                    (copied("header", "Header", "Authorization: Bearer"))
                    div.copied { dt { "Token" } dd { (named(&shown.desk.keys)) } }
                },
            }
        }
    }
}

fn named(all: &[Listed]) -> Markup {
    let provisions = |one: &&Listed| one.scopes.intersection(Scopes::all()) != Scopes::none();
    let mut names: Vec<&str> = all.iter().filter(provisions).map(|one| &*one.name).collect();
    names.dedup();
    html! {
        @if names.is_empty() { "None yet: make one below." } @else { p { strong { (names.join(", ")) } span.help { " – shown when it was made" } } }
    }
}

fn maker(shown: &Page<'_>, method: SignIn) -> Markup {
    let what = match method {
        SignIn::Header => "Make a token",
        SignIn::OAuth2 => "Make a client",
    };
    html! {
        form.inline method="post" action="/console/provisioning/credential" {
            (token(shown))
            div.field { label.name for="new-name" { "Name of the provider" } input #new-name name="name" value="ping" required maxlength="64" pattern="[A-Za-z0-9_.\\-]+" autocomplete="off" spellcheck="false"; }
            button.second type="submit" { (what) }
        }
    }
}

/// Saves the form; where a switch is turned, after saying what that does.
pub(super) async fn save(shown: &Page<'_>, form: &Form) -> Answer {
    let turned: Vec<(Switch, bool)> = switches(shown)
        .into_iter()
        .filter(|switch| switch.place.is_none() && form.is_on(switch.name) != switch.is_on)
        .map(|switch| (form.is_on(switch.name), switch))
        .map(|(on, switch)| (switch, on))
        .collect();
    if !turned.is_empty() && !form.is_on("confirmed") {
        return confirm(shown, form, &turned);
    }
    let turn: Vec<(&'static str, bool)> = turned.iter().map(|(switch, on)| (switch.name, *on)).collect();
    let method = match form.text("method") {
        "oauth2" => Some(SignIn::OAuth2),
        "header" => Some(SignIn::Header),
        _ => None,
    };
    for (name, on) in &turn {
        tracing::warn!(client = &*shown.visit.by, switch = name, on, "turned at the console");
    }
    let done = shown.change(move |state| {
        let kept = &mut state.provisioning;
        kept.method = method.unwrap_or(kept.method);
        for (name, on) in turn {
            match name {
                "enabled" => kept.enabled = Some(on),
                "existing_users" => kept.existing_users = Some(on),
                _ => kept.sync_groups = Some(on),
            }
        }
    });
    let notice = match done.await {
        Ok(()) => Notice::Done("Saved. It holds from now on.".to_owned()),
        Err(mistakes) => Notice::Failed(mistakes),
    };
    shown.state.console.sessions.tell(shown.visit, notice);
    see(PATH)
}

fn confirm(shown: &Page<'_>, form: &Form, turned: &[(Switch, bool)]) -> Answer {
    let body = html! {
        form.card.confirm method="post" action=(PATH) {
            (token(shown))
            input type="hidden" name="confirmed" value="on";
            input type="hidden" name="method" value=(form.text("method"));
            @for switch in switches(shown) {
                @if form.is_on(switch.name) { input type="hidden" name=(switch.name) value="on"; }
            }
            @for (switch, on) in turned {
                @let [when_on, when_off] = switch.effect;
                h2 { "Turn " (if *on { "on" } else { "off" }) ": " (switch.label) }
                p { (if *on { when_on } else { when_off }) }
            }
            div.actions { button type="submit" { "Confirm" } a.button.second href=(PATH) { "Cancel" } }
        }
    };
    page(shown, PATH, "Confirm", "Nothing has changed yet.", &body)
}

/// Makes what the provider signs in with.
pub(super) async fn make(shown: &Page<'_>, form: &Form) -> Answer {
    let method = shown.desk.kept.as_ref().map(|kept| kept.state.provisioning.method).unwrap_or_default();
    let kind = match method {
        SignIn::OAuth2 if shown.desk.token_endpoint.is_some() => Kind::Client,
        SignIn::Header | SignIn::OAuth2 => Kind::Key(None),
    };
    shown.make(form.text("name"), Scopes::all(), kind).await;
    see(PATH)
}
