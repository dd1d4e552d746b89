//! The laws of conduct: merging is a join, and alerts that rest on numbers do not depend on who saw which frame when.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::census::time::MINUTE;
use crate::census::{CouplingKey, MacAddr};

const KINDS: [DeedKind; 4] =
    [DeedKind::AnswersNames, DeedKind::OpensHosts, DeedKind::Commands, DeedKind::Closes];

fn key(n: u8) -> DeedKey {
    DeedKey {
        doer: CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, n % 2]), ip: [10, 0, 0, n % 2].into() },
        kind: KINDS[usize::from(n) % KINDS.len()],
        peer: None,
        port: 0,
        label: "".into(),
    }
}

/// One frame: its deed, its second, its thing.
type Act = (u8, i64, u16);

fn acts(things: u16) -> impl Strategy<Value = Vec<Act>> {
    // Within the windows that are kept; often within few of them.
    let seconds = prop_oneof![0..36_000_i64, 3_000..3_900_i64, 6_000..6_600_i64];
    vec((0..8_u8, seconds, 0..things), 0..80)
}

fn conduct(acts: &[Act]) -> Conduct {
    let mut conduct = Conduct::default();
    for (n, second, thing) in acts {
        let (key, at) = (key(*n), Timestamp::from_secs(*second));
        let thing = Thing::Port(*thing);
        match conduct.0.get_mut(&key) {
            Some(deed) => {
                deed.add(at, at, key.kind, Some(&thing));
            }
            None => {
                let deed = Deed::new(at, at, key.kind, Some(thing));
                conduct.0.insert(key, deed);
            }
        }
    }
    conduct
}

proptest! {
    #[test]
    fn conduct_is_a_function_of_the_set_of_acts(
        all in acts(60), order in any::<u64>(), cuts in vec(0..80_usize, 0..4),
    ) {
        let whole = conduct(&all);
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|a| (order ^ (a.1 as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ u64::from(a.2)));
        prop_assert_eq!(&conduct(&shuffled), &whole);
        let mut merged = Conduct::default();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(all.len())).chain([0, all.len()]).collect();
        cuts.sort_unstable();
        for part in cuts.windows(2).rev() {
            merged.merge(&conduct(&shuffled[part[0]..part[1]]));
        }
        prop_assert_eq!(&merged, &whole);
        prop_assert!(!merged.clone().merge(&whole), "a copy adds nothing");
    }

    #[test]
    fn who_is_slow_is_found_in_any_order_and_parts(
        all in vec((1..2_u8, 0..36_000_i64, 0..90_u16), 30..90), order in any::<u64>(), cut in 0..90_usize,
    ) {
        let whole = conduct(&all);
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|a| (order ^ (a.1 as u64)).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ u64::from(a.2)));
        let (a, b) = shuffled.split_at(cut.min(shuffled.len()));
        let mut merged = conduct(b);
        merged.merge(&conduct(a));
        prop_assert_eq!(&merged, &whole);
        let crowd = whole.of(DeedKind::OpensHosts).find_map(|(_, deed)| deed.crowd()).unwrap();
        let things: std::collections::BTreeSet<u16> = all.iter().map(|(_, _, thing)| *thing).collect();
        let is_slow = crowd.reached().is_none() && things.len() >= DeedKind::OpensHosts.many();
        prop_assert_eq!(crowd.spread().is_some(), is_slow);
    }

    #[test]
    fn who_is_steady_is_found_in_any_order_and_parts(
        missing in vec(0..127_i64, 0..30), order in any::<u64>(), cut in 0..127_usize,
    ) {
        let kept = (0..127_i64).filter(|window| !missing.contains(window));
        let acts: Vec<(i64, u64)> = kept.map(|window| (window, window.unsigned_abs() % 8)).collect();
        let of = |acts: &[(i64, u64)]| {
            let deed = |(window, n): &(i64, u64)| {
                let at = Timestamp(window * CROWD_WINDOW);
                Deed::new(at, at, DeedKind::Returns, Some(Thing::Number(*n)))
            };
            let all = acts.iter().map(deed);
            all.reduce(|mut a, b| { a.merge(&b, DeedKind::Returns); a })
        };
        let whole = of(&acts).unwrap();
        let mut shuffled = acts.clone();
        shuffled.sort_by_key(|a| (order ^ a.0.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (a, b) = shuffled.split_at(cut.min(shuffled.len()));
        let merged = match (of(b), of(a)) {
            (Some(mut b), Some(a)) => { b.merge(&a, DeedKind::Returns); b }
            (b, a) => b.or(a).unwrap(),
        };
        prop_assert_eq!(&merged, &whole);
        let is_met = |window: &i64| acts.iter().any(|(met, _)| met == window);
        let is_steady = |end: i64| (end - 71..=end).filter(is_met).count() >= 65;
        let expected = (0..127_i64).any(|end| is_met(&end) && is_steady(end));
        prop_assert_eq!(whole.crowd().unwrap().spread().is_some(), expected);
    }

    #[test]
    fn merging_is_commutative_and_associative(a in acts(60), b in acts(60), c in acts(60)) {
        let (a, b, c) = (conduct(&a), conduct(&b), conduct(&c));
        let joined = |parts: &[&Conduct]| {
            let mut out = Conduct::default();
            parts.iter().for_each(|part| { out.merge(part); });
            out
        };
        let whole = joined(&[&a, &b, &c]);
        prop_assert_eq!(&joined(&[&c, &joined(&[&b, &a])]), &whole);
        prop_assert_eq!(&joined(&[&joined(&[&a, &c]), &b]), &whole);
    }

    #[test]
    fn what_was_reached_stays(a in acts(400), more in acts(400)) {
        let before = conduct(&a);
        let after = conduct(&[a, more].concat());
        for (key, deed) in &before.0 {
            let reached = |deed: &Deed| deed.crowd().and_then(Crowd::reached);
            if let Some(early) = reached(deed) {
                let late = reached(&after.0[key]);
                prop_assert!(late.is_some_and(|late| late.first() <= early.first() && late.last() >= early.last()));
            }
        }
    }

    #[test]
    fn a_crowd_is_reached_by_distinct_things_of_two_neighbouring_windows(all in acts(60)) {
        for (key, deed) in &conduct(&all).0 {
            let enough = key.kind.enough();
            let things = |from: i64| {
                let of = all.iter().filter(|a| self::key(a.0) == *key && (from..from + 2).contains(&(a.1 / 300)));
                of.map(|a| a.2).collect::<std::collections::BTreeSet<_>>().len()
            };
            let reached = enough > 0 && (-1..121).any(|window| things(window) >= enough);
            prop_assert_eq!(deed.crowd().and_then(Crowd::reached).is_some(), reached);
        }
    }

    #[test]
    fn conduct_survives_the_wire(all in acts(60)) {
        let whole = conduct(&all);
        let mut read: Conduct = serde_json::from_str(&serde_json::to_string(&whole).unwrap()).unwrap();
        read.normalise();
        prop_assert_eq!(read, whole);
    }

    #[test]
    fn an_earlier_instant_shows_what_was_done_before_it(all in acts(60), window in 0..120_i64) {
        let as_of = Timestamp(window * CROWD_WINDOW);
        let before: Vec<Act> = all.iter().copied().filter(|a| Timestamp::from_secs(a.1) < as_of).collect();
        let (then, known) = (conduct(&all).until(as_of), conduct(&before));
        prop_assert_eq!(then.0.keys().collect::<Vec<_>>(), known.0.keys().collect::<Vec<_>>());
        for (key, deed) in &known.0 {
            prop_assert_eq!(then.0[key].first, deed.first);
            if deed.crowd().is_some_and(|c| c.reached().is_some()) {
                prop_assert!(then.0[key].crowd().unwrap().reached().is_some());
            }
        }
    }

    #[test]
    fn times_that_are_taken_down_are_those_of_acts_at_the_latest_instant(all in acts(20), minute in 0..600_i64) {
        let latest = Timestamp(minute * MINUTE);
        let mut ahead = conduct(&all);
        ahead.clamp(&mut Clamp::to(latest));
        for (key, deed) in &ahead.0 {
            prop_assert!(deed.last <= latest || deed.first <= latest, "{key:?}");
        }
    }
}

#[test]
fn a_scan_is_found_among_many_other_things() {
    let mut deed = Deed::new(Timestamp(0), Timestamp(0), DeedKind::OpensHosts, Some(Thing::Number(0)));
    for n in 1..5_000_u64 {
        let at = Timestamp(i64::try_from(n).unwrap() * CROWD_WINDOW / 9);
        deed.add(at, at, DeedKind::OpensHosts, Some(&Thing::Number(n)));
    }
    assert!(deed.crowd().unwrap().is_bounded() && deed.crowd().unwrap().reached().is_none());
    assert!(deed.bytes() < 16_384);
    let at = Timestamp(556 * CROWD_WINDOW);
    for n in 0..60 {
        deed.add(at, at, DeedKind::OpensHosts, Some(&Thing::Number(1_000_000 + n)));
    }
    assert!(deed.crowd().unwrap().reached().is_some());
}
