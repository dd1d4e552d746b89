//! Server-sent events: tells open pages that the facts have changed, at most once a second.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_core::Stream;

use super::page::{PageError, Visitor};
use crate::plan::app::App;
use crate::plan::http::extract::Path;
use crate::plan::permission::Action;

/// How often an open page is told at most.
const PACE: Duration = Duration::from_secs(1);
/// How often an open page has the database asked what other services wrote.
const LOOK: Duration = Duration::from_secs(5);

/// The stream of a subscription. Its events carry the number of the change only: the page asks for what it shows.
pub(super) async fn stream(
    State(service): State<App>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    caller.may_do(&service, Action::View, &sid).await?;
    let mut changes = service.inventories()?.changes(&sid);
    let mut stopping = service.stopping.subscribe();
    let events = async_stream::stream! {
        yield Ok(Event::default().event("hello").data("0"));
        loop {
            enum Woken { Changed, Look, End }
            let stop = async { stopping.wait_for(|s| *s).await.is_ok() };
            let woken = tokio::select! {
                changed = changes.changed() => if changed.is_ok() { Woken::Changed } else { Woken::End },
                _ = stop => Woken::End,
                () = tokio::time::sleep(LOOK), if service.store.is_shared() => Woken::Look,
            };
            match woken {
                Woken::Changed => {}
                Woken::End => break,
                Woken::Look => {
                    // A failure is told by the page's next request.
                    if let Ok(inventories) = service.inventories() {
                        inventories.look(&sid).await.ok();
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
