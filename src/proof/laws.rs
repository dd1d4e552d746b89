//! Laws of snapshots over random inventories, and bundles of which every byte is changed in turn.

use std::io::BufReader;

use proptest::prelude::*;

use super::bundle::Writer;
use super::inclusion::{Inclusion, LeafPlace, PROOF_SCHEMA};
use super::part::{Packer, unpack};
use super::verify::{BundleReport, Fault, TrustedSigner, Verified, verify};
use super::*;
use crate::billing::statement::{Month, Records, Statement, draw};
use crate::billing::timeline::{Plan, PlanKind};
use crate::census::laws::{ByEvidence, cases, inventories};
use crate::census::{Decisions, Inventory, Policy, Survey, Timestamp, Undated, Verdict};

fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32])
}

/// A day some hours after the laws' histories, which begin in 1970.
fn day() -> Day {
    "1970-01-01".parse().unwrap()
}

/// A sealed snapshot: its header as it was signed, and its lines.
struct Made {
    header: Header,
    signed: String,
    lines: Vec<String>,
}

impl Made {
    fn signature(&self) -> Signature {
        key().sign(self.signed.as_bytes())
    }

    fn hashes(&self) -> Vec<Digest> {
        self.lines.iter().map(|l| Leaf::hash(l)).collect()
    }

    fn proof(&self, index: usize) -> String {
        let leaf = |i: usize| Leaf::read(&self.lines[i]).unwrap();
        let proof = Inclusion {
            schema: PROOF_SCHEMA.into(),
            key: key().public(),
            header: self.header.clone(),
            signature: self.signature(),
            device: LeafPlace::new(leaf(index), index, &self.hashes()),
            last: LeafPlace::new(leaf(self.lines.len() - 1), self.lines.len() - 1, &self.hashes()),
        };
        serde_json::to_string(&proof).unwrap() + "\n"
    }
}

fn seal(inventory: &Inventory, day: Day, after: Option<&Made>, revision: u64) -> Made {
    let policy = Policy { quarantine_rate: 2, ..Policy::default() };
    let inventory = inventory.until(day.end(), Undated::KEPT, |_, _| None);
    let survey = Survey::new(&inventory, &policy, &Decisions::default(), &ByEvidence, day.end());
    let mut tally = Tally::default();
    let mut lines = Vec::new();
    for leaf in Leaf::all(&survey) {
        let line = leaf.line().unwrap();
        tally.push(&leaf, &line).unwrap();
        lines.push(line);
    }
    let header = Header {
        schema: SNAPSHOT_SCHEMA.into(),
        subscription: "00000000000000aa".into(),
        number: after.map_or(1, |a| a.header.number + 1),
        day,
        revision,
        reason: (revision > 0).then(|| "late uploads (sensor epoch/sequence): s e/1".to_owned()),
        previous: after.map(|a| Digest::of(a.signed.as_bytes())),
        as_of: day.end(),
        known_until: day.end().plus(600_000_000_000),
        plan: Some(PlanInEffect { number: 1, kind: PlanKind::Monthly, committed: Some(100) }),
        census: survey.census,
        size: tally.tree().size(),
        root: tally.tree().root(),
        version: "0.1.0".into(),
        policy: policy.clone(),
        trails: Some(trails(after.map_or(1, |a| a.header.number + 1))),
    };
    let signed = header.signed_form().unwrap();
    Made { header, signed, lines }
}

/// The heads of trails that grow by a row at each snapshot.
fn trails(rows: u64) -> TrailHeads {
    let head = TrailHead { rows, hash: Digest::of(&rows.to_be_bytes()) };
    TrailHeads { subscription: head, installation: head }
}

/// The canonical form of a closed statement that follows `previous`.
fn closed(month: &str, previous: Option<&str>) -> (Month, String) {
    let month: Month = month.parse().unwrap();
    let plan = Plan {
        number: 1,
        kind: PlanKind::Monthly,
        committed: Some(1_700),
        accepted_terms_at: Timestamp(0),
        from: Timestamp(0),
        cancel_requested_at: None,
        withdrawn_at: None,
        changed_at: Timestamp(0),
    };
    let records = Records { plans: &[plan], prices: &[], corrections: &[] };
    let drawn = draw("00000000000000aa", month, records, month.to()).unwrap();
    let previous = previous.map(|text| Digest::of(text.as_bytes()).to_string());
    let statement = Statement { closed_at: Some(month.closes_at()), previous, ..drawn };
    (month, statement.canonical().unwrap())
}

fn bundle(days: Span, made: &[(&Made, bool)], statements: &[(Month, String)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), "00000000000000aa", days, &key()).unwrap();
    for (made, leaves) in made {
        writer.snapshot(&made.signed, &made.signature(), *leaves).unwrap();
        for line in made.lines.iter().filter(|_| *leaves) {
            writer.line(line).unwrap();
        }
    }
    for (month, text) in statements {
        writer.statement(*month, text).unwrap();
    }
    writer.close(&key()).unwrap()
}

fn check(bytes: &[u8]) -> Result<BundleReport, Fault> {
    match verify(BufReader::new(bytes), &TrustedSigner::default()) {
        Ok(Verified::Bundle(report)) => Ok(report),
        Ok(Verified::Device(_)) => panic!("no bundle"),
        Err(e) => Err(e.fault),
    }
}

fn days(from: &str, to: &str) -> Span {
    Span { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

/// An inventory of a counted device, one that is not, and one behind a router.
fn small() -> Inventory {
    use crate::census::{Coupling, CouplingKey, Field, Sign, Zone};
    let mut zone = Zone::default();
    let mut add = |n: u8, said: &[Field]| {
        let key =
            CouplingKey { mac: format!("00:1b:d4:00:00:0{n}").parse().unwrap(), ip: [10, 0, 0, n].into() };
        let mut facts = Coupling::new(Timestamp(i64::from(n)), Sign::ArpAsked.into());
        for field in said {
            facts.evidence.add(*field, "x", Timestamp(9));
        }
        zone.merge_coupling(key, &facts);
    };
    add(1, &[Field::HttpServer]);
    add(2, &[]);
    add(3, &[Field::HttpServer, Field::MdnsService]);
    zone.segment.span(Timestamp(1), Timestamp(9));
    Inventory::of("hq", zone)
}

fn small_bundle() -> Vec<u8> {
    let first = seal(&small(), day(), None, 0);
    let second = seal(&small(), day().plus(1), Some(&first), 0);
    let third = seal(&small(), day(), Some(&second), 1);
    let statements = [closed("1970-01", None)];
    bundle(days("1970-01-01", "1970-01-03"), &[(&first, false), (&second, true), (&third, true)], &statements)
}

#[test]
fn a_bundle_reads_as_it_was_written() {
    let bytes = small_bundle();
    insta::assert_snapshot!("bundle", String::from_utf8(bytes.clone()).unwrap());
    let report = check(&bytes).unwrap();
    assert_eq!((report.headers, report.leaves), (3, 6));
    let revisions: Vec<_> = report.snapshots.iter().map(|h| (h.day.to_string(), h.revision)).collect();
    assert_eq!(revisions, [("1970-01-01".to_owned(), 1), ("1970-01-02".to_owned(), 0)]);
    let months: Vec<_> =
        report.statements.iter().map(|s| (s.month.to_string(), s.device_months.to_string())).collect();
    assert_eq!(months, [("1970-01".to_owned(), "1700.000000".to_owned())]);
    let named = |key: &str| verify(BufReader::new(&*bytes), &TrustedSigner { key: Some(key.into()) });
    assert!(named(&key().public().fingerprint()).is_ok() && named(&key().public().to_string()).is_ok());
    let other = SigningKey::from_seed(&[8; 32]).public().fingerprint();
    assert!(matches!(named(&other).unwrap_err().fault, Fault::Key(_)));
}

#[test]
fn any_changed_bit_of_a_bundle_or_a_proof_is_detected() {
    let made = seal(&small(), day(), None, 0);
    for whole in [small_bundle(), made.proof(1).into_bytes()] {
        assert!(verify(BufReader::new(&*whole), &TrustedSigner::default()).is_ok());
        for place in 0..whole.len() {
            // Each byte in one of its bits, all bits in turn.
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 8);
            assert!(verify(BufReader::new(&*changed), &TrustedSigner::default()).is_err(), "byte {place}");
            let shorter = &whole[..place];
            assert!(verify(BufReader::new(shorter), &TrustedSigner::default()).is_err(), "cut at {place}");
        }
        for tail in ["\n", " ", "{}", "{}\n"] {
            let longer = [&whole[..], tail.as_bytes()].concat();
            assert!(verify(BufReader::new(&*longer), &TrustedSigner::default()).is_err(), "{tail:?} behind");
        }
    }
}

#[test]
fn what_is_signed_but_not_true_is_told() {
    let made = seal(&small(), day(), None, 0);
    let span = days("1970-01-01", "1970-01-02");
    let with = |change: &dyn Fn(&mut Made)| {
        let mut other = seal(&small(), day(), None, 0);
        change(&mut other);
        other.signed = other.header.signed_form().unwrap();
        check(&bundle(span, &[(&other, true)], &[])).map(drop)
    };
    assert!(with(&|_| ()).is_ok());
    type Change<'c> = (&'c str, &'c dyn Fn(&mut Made));
    let changes: [Change<'_>; 12] = [
        ("census.network", &|m| (m.header.census.network, m.header.census.iot) = (0, 2)),
        ("census.commitment", &|m| m.header.census.commitment += 100),
        ("census.billable", &|m| m.header.census.billable += 1),
        ("census.strict_couplings", &|m| m.header.census.strict_couplings += 1),
        ("size", &|m| m.header.size += 1),
        ("root", &|m| m.header.root = Digest::of(b"")),
        ("as_of", &|m| m.header.as_of = m.header.as_of.plus(1)),
        ("known_until", &|m| m.header.known_until = m.header.as_of.plus(-1)),
        ("out of order", &|m| m.lines.swap(0, 1)),
        ("out of order", &|m| m.lines[1] = m.lines[0].clone()),
        ("does not follow", &|m| m.lines[0] = m.lines[0].replace("C-IOT", "C-NET")),
        ("in the form of a leaf", &|m| m.lines[0].push(' ')),
    ];
    for (what, change) in changes {
        let error = with(change).unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
    }
    // A chain with a gap, with another order, without the leaves of the newest revision.
    let second = seal(&small(), day().plus(1), Some(&made), 0);
    let third = seal(&small(), day().plus(2), Some(&second), 0);
    let span = days("1970-01-01", "1970-01-04");
    assert!(check(&bundle(span, &[(&made, true), (&second, true), (&third, true)], &[])).is_ok());
    assert!(matches!(check(&bundle(span, &[(&made, true), (&third, true)], &[])), Err(Fault::Chain(_))));
    assert!(matches!(check(&bundle(span, &[(&second, true), (&made, true)], &[])), Err(Fault::Chain(_))));
    assert!(matches!(check(&bundle(span, &[(&made, true), (&second, false)], &[])), Err(Fault::Leaves(_))));
    let again = seal(&small(), day(), Some(&made), 2);
    assert!(matches!(check(&bundle(span, &[(&made, true), (&again, true)], &[])), Err(Fault::Chain(_))));
    // Audit trails that lost rows, or have others, between two days. Headers of the first schema have none.
    let with = |schema: &str, trails: Option<TrailHeads>| {
        let mut second = seal(&small(), day().plus(1), Some(&made), 0);
        second.header.schema = schema.to_owned();
        second.header.trails = trails;
        second.signed = second.header.signed_form().unwrap();
        check(&bundle(span, &[(&made, true), (&second, true)], &[]))
            .map(|report| report.trails.as_deref().copied())
    };
    assert_eq!(with(SNAPSHOT_SCHEMA, Some(trails(1))).unwrap(), Some(trails(1)), "no row was added");
    assert_eq!(with("netcensus.snapshot/1", None).unwrap(), Some(trails(1)));
    let other = TrailHead { rows: 1, hash: Digest::of(b"other") };
    for broken in [trails(0), TrailHeads { installation: other, ..trails(1) }] {
        assert!(matches!(with(SNAPSHOT_SCHEMA, Some(broken)), Err(Fault::Chain(_))), "{broken:?}");
    }
    for (schema, heads) in [(SNAPSHOT_SCHEMA, None), ("netcensus.snapshot/1", Some(trails(2)))] {
        assert!(with(schema, heads).unwrap_err().to_string().contains("schema"));
    }
    // Statements that are out of order.
    let january = closed("1970-01", None);
    let february = closed("1970-02", Some(&january.1));
    let of = |statements: &[(Month, String)]| check(&bundle(span, &[(&made, true)], statements));
    assert!(of(&[january.clone(), february.clone()]).is_ok());
    let wrong = [
        vec![february.clone(), january.clone()],
        vec![january.clone(), closed("1970-02", None)],
        vec![(february.0, january.1.clone())],
        vec![(january.0, january.1.replace("1700.000000", "1700.000001"))],
        vec![(january.0, january.1.replace("1970-02-04T00:00:00Z", "1970-02-03T00:00:00Z"))],
        vec![(january.0, january.1.replace("00aa", "00ab"))],
        vec![(january.0, january.1.replace("{\"schema\"", "{ \"schema\""))],
    ];
    for statements in wrong {
        assert!(matches!(of(&statements), Err(Fault::Statement { .. })), "{statements:?}");
    }
}

#[test]
fn a_proof_whose_second_leaf_is_not_the_last_is_none() {
    let made = seal(&small(), day(), None, 0);
    let mut proof: Inclusion = serde_json::from_str(&made.proof(0)).unwrap();
    proof.last = proof.device.clone();
    let text = serde_json::to_string(&proof).unwrap() + "\n";
    assert!(matches!(Inclusion::verify(&text, &TrustedSigner::default()), Err(Fault::NotLast)));
}

/// A fifth of the cases of other laws: each signs and verifies some documents.
fn fewer() -> ProptestConfig {
    let all = cases();
    ProptestConfig { cases: all.cases.div_ceil(5), ..all }
}

proptest! {
    #![proptest_config(fewer())]

    #[test]
    fn header_leaves_and_survey_say_the_same_of_every_inventory(inventory in inventories()) {
        let made = seal(&inventory, day(), None, 0);
        made.header.is_consistent().unwrap();
        let mut tally = Tally::default();
        let mut packer = Packer::default();
        for line in &made.lines {
            tally.check(line, &made.header).unwrap();
            packer.push(&Leaf::read(line).unwrap(), line).unwrap();
        }
        tally.agrees(&made.header).unwrap();
        let read: String = packer.finish().unwrap().iter().map(|p| unpack(&p.body).unwrap()).collect();
        prop_assert!(read.lines().eq(made.lines.iter().map(String::as_str)));
        // The document that API, CSV and commands print holds the same devices with the same verdicts.
        let until = inventory.until(day().end(), Undated::KEPT, |_, _| None);
        let policy = made.header.policy.clone();
        let survey = Survey::new(&until, &policy, &Decisions::default(), &ByEvidence, day().end());
        let document = crate::wire::Document::new(&survey, Default::default(), None);
        let mut listed: Vec<(String, Verdict)> = document.devices.into_iter().map(|d| (d.id, d.verdict)).collect();
        listed.sort_by(|a, b| a.0.cmp(&b.0));
        let sealed: Vec<(String, Verdict)> =
            made.lines.iter().map(|l| Leaf::read(l).unwrap()).map(|l| (l.id, l.verdict)).collect();
        prop_assert_eq!(listed, sealed);
        prop_assert_eq!(document.census, made.header.census.clone());
        let report = check(&bundle(days("1970-01-01", "1970-01-02"), &[(&made, true)], &[])).unwrap();
        prop_assert_eq!(&report.snapshots, std::slice::from_ref(&made.header));
        for index in 0..made.lines.len() {
            let proof = Inclusion::verify(&made.proof(index), &TrustedSigner::default()).unwrap();
            prop_assert_eq!(proof.device.leaf.line().unwrap(), made.lines[index].clone());
        }
    }
}
