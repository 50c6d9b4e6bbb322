//! What is printed of the metrics.

use std::time::Duration;

use super::{Exposition, Limit, Metrics, OwnCertificate, Refusal};

#[test]
fn families_are_printed_with_their_labels() {
    let metrics = Metrics::default();
    metrics.request("user", "GET", &"ping".into(), 200, Duration::from_millis(3));
    metrics.refused(Refusal::Expired);
    metrics.limited(Limit::Writes, &"ping".into());
    metrics.tolerated(&"ping".into(), "string-boolean");
    metrics.certificate_ends(OwnCertificate::Directory, 2e9);
    let guard = metrics.in_flight();
    let server = metrics.directory().server("ldaps://a:636");
    server.operation("search", "success", Duration::from_millis(1));
    server.budget(256);
    metrics.directory().unsent("add", "notSent");
    let connection = server.connection();
    let text = metrics.text(Exposition::OpenMetrics);
    for line in [
        "scimgate_requests_total{route=\"user\",method=\"GET\",client=\"ping\",status=\"200\"} 1",
        "scimgate_directory_operations_total{server=\"ldaps://a:636\",operation=\"search\",result=\"success\"} 1",
        "scimgate_directory_operations_total{server=\"none\",operation=\"add\",result=\"notSent\"} 1",
        "scimgate_directory_operation_seconds_count{server=\"ldaps://a:636\",operation=\"search\"} 1",
        "scimgate_refusals_total{reason=\"expired\"} 1",
        "scimgate_limit_exceeded_total{limit=\"writes\",client=\"ping\"} 1",
        "scimgate_tolerances_total{client=\"ping\",tolerance=\"string-boolean\"} 1",
        "scimgate_certificate_expiry_timestamp_seconds{certificate=\"directory\"} 2000000000.0",
        "scimgate_requests_in_flight 1",
        "scimgate_directory_budget{server=\"ldaps://a:636\"} 256",
        "scimgate_directory_connections{server=\"ldaps://a:636\"} 1",
        "scimgate_request_seconds_count{route=\"user\"} 1",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    drop((guard, connection));
    let text = metrics.text(Exposition::OpenMetrics);
    assert!(text.contains("scimgate_requests_in_flight 0"));
    assert!(text.contains("scimgate_directory_connections{server=\"ldaps://a:636\"} 0"));
}

#[test]
fn of_a_clients_credentials_the_last_counts() {
    let metrics = Metrics::default();
    metrics.credentials_end([("gone".into(), 1.0)]);
    metrics.credentials_end([("ping".into(), 3.0), ("ping".into(), 2.0), ("okta".into(), 1.0)]);
    let text = metrics.text(Exposition::Prometheus);
    let mut ends: Vec<_> = text.lines().filter(|line| line.starts_with("scimgate_credential_expiry")).collect();
    ends.sort_unstable();
    let line = |client: &str, end: &str| format!("scimgate_credential_expiry_timestamp_seconds{{client=\"{client}\"}} {end}");
    assert_eq!(ends, [line("okta", "1.0"), line("ping", "3.0")]);
}

#[test]
fn openmetrics_is_for_who_asks_for_it() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2";
    assert_eq!(Exposition::accepted(Some(prometheus)), Exposition::OpenMetrics);
    assert_eq!(Exposition::accepted(Some("text/plain, */*")), Exposition::Prometheus);
    assert_eq!(Exposition::accepted(None), Exposition::Prometheus);
    let text = Metrics::default().text(Exposition::Prometheus);
    assert!(text.contains("# TYPE scimgate_audit_lines_total counter") && !text.contains("# EOF"), "{text}");
}
