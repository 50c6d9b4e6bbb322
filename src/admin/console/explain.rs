//! What a request would write, and what it would be answered; nothing is written.

use http::Method;
use maud::html;

use super::form::Form;
use super::layout::{page, token};
use super::{Answer, Page};
use crate::http::Question;

const PATH: &str = "/console/explain";
const LEAD: &str = "What a SCIM request would do to the directory, and what it would be answered. Nothing is written.";
const METHODS: [Method; 5] = [Method::POST, Method::PATCH, Method::PUT, Method::DELETE, Method::GET];
const EXAMPLE: &str = r#"{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName": "erin.byrne@example.com",
  "name": { "givenName": "Erin", "familyName": "Byrne" },
  "emails": [{ "value": "erin.byrne@example.com", "type": "work" }]
}"#;

/// The page, with the answer to its form.
pub(super) async fn show(shown: &Page<'_>, form: Option<&Form>) -> Answer {
    let field = |name: &str, first: &str| form.map_or_else(|| first.to_owned(), |form| form.text(name).to_owned());
    let (method, path, body, client) =
        (field("method", "POST"), field("path", "/Users"), field("body", EXAMPLE), field("client", ""));
    let explained = match form {
        Some(_) => {
            let method = METHODS.into_iter().find(|known| known.as_str() == method).unwrap_or(Method::GET);
            let question = Question {
                method,
                path: path.clone(),
                body: (!body.is_empty()).then(|| body.clone().into_bytes()),
                client: (!client.is_empty()).then(|| client.clone()),
            };
            Some(shown.state.serving.gateway().explain(question).await)
        }
        None => None,
    };
    let drawn = html! {
        form.card method="post" action={ (PATH) "#outcome" } {
            (token(shown))
            div.ask {
                div.field { label.name for="method" { "Method" } select #method name="method" { @for known in &METHODS { option selected[known.as_str() == method] { (known) } } } }
                div.field { label.name for="path" { "Path" } input #path name="path" value=(path) required autocomplete="off" spellcheck="false"; }
                div.field { label.name for="client" { "Client" } input #client name="client" value=(client) autocomplete="off" spellcheck="false" aria-describedby="client-help"; }
            }
            p.help #client-help { "Whose policy holds (" code { "[clients.NAME]" } "); empty: one without a policy of its own." }
            div.field { label.name for="body" { "Body" } textarea #body name="body" rows="9" spellcheck="false" { (body) } }
            div.actions { button type="submit" { "Explain" } }
        }
        @if let Some(explained) = &explained {
            section.card #outcome aria-labelledby="outcome-title" {
                div.title {
                    h2 #outcome-title { "Outcome" }
                    @if explained.would_be_done() { span.tag.good { "would be done" } } @else { span.tag.bad { "would be refused" } }
                }
                pre tabindex="0" { (explained) }
            }
        }
    };
    page(shown, PATH, "Explain", LEAD, &drawn)
}
