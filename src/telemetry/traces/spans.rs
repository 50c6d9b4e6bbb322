//! What a span says: routes, methods, result codes and names of the configuration. Never a value of an attribute, the name of a person
//! or of an entry, an address of a client, or anything of a credential.

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TARGET;

/// The span of a request.
#[derive(Debug, Clone)]
pub struct RequestSpan(Span);

impl RequestSpan {
    /// Begins it, below the client's own span where a `traceparent` says so (W3C Trace Context); whether it is recorded then follows
    /// the client's flag.
    #[must_use]
    pub fn begin(method: &'static str, route: &'static str, request_id: &str, headers: &HeaderMap) -> Self {
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            "request",
            otel.name = Empty,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
            scimgate.client = Empty,
            scimgate.request_id = request_id,
        );
        if !span.is_disabled() {
            span.record("otel.name", format_args!("{method} {route}"));
            let _ = span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(headers)));
        }
        Self(span)
    }

    /// The span itself, to run the request in.
    #[must_use]
    pub fn span(&self) -> Span {
        self.0.clone()
    }

    /// Writes it where a server beside us will look for its caller's span. Without traces a client's own header stays as it is.
    pub fn hand_on(&self, headers: &mut HeaderMap) {
        if !self.0.is_disabled() {
            TraceContextPropagator::new().inject_context(&self.0.context(), &mut HeaderInjector(headers));
        }
    }

    /// Notes what it was answered, and tells the trace it belongs to, if that is recorded.
    pub fn answered(&self, client: &str, status: u16) -> Option<String> {
        if self.0.is_disabled() {
            return None;
        }
        self.0.record("scimgate.client", client);
        self.0.record("http.response.status_code", i64::from(status));
        if status >= 500 {
            self.0.record("otel.status_code", "ERROR");
        }
        let context = self.0.context();
        let context = context.span().span_context().clone();
        context.is_sampled().then(|| context.trace_id().to_string())
    }
}

/// The span of an LDAP operation. It ends when it is dropped.
#[derive(Debug)]
pub struct OperationSpan(Span);

impl OperationSpan {
    /// Begins it, below the request that is being answered. What is done for nobody, such as a health check, has none.
    #[must_use]
    pub fn begin(operation: &'static str) -> Self {
        // Not asked by `enabled!`: what it leaves behind makes filters of single layers drop the next event of the thread.
        if Span::current().is_disabled() {
            return Self(Span::none());
        }
        let span = tracing::info_span!(
            target: TARGET,
            "operation",
            otel.name = Empty,
            otel.kind = "client",
            otel.status_code = Empty,
            ldap.operation = operation,
            ldap.result = Empty,
            ldap.attempts = Empty,
            server.address = Empty,
            server.port = Empty,
        );
        span.record("otel.name", format_args!("LDAP {operation}"));
        Self(span)
    }

    /// Notes the server it goes to, and how often it was sent by then.
    pub fn sent(&self, server: &url::Url, attempts: u32) {
        if self.0.is_disabled() {
            return;
        }
        if let Some(host) = server.host_str() {
            self.0.record("server.address", host);
        }
        if let Some(port) = server.port() {
            self.0.record("server.port", i64::from(port));
        }
        self.0.record("ldap.attempts", i64::from(attempts));
    }

    /// Notes what came of it. Not every refusal is an error: the service asks in order to be told.
    pub fn ended(&self, result: &'static str, failed: bool) {
        self.0.record("ldap.result", result);
        if failed {
            self.0.record("otel.status_code", "ERROR");
        }
    }
}
