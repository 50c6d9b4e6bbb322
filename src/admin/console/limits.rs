//! Cache and limits over the last hour, as charts that are drawn here.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::layout::page;
use super::measures::{EVERY, MOST, Sample};
use super::{Answer, Page};

const LEAD: &str = "The last hour, looked at every ten seconds, since scimgate began.";
/// Samples of one row of the tables: five minutes.
const ROW: usize = 30;
const PER_MINUTE: usize = 6;
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 80.0;

/// A curve: a value for each span between two samples.
struct Chart {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    values: Vec<Option<f64>>,
    /// The least that the chart's height stands for.
    least: f64,
}

/// The page.
pub(super) fn show(shown: &Page<'_>) -> Answer {
    let samples = shown.state.console.samples.all();
    let seconds = EVERY.as_secs_f64();
    let rate = |of: fn(&Sample) -> f64| spans(&samples, |before, now| Some((of(now) - of(before)) / seconds));
    let charts = [
        Chart {
            id: "hits",
            title: "Found in the cache",
            unit: "%",
            values: spans(&samples, |before, now| {
                let (hits, misses) = (now.hits - before.hits, now.misses - before.misses);
                (hits + misses > 0.0).then(|| 100.0 * hits / (hits + misses))
            }),
            least: 100.0,
        },
        Chart { id: "requests", title: "SCIM requests", unit: "a second", values: rate(|sample| sample.requests), least: 1.0 },
        Chart {
            id: "limited",
            title: "Refused by a limit",
            unit: "in ten seconds",
            values: spans(&samples, |before, now| Some(now.limited - before.limited)),
            least: 1.0,
        },
        Chart {
            id: "under-way",
            title: "LDAP operations under way",
            unit: "at once",
            values: spans(&samples, |_, now| Some(now.under_way + now.waiting)),
            least: 1.0,
        },
    ];
    let body = html! {
        div.charts { @for chart in &charts { (drawn(chart)) } }
        section.card aria-labelledby="rails" {
            h2 #rails { "Deletions and deactivations" }
            (rails(shown))
        }
    };
    page(shown, "/console/limits", "Cache and limits", LEAD, &body)
}

fn spans(samples: &[Sample], value: impl Fn(&Sample, &Sample) -> Option<f64>) -> Vec<Option<f64>> {
    samples.windows(2).map(|pair| if let [before, now] = pair { value(before, now) } else { None }).collect()
}

fn number(value: f64) -> String {
    if value >= 10.0 || value.fract().abs() < 0.05 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn drawn(chart: &Chart) -> Markup {
    let known = || chart.values.iter().flatten().copied();
    let most = known().fold(chart.least, f64::max);
    let now = chart.values.last().copied().flatten();
    let told = match now {
        Some(now) => {
            format!("{} {} now, at most {} in the last hour", number(now), chart.unit, number(known().fold(0.0, f64::max)))
        }
        None => "nothing in the last ten seconds".to_owned(),
    };
    let (title, description) = (format!("{}-title", chart.id), format!("{}-desc", chart.id));
    html! {
        section.card.chart aria-labelledby={ (chart.id) "-head" } {
            div.title {
                h2 id={ (chart.id) "-head" } { (chart.title) }
                p.now { @if let Some(now) = now { strong { (number(now)) } " " (chart.unit) } @else { "–" } }
            }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby={ (title) " " (description) } preserveAspectRatio="none" {
                title id=(title) { (chart.title) }
                desc id=(description) { (told) }
                path.ground d={ "M0 " (HEIGHT - 1.0) "H" (WIDTH) } {}
                @let (line, below) = curve(&chart.values, most);
                path.below d=(below) {}
                path.line d=(line) {}
            }
            p.scale { span { (shown_spans(chart.values.len()) / PER_MINUTE) " minutes ago" } span { "0 to " (number(most)) " " (chart.unit) } span { "now" } }
            details {
                summary { "As a table" }
                (table(chart))
            }
        }
    }
}

/// How many spans the width stands for: five minutes at first, and an hour in the end.
fn shown_spans(known: usize) -> usize {
    known.next_multiple_of(ROW).clamp(ROW, MOST)
}

/// The line, and the area below it; where nothing is known there is a gap.
fn curve(values: &[Option<f64>], most: f64) -> (String, String) {
    let (mut line, mut below) = (String::new(), String::new());
    let step = WIDTH / f64::from(u32::try_from(shown_spans(values.len())).unwrap_or(u32::MAX));
    let mut x = WIDTH - step * f64::from(u32::try_from(values.len().saturating_sub(1)).unwrap_or(0));
    let mut open: Option<f64> = None;
    // Writing to a String cannot fail.
    for value in values {
        if let Some(value) = value {
            let y = (HEIGHT - 2.0) - (HEIGHT - 6.0) * value / most;
            // A point that stands alone is seen too: its line has round ends.
            let _ = if open.is_some() { write!(line, "L{x:.1} {y:.1}") } else { write!(line, "M{x:.1} {y:.1}h0.1") };
            let _ =
                if open.is_some() { write!(below, "L{x:.1} {y:.1}") } else { write!(below, "M{x:.1} {HEIGHT}L{x:.1} {y:.1}") };
            open = Some(x);
        } else if let Some(last) = open.take() {
            let _ = write!(below, "L{last:.1} {HEIGHT}Z");
        }
        x += step;
    }
    if let Some(last) = open {
        let _ = write!(below, "L{last:.1} {HEIGHT}Z");
    }
    (line, below)
}

/// Means of five minutes each.
fn table(chart: &Chart) -> Markup {
    let rows: Vec<(usize, Option<f64>)> = chart
        .values
        .rchunks(ROW)
        .enumerate()
        .map(|(n, part)| {
            let known: Vec<f64> = part.iter().flatten().copied().collect();
            let count = f64::from(u32::try_from(known.len()).unwrap_or(u32::MAX));
            (n * 5, (!known.is_empty()).then(|| known.iter().sum::<f64>() / count))
        })
        .collect();
    html! {
        table {
            thead { tr { th scope="col" { "Five minutes" } th.number scope="col" { "Mean, " (chart.unit) } } }
            tbody {
                @for (ago, mean) in rows {
                    tr { th scope="row" { @if ago == 0 { "the last" } @else { "until " (ago) " minutes ago" } } td.number { @match mean { Some(mean) => (number(mean)), None => "–" } } }
                }
            }
        }
    }
}

fn rails(shown: &Page<'_>) -> Markup {
    let gateway = shown.state.serving.gateway();
    let all = gateway.service().rails();
    html! {
        @if all.is_empty() { p.help { "No client has deleted or disabled anybody within the last hour, or " code { "[rails]" } " sets no limit." } } @else {
            div.scroll tabindex="0" role="region" aria-labelledby="rails" {
                table {
                    thead { tr { th scope="col" { "Client" } th scope="col" { "What" } th.number scope="col" { "Done" } th.number scope="col" { "Limit" } th scope="col" { "State" } } }
                    tbody {
                        @for rail in &all {
                            tr {
                                th scope="row" { (rail.client) }
                                td { (rail.act.name()) }
                                td.number { (rail.done) }
                                td.number { (rail.limit) }
                                td { @if rail.reached { span.tag.bad { "reached" } } @else { span.tag.good { "below" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_at_the_right_and_has_gaps_where_nothing_is_known() {
        let (line, below) = curve(&[Some(0.0), Some(1.0), None, Some(2.0)], 2.0);
        assert_eq!(line, "M324.0 78.0h0.1L336.0 41.0M360.0 4.0h0.1");
        assert_eq!(below, "M324.0 80L324.0 78.0L336.0 41.0L336.0 80ZM360.0 80L360.0 4.0L360.0 80Z");
        assert_eq!(curve(&[], 1.0), (String::new(), String::new()));
        assert_eq!([0, 30, 31, 360, 400].map(shown_spans), [30, 30, 60, 360, 360]);
    }
}
