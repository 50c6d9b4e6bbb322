//! How the directory is, and what `scimgate check` finds.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use maud::{Markup, html};
use tokio::sync::oneshot;

use super::layout::{page, token};
use super::measures::Printed;
use super::sessions::Notice;
use super::{Answer, Page, Wanted, see};
use crate::admin::Finding;
use crate::clock::{Clock as _, SystemClock};

const PATH: &str = "/console/health";
const LEAD: &str = "The directory’s servers, the way to them, and what could be better.";
/// A directory that does not answer takes its time.
const LONGEST: Duration = Duration::from_mins(1);

/// What was found last, and when that was.
#[derive(Debug, Default)]
pub(super) struct LastFindings(Mutex<Option<(String, Vec<Finding>)>>);

/// The page.
pub(super) async fn show(shown: &Page<'_>) -> Answer {
    let gateway = shown.state.serving.gateway();
    let health = gateway.service().health().await;
    let servers = Printed::of(&shown.state.metrics).servers();
    let last = shown.state.console.findings.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let body = html! {
        section.card aria-labelledby="directory" {
            div.title {
                h2 #directory { "Directory" }
                @match &health { Ok(()) => span.tag.good { "answers" }, Err(_) => span.tag.bad { "does not answer" } }
            }
            @if let Err(trouble) = &health { p.notice.bad { (trouble) } }
            dl.facts { div { dt { "Change feed" } dd { (gateway.service().feed_state()) } } }
            div.scroll tabindex="0" role="region" aria-labelledby="directory" {
                table.servers {
                    thead { tr { th scope="col" { "Server" } th scope="col" { "Writes" } th.number scope="col" { "Connections" } th.number scope="col" { "Failures" } th.number scope="col" { "Operations" } th.number scope="col" { "Waiting" } } }
                    tbody {
                        @for (address, server) in &servers {
                            tr {
                                th scope="row" { (address) }
                                td { @if server.chosen { span.tag.good { "taken here" } } @else { span.tag { "spare" } } }
                                td.number { (server.connections) " of " (server.wanted) }
                                td.number { (server.failures) }
                                td.number { (server.under_way) " of " (server.budget) }
                                td.number { (server.waiting) }
                            }
                        }
                    }
                }
            }
        }
        section.card aria-labelledby="findings" {
            div.title {
                h2 #findings { "Findings" }
                @if let Some((at, _)) = &last { span.help { "as of " (at) } }
            }
            @match &last {
                None => p.help { "The configuration and the directory are looked at as by " code { "scimgate check" } ". Nothing is changed there." },
                Some((_, all)) => (drawn(all)),
            }
            form method="post" action="/console/health/check" { (token(shown)) button.second type="submit" { @if last.is_some() { "Look again" } @else { "Look now" } } }
        }
    };
    page(shown, PATH, "Health", LEAD, &body)
}

fn drawn(all: &[Finding]) -> Markup {
    let rank = |finding: &&Finding| match finding.grade {
        "problem" => 0,
        "note" => 1,
        _ => 2,
    };
    let mut sorted: Vec<&Finding> = all.iter().collect();
    sorted.sort_by_key(rank);
    html! {
        ul.findings {
            @for finding in sorted {
                @let kind = match finding.grade { "ok" => "good", "problem" => "bad", _ => "note" };
                li {
                    span class={ "tag " (kind) } { (finding.grade) }
                    div { p { (finding.text) } @if let Some(remedy) = &finding.remedy { pre tabindex="0" { (remedy) } } }
                }
            }
        }
    }
}

/// Looks; one at a time.
pub(super) async fn check(shown: &Page<'_>) -> Answer {
    let console = &shown.state.console;
    let Ok(_turn) = console.checking.try_lock() else {
        shown.failed("Somebody is looking already. Load this page again in a moment.");
        return see(PATH);
    };
    let (reply, found) = oneshot::channel();
    let asked = console.wanted.send(Wanted::Findings(reply)).await.is_ok();
    match tokio::time::timeout(LONGEST, found).await {
        Ok(Ok(findings)) if asked => {
            let at = SystemClock.now().strftime("%F %T UTC").to_string();
            let told = format!("{} findings.", findings.len());
            *console.findings.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, findings));
            console.sessions.tell(shown.visit, Notice::Done(told));
        }
        Ok(_) => shown.failed("scimgate is closing."),
        Err(_) => shown.failed("The directory has not answered within a minute."),
    }
    see(PATH)
}
