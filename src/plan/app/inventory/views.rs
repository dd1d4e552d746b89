//! The views of a subscription: which are kept, and which are being made.
//!
//! A view is made by a task of its own. Everybody who waits for the same view waits for the same task, and the task goes on
//! when they leave: the next one who asks finds what it made. A reader takes a view that is being made only if it counts all that
//! was known when the reader asked, so an acknowledged upload is in every view that is not marked as an older one.
//!
//! Views of other instants are kept, too: those that somebody asked for, and of each minute the last view of the present. A
//! page that follows another one of a list is made of the view of its minute, so that the list stays whole.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::super::Refusal;
use super::past::Tense;
use super::surveys::{AGAIN, Place};
use super::{Inventories, Revision, SubscriptionState, View};
use crate::census::Timestamp;
use crate::wire::SubscriptionId;

/// How long a reader waits for the newest view before an older one serves.
const FRESH: Duration = Duration::from_secs(2);
/// How long a reader waits if there is no view yet: less than a request may take.
const FIRST: Duration = Duration::from_secs(10);

/// Views of other instants that are kept.
const OTHERS: usize = 6;
/// About how many bytes they may take; one stays however large it is.
const OTHERS_BYTES: usize = 256 << 20;

/// How long a reader waits for a view.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// For the newest, if there is an older one.
    pub fresh: Duration,
    /// For any, if there is none yet.
    pub first: Duration,
    /// As `fresh`, if the older one has all that people decided, so that they see what they changed.
    pub uploads: Duration,
}

impl Patience {
    /// For commands, which wait for the newest however long it takes.
    pub const ENDLESS: Self = Self { fresh: Duration::MAX, first: Duration::MAX, uploads: Duration::MAX };
}

impl Default for Patience {
    fn default() -> Self {
        Self { fresh: FRESH, first: FIRST, uploads: FRESH }
    }
}

/// A view as it is served.
#[derive(Clone, Debug)]
pub struct Served {
    pub view: Arc<View>,
    /// Whether there is something newer that it does not count; a newer view is being made then.
    pub is_older: bool,
}

/// What ended the making of a view.
type Outcome = Option<Result<Arc<View>, String>>;

/// The views of a subscription.
#[derive(Debug, Default)]
pub(super) struct Views(Mutex<Known>);

/// The kept views, and those that are being made.
#[derive(Debug, Default)]
struct Known {
    /// The newest view at the default instant.
    default: Option<Arc<View>>,
    /// Views of other instants; what was used last comes first.
    others: Vec<Arc<View>>,
    making: Vec<Making>,
    /// Whether a reader got an older view since the newest was made.
    served_older: bool,
}

impl Known {
    fn kept(&self) -> impl Iterator<Item = &Arc<View>> {
        self.default.iter().chain(&self.others)
    }

    /// The newest view that a reader may get instead of the one that is wanted.
    fn older(&self, wanted: &Wanted) -> Option<&Arc<View>> {
        match wanted.as_of {
            None => self.default.as_ref(),
            // The pages after the first one name its instant, which was the default one.
            Some(at) => self.kept().filter(|view| view.as_of == at).max_by_key(|view| view.made_at),
        }
    }

    /// Notes that a view of another instant is used.
    fn note_use(&mut self, used: &Arc<View>) {
        if let Some(place) = self.others.iter().position(|view| Arc::ptr_eq(view, used)) {
            let used = self.others.remove(place);
            self.others.insert(0, used);
        }
    }

    /// Keeps a view of another instant, and returns those that give way.
    fn put(&mut self, view: Arc<View>) -> Vec<Arc<View>> {
        let is_former = |other: &mut Arc<View>| other.as_of == view.as_of;
        let mut gone: Vec<_> = self.others.extract_if(.., is_former).collect();
        self.others.insert(0, view);
        let mut counted: HashSet<_> = self.default.iter().flat_map(|v| v.parts()).map(|p| p.0).collect();
        let (mut number, mut bytes) = (0, 0);
        for view in self.others.iter().take(OTHERS) {
            bytes += view.parts().filter(|(part, _)| counted.insert(*part)).map(|p| p.1).sum::<usize>();
            if bytes > OTHERS_BYTES {
                break;
            }
            number += 1;
        }
        gone.extend(self.others.split_off(number.max(1)));
        gone
    }
}

#[derive(Debug)]
struct Making {
    as_of: Option<Timestamp>,
    tense: Tense,
    /// What it counts; `None` while it waits for its turn. It counts all that is known then.
    counts: Option<Revision>,
    end: watch::Receiver<Outcome>,
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The instant that the reader named.
    pub(super) as_of: Option<Timestamp>,
    /// The instant of the count: that, or the default one.
    pub(super) at: Timestamp,
    pub(super) tense: Tense,
    pub(super) revision: Revision,
}

impl Wanted {
    fn takes(&self, view: &View) -> bool {
        view.revision.covers(self.revision) && view.as_of == self.at && view.tense.serves(self.tense)
    }

    /// As [`Self::takes`], for a view that was made after the reader asked: the default instant may have passed on.
    fn takes_new(&self, view: &View) -> bool {
        let is_later = self.as_of.is_none() && view.as_of > self.at;
        self.takes(view) || is_later && view.revision.covers(self.revision)
    }
}

impl Views {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// About how much memory the kept views take.
    pub(super) fn bytes(&self) -> usize {
        let mut counted = HashSet::new();
        let kept = self.kept();
        kept.iter().flat_map(|view| view.parts()).filter(|(part, _)| counted.insert(*part)).map(|p| p.1).sum()
    }

    /// Lets go of the views of other instants.
    pub(super) fn let_others_go(&self) {
        let gone = std::mem::take(&mut self.known().others);
        drop(gone);
    }

    /// Lets go of the kept views.
    pub(super) fn let_go(&self) {
        let mut known = self.known();
        let gone = (known.default.take(), std::mem::take(&mut known.others));
        drop(known);
        drop(gone);
    }

    /// The kept views.
    pub(super) fn kept(&self) -> Vec<Arc<View>> {
        self.known().kept().cloned().collect()
    }

    /// The kept views of the present, or of later instants.
    pub(super) fn of_the_present(&self) -> Vec<Arc<View>> {
        let mut kept = self.kept();
        kept.retain(|view| view.tense == Tense::Present);
        kept
    }

    /// A kept view that is what a reader wants.
    pub(super) fn find(&self, wanted: &Wanted) -> Option<Arc<View>> {
        let mut known = self.known();
        let found = known.kept().find(|view| wanted.takes(view)).cloned()?;
        known.note_use(&found);
        Some(found)
    }

    /// The newest view that a reader may get instead.
    fn older(&self, wanted: &Wanted) -> Option<Arc<View>> {
        let mut known = self.known();
        let older = known.older(wanted).cloned()?;
        known.note_use(&older);
        known.served_older = true;
        Some(older)
    }

    /// Whether the view that a reader may get instead has all that people decided.
    fn has_decisions(&self, wanted: &Wanted) -> bool {
        let known = self.known();
        known.older(wanted).is_some_and(|view| view.revision.decisions >= wanted.revision.decisions)
    }

    /// A kept view of the instant that is wanted, if it has all that people decided.
    pub(super) fn of_instant(&self, wanted: &Wanted) -> Option<Served> {
        let view = self.has_decisions(wanted).then(|| self.older(wanted)).flatten()?;
        let is_older = !wanted.takes(&view);
        Some(Served { view, is_older })
    }

    /// The end of the first view of that instant that is being made. It need not count all that a reader wants.
    fn first_end(&self, as_of: Option<Timestamp>) -> Option<watch::Receiver<Outcome>> {
        Some(self.known().making.iter().find(|m| m.as_of == as_of)?.end.clone())
    }

    /// Notes what a view counts that is made now.
    fn begin(&self, end: &watch::Sender<Outcome>, revision: Revision) {
        let mut known = self.known();
        if let Some(making) = known.making.iter_mut().find(|m| m.end.same_channel(&end.subscribe())) {
            making.counts = Some(revision);
        }
    }

    /// Keeps a view; returns whether a reader got an older one before.
    fn keep(&self, as_of: Option<Timestamp>, view: &Arc<View>) -> bool {
        let mut known = self.known();
        let gone = match as_of {
            None => {
                let former = known.default.replace(Arc::clone(view));
                let (same, former): (Vec<_>, Vec<_>) =
                    former.into_iter().partition(|f| f.as_of == view.as_of);
                same.into_iter().chain(former.into_iter().flat_map(|former| known.put(former))).collect()
            }
            Some(_) => known.put(Arc::clone(view)),
        };
        let served_older = std::mem::take(&mut known.served_older);
        drop(known);
        // Freeing it may take long: not under the lock.
        drop(gone);
        served_older
    }

    fn end(&self, end: &watch::Sender<Outcome>) {
        self.known().making.retain(|m| !m.end.same_channel(&end.subscribe()));
    }
}

impl Inventories {
    /// Waits for the view that is wanted, or for as long as a reader has patience.
    pub(super) async fn await_view(
        &self,
        subscription: &SubscriptionId,
        state: &Arc<SubscriptionState>,
        wanted: Wanted,
        patience: Patience,
    ) -> Result<Served, Refusal> {
        let served = |view, is_older| Ok(Served { view, is_older });
        let begun = Instant::now();
        let until = |wait: Duration| begun.checked_add(wait);
        loop {
            if let Some(view) = state.views.find(&wanted) {
                return served(view, false);
            }
            let patient = match state.views.has_decisions(&wanted) {
                true => patience.uploads.min(patience.fresh),
                false => patience.fresh,
            };
            match ended(self.join(subscription, state, &wanted)?, until(patient)).await {
                Some(made) => {
                    let view = made?;
                    if wanted.takes_new(&view) {
                        return served(view, false);
                    }
                }
                None => break,
            }
        }
        if let Some(view) = state.views.older(&wanted) {
            return served(view, true);
        }
        // What began first ends first. Until then there is none, so it serves even if it does not count all.
        let first = state.views.first_end(wanted.as_of);
        let made = match first {
            Some(first) => ended(first, until(patience.first)).await.transpose()?,
            None => None,
        };
        match made.or_else(|| state.views.older(&wanted)) {
            Some(view) if wanted.takes_new(&view) => served(view, false),
            Some(view) => served(view, true),
            None => Err(Refusal::Busy { what: "this count is still being made", seconds: AGAIN }),
        }
    }

    /// The end of a view that counts all that is wanted. Begins to make it unless somebody else did.
    fn join(
        &self,
        subscription: &SubscriptionId,
        state: &Arc<SubscriptionState>,
        wanted: &Wanted,
    ) -> Result<watch::Receiver<Outcome>, Refusal> {
        let mut known = state.views.known();
        let serves = |m: &&Making| {
            m.as_of == wanted.as_of
                && m.tense.serves(wanted.tense)
                && m.counts.is_none_or(|counts| counts.covers(wanted.revision))
        };
        if let Some(making) = known.making.iter().find(serves) {
            return Ok(making.end.clone());
        }
        // Of the present there are two at most: one that has begun, and one that everybody joins.
        let place = wanted.as_of.map(|_| state.line.place()).transpose()?;
        let (tell, end) = watch::channel(None);
        known.making.push(Making {
            as_of: wanted.as_of,
            tense: wanted.tense,
            counts: None,
            end: end.clone(),
        });
        drop(known);
        tokio::spawn(self.clone().make(subscription.clone(), Arc::clone(state), *wanted, place, tell));
        Ok(end)
    }

    /// Makes a view and keeps it.
    async fn make(
        self,
        subscription: SubscriptionId,
        state: Arc<SubscriptionState>,
        wanted: Wanted,
        place: Option<Place>,
        tell: watch::Sender<Outcome>,
    ) {
        let tell = Arc::new(tell);
        let (inventories, counted, told) = (self.clone(), Arc::clone(&state), Arc::clone(&tell));
        let as_of = wanted.as_of;
        let past = match (wanted.tense, as_of) {
            (Tense::Past { .. }, Some(as_of)) => self.past(&subscription, &state, as_of).await.map(Some),
            _ => Ok(None),
        };
        let past = match past {
            Ok(past) => past,
            Err(refusal) => {
                state.views.end(&tell);
                tell.send_replace(Some(Err(refusal.to_string())));
                return;
            }
        };
        let survey = move || {
            let (facts, revision, decisions) = counted.snapshot();
            counted.views.begin(&told, revision);
            let at = inventories.instant(&facts, as_of, inventories.clock.now());
            let view = Arc::new(match &past {
                Some(past) => inventories.count_past(&counted, &facts, revision, past),
                None => {
                    let facts = counted.named(&facts, &decisions);
                    inventories.count(&counted, &facts, &decisions, revision, at)
                }
            });
            if counted.views.keep(as_of, &view) {
                // Pages that show the older one ask again.
                counted.tell();
            }
            view
        };
        let outcome = self.surveys.run(&state.line, survey).await;
        state.views.end(&tell);
        drop(place);
        tell.send_replace(Some(outcome.map_err(|refusal| refusal.to_string())));
    }
}

/// What a view became, or nothing if it is not made by `deadline`; without one, waits for it.
async fn ended(
    mut end: watch::Receiver<Outcome>,
    deadline: Option<Instant>,
) -> Option<Result<Arc<View>, Refusal>> {
    let outcome = async {
        let ended = end.wait_for(Option::is_some).await;
        let outcome = ended.ok().and_then(|outcome| outcome.clone());
        outcome.unwrap_or_else(|| Err("the service is stopping".to_owned())).map_err(Refusal::Defect)
    };
    match deadline {
        Some(deadline) => timeout_at(deadline, outcome).await.ok(),
        None => Some(outcome.await),
    }
}
