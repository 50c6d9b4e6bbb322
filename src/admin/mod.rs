//! The administrator's listener: health for whoever starts and stops us, metrics for whoever watches.

mod client;
mod config;
mod console;
mod desk;
mod rails;
mod restricted;
mod shadow;
mod state;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use client::{ask, reachable};
pub use config::{AdminConfig, Kept, SetHere};
pub use console::Console;
pub use desk::{Desk, Finding, Listed, Wanted};
pub use state::{Digest, MadeClient, MadeKey, Provisioning, SignIn, State};

use crate::http::Serving;
use crate::telemetry::{Exposition, Metrics};

/// What the pages show.
#[derive(Debug, Clone)]
pub struct AdminState {
    /// Asked whether the directory answers.
    pub serving: Arc<Serving>,
    /// Printed on `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Not ready any more once this is cancelled.
    pub leaving: CancellationToken,
    /// The pages for people.
    pub console: Arc<Console>,
}

/// A bound socket that does not accept yet.
#[derive(Debug)]
pub struct AdminListener(TcpListener);

impl AdminListener {
    /// Takes a socket that is open already, or binds.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(config: &AdminConfig, open: Option<std::net::TcpListener>) -> io::Result<Self> {
        match open {
            Some(socket) => {
                socket.set_nonblocking(true)?;
                TcpListener::from_std(socket).map(Self)
            }
            None => TcpListener::bind(config.listen).await.map(Self),
        }
    }

    /// The address it is bound to.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves until `end`: while requests in flight are finished, it goes on telling that we are not ready.
    pub async fn run(self, state: AdminState, end: CancellationToken, connections: TaskTracker) {
        let (console, metrics) = (state.console.clone(), state.metrics.clone());
        let mut sampling = pin!(console.sample(&metrics));
        loop {
            let accepted = tokio::select! {
                accepted = self.0.accept() => accepted,
                () = sampling.as_mut() => return,
                () = end.cancelled() => return,
            };
            if let Ok((stream, peer)) = accepted {
                connections.spawn(serve(stream, peer.ip(), state.clone(), end.clone()));
            }
        }
    }
}

async fn serve(stream: TcpStream, address: IpAddr, state: AdminState, end: CancellationToken) {
    let service = service_fn(move |request: Request<Incoming>| {
        let state = state.clone();
        async move {
            Ok::<_, Infallible>(if console::is_part(request.uri().path()) {
                console::answer(request, address, &state).await
            } else {
                answer(&request, address, &state).await.map(BodyExt::boxed_unsync)
            })
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => {}
        () = end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(request: &Request<Incoming>, address: IpAddr, state: &AdminState) -> Response<Full<Bytes>> {
    if request.uri().path() == "/rails/release" && *request.method() == Method::POST {
        return rails::answer(request, address, state).await;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here, and POST /rails/release\n".to_owned());
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return answer;
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" if state.leaving.is_cancelled() => text(StatusCode::SERVICE_UNAVAILABLE, "closing\n".to_owned()),
        "/readyz" => {
            let gateway = state.serving.gateway();
            match gateway.service().health().await {
                Ok(()) => {
                    let service = gateway.service();
                    text(StatusCode::OK, format!("ok\nchange feed: {}\n{}", service.feed_state(), shadow::mode(service)))
                }
                Err(trouble) => text(StatusCode::SERVICE_UNAVAILABLE, format!("directory: {trouble}\n")),
            }
        }
        "/rails" => rails::answer(request, address, state).await,
        "/shadow" | "/shadow.ldif" => shadow::answer(request, address, state).await,
        "/metrics" => {
            // What is over by now is released.
            state.serving.gateway().service().rails();
            let exposition = Exposition::accepted(request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()));
            let mut answer = text(StatusCode::OK, state.metrics.text(exposition));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition.media_type()));
            answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
            answer
        }
        "/" => text(StatusCode::OK, "scimgate: /console, /livez, /readyz, /metrics, /rails, /shadow\n".to_owned()),
        _ => text(StatusCode::NOT_FOUND, "there are /console, /livez, /readyz, /metrics, /rails and /shadow\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
