//! Laws of every list: the ledger closes, order does not matter, nothing panics.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use smallvec::SmallVec;
use thin_vec::ThinVec;

use super::reading::{FileRow, Told};
use super::*;
use crate::census::time::DAY;
use crate::census::{
    Binding, Category, Classification, CouplingKey, CouplingState, MacAddr, Policy, Timestamp, Unclassified,
    Verdict,
};
use crate::wire::{CouplingRow, DeviceRow, Shown};

const NOW: Timestamp = Timestamp(20_000 * DAY);

fn macs() -> impl Strategy<Value = MacAddr> {
    (0..9_u8).prop_map(|n| MacAddr([0, 0x40, 0x8c, 0, 0, n]))
}

fn ips() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        9 => (1..9_u8).prop_map(|n| IpAddr::from([10, 0, 0, n])),
        1 => (1..3_u8).prop_map(|n| IpAddr::from([8, 8, 8, n])),
    ]
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

fn entries() -> impl Strategy<Value = ListedDevice> {
    let words = || select(vec!["Camera", "Switch", "Laptop", "Windows 10", "what"]);
    let id = select(vec!["", "", "", "m1", "m2"]);
    let excluded = prop_oneof![9 => Just(None), 1 => Just(Some(Exclusion::Retired))];
    let serial = || prop_oneof![6 => Just(None), 4 => (1..4_u8).prop_map(|n| Some(format!("S{n}")))];
    let sides = (serial(), serial(), excluded);
    (vec(macs(), 0..3), vec(ips(), 0..3), vec(words(), 0..2), id, 0..50_i64, any::<bool>(), 0..8_u8, sides)
        .prop_map(|(macs, ips, kinds, id, age, dated, managed, (serial, site, excluded))| ListedDevice {
            macs: sorted(macs),
            ips: sorted(ips),
            kinds: kinds.into_iter().map(str::to_owned).collect(),
            ids: (!id.is_empty()).then(|| id.to_owned()).into_iter().collect(),
            id: (!id.is_empty()).then(|| id.to_owned()),
            serial,
            site,
            last_seen: dated.then(|| NOW.plus(-age * DAY)),
            managed: managed == 0,
            excluded,
            ..ListedDevice::default()
        })
}

fn devices() -> impl Strategy<Value = DeviceRow> {
    let categories = select(Category::ALL.to_vec());
    let states = select(vec![CouplingState::Active, CouplingState::Superseded]);
    let couplings = vec((macs(), 1..9_u8, states), 1..3);
    (couplings, categories, 0..40_i64, any::<bool>()).prop_map(|(couplings, category, age, managed)| {
        let last_seen = NOW.plus(-age * DAY);
        let row = |(mac, n, state)| CouplingRow {
            key: CouplingKey { mac, ip: IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)) },
            binding: Binding::Proven,
            state,
            first_seen: last_seen,
            last_seen,
            shown: Shown::default(),
            vlans: ThinVec::new(),
        };
        let couplings: SmallVec<[CouplingRow; 1]> = couplings.into_iter().map(row).collect();
        let standing =
            crate::census::Standing { category, last_seen, tentative: false, managed, deleted_at: None };
        let key = couplings[0].key;
        DeviceRow {
            id: format!("{:016x}", key.mac.0[5]).parse().unwrap(),
            zone: "default".into(),
            ip: key.ip,
            mac: key.mac,
            couplings,
            joins: ThinVec::new(),
            forwards: None,
            what: Arc::new(Classification { category, ..Classification::default() }),
            first_seen: last_seen,
            last_seen,
            verdict: crate::census::verdict(&standing, &Policy::default(), NOW),
            decided: None,
        }
    })
}

fn reading(name: &str, entries: Vec<ListedDevice>) -> Reading {
    let rows =
        entries.into_iter().zip(1..).map(|(listed, number)| FileRow { number, listed: Ok(listed) }).collect();
    Reading {
        name: name.to_owned(),
        kind: FileKind::Cmdb,
        rows,
        product: None,
        is_distinct: false,
        columns: None,
        told: Told::default(),
        doubts: Vec::new(),
        notes: Vec::new(),
    }
}

fn estimate(files: &[Reading], inventory: Option<&[DeviceRow]>) -> Estimate {
    let sorter = Sorter::new(&Unclassified).unwrap();
    let rows: Option<Vec<&DeviceRow>> = inventory.map(|devices| devices.iter().collect());
    Estimate::new(files, rows.as_deref(), &sorter, &Policy::default(), NOW).unwrap()
}

/// Every number of an estimate.
fn numbers(e: &Estimate) -> impl PartialEq + std::fmt::Debug + use<> {
    (e.network, e.iot, e.managed, e.excluded.clone(), e.ledger, e.inventory, e.arithmetic.clone())
}

proptest! {
    #[test]
    fn no_order_of_files_and_rows_changes_a_number(
        rows in vec((entries(), 0..3_usize), 0..24),
        inventory in vec(devices(), 0..6),
        order in any::<proptest::sample::Index>(),
    ) {
        let split = |rows: &[(ListedDevice, usize)]| -> Vec<Reading> {
            let of = |file: usize| rows.iter().filter(|(_, f)| *f == file).map(|(e, _)| e.clone()).collect();
            (0..3).map(|file| reading(&format!("{file}.csv"), of(file))).collect()
        };
        let first = estimate(&split(&rows), Some(&inventory));
        prop_assert!(first.closes(), "{first:?}");
        let mut other = rows;
        other.reverse();
        let turn = if other.is_empty() { 0 } else { order.index(other.len()) };
        other.rotate_left(turn);
        let mut files = split(&other);
        files.rotate_left(turn % 3);
        prop_assert_eq!(numbers(&estimate(&files, Some(&inventory))), numbers(&first));
    }

    #[test]
    fn a_list_that_is_given_twice_counts_once(rows in vec(entries(), 0..20), inventory in vec(devices(), 0..6)) {
        let file = reading("a.csv", rows);
        let known = |e: &Estimate| (e.network, e.iot);
        let once = estimate(std::slice::from_ref(&file), Some(&inventory));
        let twice = estimate(&[file.clone(), file], Some(&inventory));
        prop_assert!(twice.closes());
        prop_assert_eq!(known(&once), known(&twice));
        prop_assert_eq!(once.ledger.taken, twice.ledger.taken);
    }

    #[test]
    fn an_inventory_alone_is_its_census_and_lists_never_split_a_device(
        inventory in vec(devices(), 0..8),
        rows in vec(entries(), 0..12),
    ) {
        let of = |verdict: Verdict| inventory.iter().filter(|d| d.verdict == verdict).count() as u64;
        let alone = estimate(&[], Some(&inventory));
        prop_assert_eq!((alone.network, alone.iot), (of(Verdict::CountedNetwork), of(Verdict::CountedIot)));
        prop_assert_eq!(alone.excluded.values().sum::<u64>() + alone.billable, inventory.len() as u64);
        let both = estimate(&[reading("a.csv", rows)], Some(&inventory));
        prop_assert!(both.closes());
        let of_inventory = both.inventory.unwrap();
        prop_assert_eq!(of_inventory.devices, inventory.len() as u64);
        prop_assert_eq!(both.billable, both.ledger.taken + of_inventory.billable - of_inventory.no_longer + of_inventory.besides);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_the_ledger_closes(bytes in vec(any::<u8>(), 0..600)) {
        closes(&bytes)?;
    }

    #[test]
    fn bytes_like_tables_and_json_never_panic_and_the_ledger_closes(
        text in "(mac[,;\t]ip[,;\t]type\n|\\[|\\{\"value\":)?([\"{}\\[\\],;:\n\t a-f0-9.]|\"mac\":|\"ip\":|\"ipAddresses\":|null|10\\.0\\.0\\.[1-9]|00:40:8c:00:00:0[1-9]|\u{e4}|\u{202e}){0,80}",
    ) {
        closes(text.as_bytes())?;
    }
}

fn closes(bytes: &[u8]) -> Result<(), TestCaseError> {
    let options =
        FileKind::ALL.into_iter().map(|kind| ReadOptions { kind: Some(kind), ..ReadOptions::default() });
    for options in options.chain([ReadOptions::default()]) {
        if let Ok(reading) = read("x", bytes, &options) {
            let rows = reading.rows.len() as u64;
            let found = estimate(&[reading], None);
            prop_assert!(found.closes());
            prop_assert_eq!(found.ledger.rows, rows);
        }
    }
    signature(bytes);
    Ok(())
}
