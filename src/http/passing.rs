//! The life of a request that is not for us.

use std::time::Instant;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tracing::Instrument as _;

use super::gateway::{Gateway, NOBODY, Peer, REQUEST_ID, method_name, request_id};
use super::outgoing::Outgoing;
use super::proxies::Way;
use super::response;
use super::upstream::{self, Passed, Passing, Place, Upstream};
use crate::telemetry::RequestSpan;

/// Its name in logs and traces.
const ROUTE: &str = "upstream";

impl Gateway {
    /// Passes a request on to the application, unless that must not have it.
    pub(super) async fn pass_on(
        &self,
        upstream: &Upstream,
        place: Place,
        request: Request<Incoming>,
        (peer, way): (&Peer, &Way),
        started: Instant,
    ) -> Response<Outgoing> {
        let in_flight = self.metrics.in_flight();
        let request_id = request_id(request.headers());
        let method = method_name(request.method());
        let span = RequestSpan::begin(method, ROUTE, &request_id, request.headers());
        let passing = async {
            if let Place::Unclear(why) = place {
                return Passed::Text(upstream::unclear(why));
            }
            // An administrator's slip in a client's base URL is no reason to show its key to the application, and to its log.
            if self.authenticator.is_own(request.headers()).await {
                return Passed::Text(upstream::not_for_others());
            }
            let secure = self.is_secure(peer);
            upstream.pass(request, Passing { way, secure, request_id: &request_id, span: &span, in_flight }).await
        };
        let answer = match passing.instrument(span.span()).await {
            Passed::Answer(answer) => answer.map(|body| Outgoing::Passed(Box::new(body))),
            Passed::Changed(answer) => answer.map(|()| Outgoing::Whole(Full::default())),
            Passed::Text(mut answer) => {
                response::set(&mut answer, REQUEST_ID, &request_id);
                response::harden(&mut answer, self.is_secure(peer));
                answer.map(Outgoing::Whole)
            }
        };
        let (status, took) = (answer.status().as_u16(), started.elapsed());
        upstream.counted(status, took);
        let trace_id = span.answered(NOBODY, status);
        tracing::info!(
            request_id = &*request_id,
            client = NOBODY,
            peer = %peer.address,
            address = %peer.client,
            method,
            route = ROUTE,
            status,
            trace_id,
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        answer
    }
}
