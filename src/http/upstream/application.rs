//! The client of the application: pooled connections, HTTP/1.1 always.

use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use super::UpstreamConfig;
use super::body::{Progress, SentBody};
use crate::outbound::{IDLE, whole};
use crate::trust;

/// Idle connections at most.
const MOST_IDLE: usize = 64;
/// What is read ahead of an answer, and the largest head of one, in bytes.
const BUFFER: usize = 64 << 10;

/// It.
#[derive(Debug)]
pub(super) struct Application {
    pooled: Client<HttpsConnector<HttpConnector>, SentBody>,
    /// Opens a connection for each request.
    fresh: Client<HttpsConnector<HttpConnector>, SentBody>,
}

impl Application {
    /// As configured; nothing is connected yet.
    ///
    /// # Errors
    /// One line that names the key.
    pub(super) fn new(config: &UpstreamConfig) -> Result<Self, String> {
        let tls = if config.scheme == Scheme::HTTPS {
            trust::client_config("upstream.ca", config.ca.as_deref())?
        } else {
            // Nobody is to be trusted: nothing is asked over TLS.
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            let builder = ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
            let builder = builder.map_err(|error| error.to_string())?;
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        };
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(config.connect_timeout));
        connector.set_keepalive(Some(Duration::from_mins(1)));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let client = |most_idle: usize| {
            let mut builder = Client::builder(TokioExecutor::new());
            builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(most_idle);
            builder.http1_max_buf_size(BUFFER).set_host(false);
            builder.build(connector.clone())
        };
        Ok(Self { pooled: client(MOST_IDLE), fresh: client(0) })
    }

    /// Asks it.
    pub(super) async fn ask(&self, request: Request<SentBody>) -> Result<Response<Incoming>, Error> {
        self.pooled.request(request).await
    }

    /// Asks it over a new connection.
    pub(super) async fn ask_anew(&self, request: Request<SentBody>) -> Result<Response<Incoming>, Error> {
        self.fresh.request(request).await
    }
}

/// What the application answers to a plain question, for who wants to know whether it is there.
///
/// # Errors
/// Why it does not answer.
pub async fn upstream_answers(config: &UpstreamConfig) -> Result<StatusCode, String> {
    let application = Application::new(config)?;
    let uri = Uri::builder().scheme(config.scheme.clone()).authority(config.authority.clone()).path_and_query("/").build();
    let mut request = Request::new(SentBody::empty(Progress::new()));
    *request.uri_mut() = uri.map_err(|error| error.to_string())?;
    if let Ok(host) = config.authority.as_str().parse() {
        request.headers_mut().insert(http::header::HOST, host);
    }
    match tokio::time::timeout(config.connect_timeout + Duration::from_secs(5), application.ask_anew(request)).await {
        Ok(Ok(answer)) => Ok(answer.status()),
        Ok(Err(error)) => Err(whole(&error)),
        Err(_) => Err("it does not answer in time".to_owned()),
    }
}
