//! An application beside the gateway: a real server of HTTP/1.1, with a real WebSocket.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, TRANSFER_ENCODING, UPGRADE};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A request as the application got it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// The target as it stood in the request.
    pub(crate) target: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// How long the body was, if it was read to its end.
    pub(crate) body: Option<usize>,
}

impl Seen {
    /// All lines of a header.
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(" | ")
    }
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    name: String,
    connections: AtomicUsize,
    /// Requests that are being answered, or whose connection is still there.
    waiting: AtomicUsize,
}

/// It ends, with its connections, when it is dropped.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) url: String,
    shared: Arc<Shared>,
    /// What `/pieces` waits for before each piece.
    pub(crate) pieces: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Application {
    pub(crate) async fn start() -> Self {
        Self::named("").await
    }

    /// One that answers its name to `/name`.
    pub(crate) async fn named(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared { name: name.to_owned(), ..Shared::default() });
        let pieces = Arc::new(Semaphore::new(0));
        let task = tokio::spawn(serve(listener, shared.clone(), pieces.clone()));
        Self { url, shared, pieces, task }
    }

    /// What it was asked, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The last of those.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().expect("the application was not asked")
    }

    /// Connections that were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Requests to `/never` whose client is still there.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::SeqCst)
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, pieces: Arc<Semaphore>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let (shared, pieces) = (shared.clone(), pieces.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let (shared, pieces) = (shared.clone(), pieces.clone());
                async move { Ok::<_, Infallible>(answer(request, shared, pieces).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = connection.with_upgrades().await;
        });
    }
}

/// Counts until it is dropped.
struct Waiting(Arc<Shared>);

impl Waiting {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.waiting.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

fn whole(text: impl Into<Bytes>) -> Response<Body> {
    Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed_unsync())
}

async fn answer(mut request: Request<Incoming>, shared: Arc<Shared>, pieces: Arc<Semaphore>) -> Response<Body> {
    let place = {
        let mut seen = shared.seen.lock().unwrap();
        seen.push(Seen {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            version: request.version(),
            headers: request.headers().clone(),
            body: None,
        });
        seen.len() - 1
    };
    match request.uri().path() {
        "/ws" => return websocket(&mut request),
        "/never" => {
            let _waiting = Waiting::new(&shared);
            return std::future::pending().await;
        }
        // Answers before it has read anything.
        "/refuse" => {
            let mut answer = whole("too large");
            *answer.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return answer;
        }
        _ => {}
    }
    let (head, mut body) = request.into_parts();
    let mut length = 0;
    while let Some(Ok(frame)) = body.frame().await {
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    shared.seen.lock().unwrap()[place].body = Some(length);
    match head.uri.path() {
        "/name" => whole(shared.name.clone()),
        // 64 MiB.
        "/large" => {
            let zeros = stream::repeat_with(|| Ok(Frame::data(Bytes::from(vec![0; 64 << 10])))).take(1024);
            Response::new(StreamBody::new(zeros).boxed_unsync())
        }
        // As many pieces as the test allows; ten are all.
        "/pieces" => {
            let waiting = Waiting::new(&shared);
            let frames = stream::unfold((pieces, 0, waiting), |(pieces, n, waiting)| async move {
                if n == 10 {
                    return None;
                }
                pieces.acquire().await.unwrap().forget();
                Some((Ok(Frame::data(Bytes::from(format!("piece {n}\n")))), (pieces, n + 1, waiting)))
            });
            Response::new(StreamBody::new(frames).boxed_unsync())
        }
        // Ends in the middle.
        "/dies" => {
            let frames = stream::iter([Ok(Frame::data(Bytes::from("half"))), Err(std::io::Error::other("dies"))]);
            let frames = frames.then(|frame| async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                frame
            });
            Response::new(StreamBody::new(frames).boxed_unsync())
        }
        "/headers" => {
            let mut answer = whole("headers");
            for (name, value) in [
                ("set-cookie", "a=1"),
                ("set-cookie", "b=2"),
                ("connection", "x-private"),
                ("x-private", "1"),
                ("keep-alive", "timeout=9"),
                ("proxy-authenticate", "Basic"),
                ("x-request-id", "of-the-application"),
                ("content-security-policy", "default-src 'self'"),
            ] {
                answer.headers_mut().append(name, value.parse().unwrap());
            }
            answer
        }
        "/status/404" => {
            let mut answer = whole("nothing here");
            *answer.status_mut() = StatusCode::NOT_FOUND;
            answer
        }
        _ => whole(format!("{length}")),
    }
}

fn websocket(request: &mut Request<Incoming>) -> Response<Body> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let upgraded = hyper::upgrade::on(&mut *request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() || socket.send(message).await.is_err() {
                break;
            }
        }
    });
    let mut answer = whole("");
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer.headers_mut().insert(CONNECTION, "upgrade".parse().unwrap());
    answer.headers_mut().insert(UPGRADE, "websocket".parse().unwrap());
    if let Some(key) = key {
        answer.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, key.parse().unwrap());
    }
    answer.headers_mut().remove(TRANSFER_ENCODING);
    answer
}
