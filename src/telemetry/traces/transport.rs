//! How batches travel: by hyper, on a runtime that is the exporting thread's alone, so that no request ever waits for them.

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Runtime;

use super::{TIMEOUT, TracesConfig};
use crate::trust;

/// A collector says in a few bytes what it did not take.
const LARGEST: usize = 64 << 10;

/// A client of HTTP for the collector.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    authorization: Option<HeaderValue>,
    runtime: Runtime,
}

impl Transport {
    pub(super) fn new(config: &TracesConfig) -> Result<Self, String> {
        let tls = trust::client_config("traces.ca", config.ca.as_deref())?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let authorization = config.authorization.as_ref().map(|secret| {
            let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| "traces.authorization: no header can hold it")?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, authorization: authorization.transpose()?, runtime })
    }
}

#[async_trait::async_trait]
impl HttpClient for Transport {
    /// Is only called by the exporting thread, which has nothing else to do.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = request.map(Full::new);
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        self.runtime.block_on(async {
            let exchange = async {
                let (head, body) = self.client.request(request).await?.into_parts();
                let body = Limited::new(body, LARGEST).collect().await?.to_bytes();
                Ok(Response::from_parts(head, body))
            };
            tokio::time::timeout(TIMEOUT, exchange).await?
        })
    }
}
