//! Server-sent events: tells open pages that the facts have changed, at most once a second. A session has a few streams.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;

use super::page::{PageError, Visitor};
use crate::plan::app::streams::STREAMS;
use crate::plan::app::{App, May, Refusal};
use crate::plan::permission::View;

/// The shortest time between two events.
const PACE: Duration = Duration::from_secs(1);

/// The stream of a subscription. Its events carry the number of the change only: the page asks for what it shows.
pub(super) async fn stream(
    State(app): State<App>,
    Visitor(caller): Visitor,
    Visitor(may): Visitor<May<View>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    let place = app.streams.open(&caller.holder.id).ok_or(Refusal::Streams(STREAMS)).inspect_err(|_| {
        app.metrics.refused("event-streams");
    })?;
    let mut changes = app.inventories()?.changes(may.id());
    let mut stopping = app.stopping.subscribe();
    let events = async_stream::stream! {
        let _place = place;
        yield Ok(Event::default().event("hello").data("0"));
        loop {
            enum Woken { Changed, Look, End }
            let stop = async { stopping.wait_for(|s| *s).await.is_ok() };
            let woken = tokio::select! {
                changed = changes.changed() => if changed.is_ok() { Woken::Changed } else { Woken::End },
                _ = stop => Woken::End,
                () = tokio::time::sleep(app.hearing.look_every()), if app.store.is_shared() => Woken::Look,
            };
            match woken {
                Woken::Changed => {}
                Woken::End => break,
                Woken::Look => {
                    // If this fails, the page's next request shows why.
                    if let Ok(inventories) = app.inventories() {
                        inventories.look(may.id()).await.ok();
                    }
                    continue;
                }
            }
            let generation = *changes.borrow_and_update();
            yield Ok(Event::default().event("change").id(generation.to_string()).data(generation.to_string()));
            tokio::time::sleep(PACE).await;
        }
    };
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}
