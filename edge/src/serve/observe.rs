//! Tells what was counted, behind answers, and answers who asks for all of it (`/.rimward/metrics`).

use http::{Method, StatusCode};
use std::rc::Rc;

use super::admission::turned_away;
use super::ours;
use super::site::Site;
use super::visit::Visit;
use crate::answer::Answer;
use crate::guard::secret::Scope;
use crate::platform::{Platform, Request, Signal, StoreError};
use crate::telemetry::{Metric, PERIOD, exposition};

/// Prometheus' text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Tells, a period from now, what was counted until then; once for all requests of that time.
pub(super) fn tell_later<P, R>(visit: &Visit<'_, P, R>)
where
    P: Platform + 'static,
    R: Request<Body = P::Body>,
{
    if visit.isolate.counters.borrow().is_empty() || visit.isolate.telling.replace(true) {
        return;
    }
    let (platform, isolate) = (Rc::clone(visit.platform), Rc::clone(visit.isolate));
    visit.platform.defer(async move {
        // Nobody fires it: it is waited for in vain.
        platform.signal().fired(PERIOD).await;
        isolate.telling.set(false);
        let evicted = isolate.stocks.borrow().evictions();
        let evictions = evicted - isolate.evictions_told.replace(evicted);
        if evictions > 0 {
            isolate.counters.borrow_mut().add("", Metric::Evictions, "", evictions);
        }
        let samples = isolate.counters.borrow_mut().take();
        match platform.count(samples).await {
            Ok(()) | Err(StoreError::Absent) => {}
            Err(error) => {
                // They may have arrived: told again, they could count twice.
                platform.log(&format!("what was counted is lost: {error}"));
                isolate.counters.borrow_mut().add("", Metric::Lost, "", 1);
            }
        }
    });
}

/// Answers a request for `/.rimward/metrics`.
pub(super) async fn answer<P, R>(visit: &Visit<'_, P, R>, site: &Site) -> Answer<P::Body>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    if let Some(refusal) = turned_away(visit, site, Scope::Metrics) {
        return refusal;
    }
    if !matches!(*visit.request.method(), Method::GET | Method::HEAD) {
        return ours::only(visit, "GET, HEAD");
    }
    match visit.timed("metrics", visit.platform.counted()).await {
        Ok(lines) => {
            let mut answer = Answer::text(StatusCode::OK, exposition(&lines));
            answer.headers = ours::head("metrics", EXPOSITION);
            answer
        }
        Err(error) => {
            visit.log(&format!("the metrics could not be read: {error}"));
            let sentence = match error {
                StoreError::Absent => "The Worker has no `METRICS` binding: nothing is counted.",
                StoreError::Failed(_) => "The metrics could not be read.",
            };
            ours::problem(visit, StatusCode::SERVICE_UNAVAILABLE, "metrics-unreachable", sentence)
        }
    }
}
