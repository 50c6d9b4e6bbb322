//! A collector of traces: OTLP over HTTP, by the messages that OpenTelemetry publishes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) url: String,
    got: Arc<Mutex<Got>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Got {
    spans: Vec<Collected>,
    services: Vec<String>,
    /// Path, media type and Authorization of each export.
    posts: Vec<(String, String, String)>,
}

/// A span as it was told. Ids are in hexadecimal.
#[derive(Debug, Clone)]
pub(crate) struct Collected {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) is_error: bool,
    pub(crate) events: usize,
    pub(crate) nanoseconds: (u64, u64),
    pub(crate) attributes: HashMap<String, String>,
}

impl Collected {
    pub(crate) fn is(&self, attribute: &str, value: &str) -> bool {
        self.attributes.get(attribute).is_some_and(|found| found == value)
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let got = Arc::<Mutex<Got>>::default();
        let task = tokio::spawn(serve(socket, got.clone()));
        Self { url, got, task }
    }

    /// The spans so far.
    pub(crate) fn spans(&self) -> Vec<Collected> {
        self.got.lock().unwrap().spans.clone()
    }

    /// The names of the programs that sent them.
    pub(crate) fn services(&self) -> Vec<String> {
        self.got.lock().unwrap().services.clone()
    }

    /// Path, media type and Authorization of each export.
    pub(crate) fn posts(&self) -> Vec<(String, String, String)> {
        self.got.lock().unwrap().posts.clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: TcpListener, got: Arc<Mutex<Got>>) {
    loop {
        let (stream, _) = socket.accept().await.unwrap();
        let got = got.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let got = got.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                got.lock().unwrap().take(&head, &body);
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(ExportTraceServiceResponse::default().encode_to_vec()))))
            }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl Got {
    fn take(&mut self, head: &http::request::Parts, body: &[u8]) {
        let header = |name: &str| head.headers.get(name).map_or_else(String::new, |value| value.to_str().unwrap().to_owned());
        self.posts.push((head.uri.path().to_owned(), header("content-type"), header("authorization")));
        let export = ExportTraceServiceRequest::decode(body).unwrap();
        for resource in export.resource_spans {
            let about = texts(&resource.resource.unwrap().attributes);
            self.services.push(about.get("service.name").cloned().unwrap_or_default());
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.spans.push(Collected {
                    trace: hexadecimal(&span.trace_id),
                    id: hexadecimal(&span.span_id),
                    parent: hexadecimal(&span.parent_span_id),
                    name: span.name,
                    kind: span.kind,
                    is_error: span.status.is_some_and(|status| status.code == 2),
                    events: span.events.len(),
                    nanoseconds: (span.start_time_unix_nano, span.end_time_unix_nano),
                    attributes: texts(&span.attributes),
                });
            }
        }
    }
}

fn texts(attributes: &[KeyValue]) -> HashMap<String, String> {
    let text = |value: &any_value::Value| match value {
        any_value::Value::StringValue(text) => text.clone(),
        any_value::Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pair = |one: &KeyValue| {
        (one.key.clone(), one.value.as_ref().and_then(|value| value.value.as_ref()).map_or_else(String::new, text))
    };
    attributes.iter().map(pair).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
