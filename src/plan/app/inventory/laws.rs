//! A view that is made of the views before it equals one that is made anew, on random histories of facts, decisions and
//! instants.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::Revision;
use super::view::{Ground, View};
use super::zone_view::Questions;
use crate::census::decision_laws::{decision, rulings};
use crate::census::laws::{ByEvidence, Event, apply, cases, events};
use crate::census::time::MINUTE;
use crate::census::{Decisions, Object, Policy, Ruling, Timestamp, Zone};
use crate::plan::store::{Facts, JoinedZones};

#[derive(Clone, Debug)]
enum Step {
    Frame(&'static str, Event),
    Decide(Object, Option<Ruling>),
    /// A label counts under another name, or under its own.
    Name(&'static str, Option<&'static str>),
    /// The instant of the count moves by so many minutes.
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Step> {
    let zones = prop::sample::select(&["default", "default", "default", "lab", "a \"quoted\" zone"][..]);
    prop_oneof![
        6 => (zones, events()).prop_map(|(zone, event)| Step::Frame(zone, event)),
        2 => (rulings(), prop::bool::weighted(0.7))
            .prop_map(|((object, ruling), stands)| Step::Decide(object, stands.then_some(ruling))),
        1 => (-20..40_i64).prop_map(Step::Pass),
        1 => prop::option::of(prop::sample::select(&["default", "Zug"][..])).prop_map(|name| Step::Name("lab", name)),
    ]
}

/// Everything that a view shows.
fn shown(view: &View) -> String {
    let whys: Vec<_> = view.rows().map(|row| view.why(&row.id.to_string())).collect();
    let document = view.document(view.entries().collect::<Vec<_>>());
    serde_json::to_string(&(document, whys, view.tabs, view.zones(), view.len())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().cases / 10, ..cases() })]

    #[test]
    fn a_view_made_of_former_views_equals_one_made_anew(story in vec(steps(), 1..60)) {
        // Devices become idle, and newcomers are a flood, within the minutes of a history.
        let policy = Arc::new(Policy { idle_after: 15 * MINUTE, quarantine_rate: 2, ..Policy::default() });
        let questions = Questions::default();
        let (mut facts, mut decisions) = (Facts::default(), Arc::new(Decisions::default()));
        let joined = JoinedZones::default();
        let mut as_of = Timestamp(20 * MINUTE);
        let mut former: Vec<Arc<View>> = Vec::new();
        for (number, step) in (1..).zip(&story) {
            match step {
                Step::Frame(zone, event) => {
                    let join = |zone: &mut Zone| {
                        apply(zone, event);
                        0
                    };
                    facts.change(number, vec![((*zone).to_owned(), join)]);
                }
                Step::Decide(object, ruling) => {
                    let made = ruling.clone().map(|ruling| decision(number.unsigned_abs(), ruling));
                    Arc::make_mut(&mut decisions).set(object, made);
                }
                Step::Name(label, name) => {
                    let made = name.map(|name| decision(number.unsigned_abs(), Ruling::Zone(name.to_owned())));
                    Arc::make_mut(&mut decisions).set(&Object::Zone((*label).to_owned()), made);
                }
                Step::Pass(minutes) => as_of = as_of.plus(minutes * MINUTE),
            }
            let named = Arc::new(facts.clone()).named(decisions.names(), &joined);
            let ground = Ground {
                facts: &named,
                decisions: &decisions,
                revision: Revision::default(),
                policy: &policy,
                classifier: &ByEvidence,
                questions: &questions,
                components: None,
                as_of,
            };
            let (grown, anew) = (View::new(&ground, &former, as_of), View::new(&ground, &[], as_of));
            prop_assert_eq!(shown(&grown), shown(&anew), "after step {}: {:?}", number, step);
            // As the service, which keeps the newest view and one of another instant.
            former.push(Arc::new(grown));
            if former.len() > 2 {
                former.remove(usize::from(number % 2 == 0));
            }
        }
    }
}
