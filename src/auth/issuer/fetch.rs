//! Asks an issuer, within limits of time and size. No redirect is followed: what is asked is what is configured.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

use super::config::IssuerUrl;
use crate::outbound::{IDLE, was_closed, whole};
use crate::trust;

/// From the first byte to the last.
const TIMEOUT: Duration = Duration::from_secs(5);
/// An issuer with fifty keys and their certificates has half of it.
const LARGEST: usize = 512 << 10;

/// A client of HTTP for one issuer.
#[derive(Debug, Clone)]
pub(super) struct Fetcher(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{0}: it does not answer within {time} s", time = TIMEOUT.as_secs())]
    Late(String),
    #[error("{0}: {1}")]
    Failed(String, String),
    #[error("{0}: it answers {1}")]
    Status(String, StatusCode),
    #[error("{0}: what it answers is {1}")]
    Content(String, &'static str),
}

impl Fetcher {
    /// One that trusts the authorities in this file, or the system's.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, String> {
        let tls = trust::client_config("auth.issuers.ca", ca)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(4);
        Ok(Self(builder.build(connector)))
    }

    /// A document of JSON.
    pub(super) async fn get(&self, url: &IssuerUrl) -> Result<Value, FetchError> {
        let request = Request::builder().method(Method::GET).uri(url.as_str()).header(ACCEPT, "application/json");
        self.ask(url, request, Bytes::new()).await
    }

    /// The answer to a form that changes nothing.
    pub(super) async fn post(&self, url: &IssuerUrl, authorization: HeaderValue, form: String) -> Result<Value, FetchError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(url.as_str())
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.ask(url, request, form.into()).await
    }

    async fn ask(&self, url: &IssuerUrl, request: http::request::Builder, body: Bytes) -> Result<Value, FetchError> {
        let place = || url.as_str().to_owned();
        let request = request.body(Full::new(body)).map_err(|error| FetchError::Failed(place(), error.to_string()))?;
        let answer = async {
            let answer = match self.0.request(request.clone()).await {
                // Asking twice does no harm.
                Err(error) if was_closed(&error) && !error.is_connect() => self.0.request(request).await,
                answer => answer,
            };
            let answer = answer.map_err(|error| FetchError::Failed(place(), whole(&error)))?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Status(place(), answer.status()));
            }
            let body = Limited::new(answer.into_body(), LARGEST).collect().await;
            let body = body.map_err(|error| FetchError::Failed(place(), error.to_string()))?.to_bytes();
            serde_json::from_slice(&body).map_err(|_| FetchError::Content(place(), "not JSON"))
        };
        tokio::time::timeout(TIMEOUT, answer).await.unwrap_or_else(|_| Err(FetchError::Late(place())))
    }
}

impl FetchError {
    /// What it sends is nothing of what was asked for.
    pub(super) fn content(url: &IssuerUrl, what: &'static str) -> Self {
        Self::Content(url.as_str().to_owned(), what)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Reads one request, which has no body, and answers nothing.
    async fn hear(connection: &mut TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_when_it_is_used_again_is_no_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: IssuerUrl = format!("http://{}/jwks", listener.local_addr().unwrap()).parse().unwrap();
        let issuer = async {
            for _ in 0..2 {
                let mut connection = listener.accept().await.unwrap().0;
                hear(&mut connection).await;
                connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
                hear(&mut connection).await;
            }
            // The third connection, too, is closed without an answer.
            hear(&mut listener.accept().await.unwrap().0).await;
        };
        let fetcher = Fetcher::new(None).unwrap();
        let client = async {
            fetcher.get(&url).await.unwrap();
            fetcher.get(&url).await.unwrap();
            assert!(matches!(fetcher.get(&url).await, Err(FetchError::Failed(..))), "it is asked twice, not for ever");
        };
        tokio::join!(issuer, client);
    }
}
