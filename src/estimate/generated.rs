//! Generated lists with known truth: an estimate is right, or it tells why it may not be.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::dates::DateOrder;
use super::*;
use crate::census::time::DAY;
use crate::census::{Category, Policy, Timestamp, Unclassified};

const NOW: Timestamp = Timestamp(20_786 * DAY);

/// A device of the truth.
#[derive(Clone, Debug)]
struct Device {
    category: Category,
    in_use: bool,
    /// Days since it was last seen.
    age: i64,
    word: usize,
}

impl Device {
    fn counts(&self) -> bool {
        self.category != Category::ComputerMobile && self.in_use && self.age <= 30
    }
}

fn devices() -> impl Strategy<Value = Vec<Device>> {
    let categories = select(vec![Category::Network, Category::Iot, Category::ComputerMobile]);
    let age = prop_oneof![3 => 0..25_i64, 1 => 60..900_i64];
    vec((categories, prop::bool::weighted(0.8), age, 0..3_usize), 2..14).prop_map(|all| {
        all.into_iter().map(|(category, in_use, age, word)| Device { category, in_use, age, word }).collect()
    })
}

/// A product's headers and words.
#[derive(Clone, Copy, Debug)]
struct Product {
    header: &'static str,
    delimiter: &'static str,
    in_use: [&'static str; 3],
    not_in_use: [&'static str; 3],
    types: [&'static str; 3],
}

const TYPES: [&str; 3] = ["Switch", "Camera", "Laptop"];
const PRODUCTS: [Product; 6] = [
    Product {
        header: "name,sys_class_name,cmdb_ci.mac_address,ip_address,install_status,last_discovered,sys_id,note",
        delimiter: ",",
        in_use: ["Installed", "In Production", "In Maintenance"],
        not_in_use: ["Retired", "In Stock", "On Order"],
        types: ["cmdb_ci_ip_switch", "IP Camera", "cmdb_ci_computer"],
    },
    Product {
        header: "1,2,3,4,5,6,7,8",
        delimiter: "\t",
        in_use: ["1", "3", "5"],
        not_in_use: ["7", "6", "100"],
        types: ["cmdb_ci_ip_switch", "cmdb_ci_ip_camera", "cmdb_ci_computer"],
    },
    Product {
        header: "Asset Name;Category;MAC Address (Wired);IP Address;Status;Last Scan;Asset Tag;Notes",
        delimiter: ";",
        in_use: ["Deployed", "Pending", "Broken"],
        not_in_use: ["Archived", "Ready to Deploy", "Lost/Stolen"],
        types: TYPES,
    },
    Product {
        header: "AssetName,AssetTypename,Mac,IPAddress,Statename,Lastseen,AssetID,Description",
        delimiter: ",",
        in_use: ["Active", "Broken", "In repair"],
        not_in_use: ["Non-active", "Stock", "Sold"],
        types: TYPES,
    },
    Product {
        header: "Name;Typ;MAC-Adresse (LAN);IP-Adresse;Zustand;Zuletzt gesehen;Inventarnummer;Bemerkung",
        delimiter: ";",
        in_use: ["Aktiv", "In Betrieb", "In Reparatur"],
        not_in_use: ["Ausgemustert", "Im Lager", "Verschrottet"],
        types: ["Switch", "Kamera", "Notebook"],
    },
    Product {
        header: "\"Name\";\"Type\";\"Networking - MAC address\";\"Networking - IP\";\"Status\";\"Last inventory date\";\"ID\";\"Comments\"",
        delimiter: ";",
        in_use: ["En service", "En production", "Actif"],
        not_in_use: ["En stock", "Mise au rebut", "Hors service"],
        types: ["Commutateur", "Caméra", "Laptop"],
    },
];

/// How a date is written.
fn date(form: usize, age: i64) -> String {
    let at = NOW.plus(-age * DAY);
    let text = at.to_string();
    let day: String = text.chars().take(10).collect();
    let mut parts = day.split('-');
    let (y, m, d) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let number = |t: &str| t.parse::<usize>().unwrap();
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    match form {
        0 => format!("{y}-{m}-{d} 08:00:00"),
        1 => format!("{m}/{d}/{y}"),
        2 => format!("{d}/{m}/{y} 08:00"),
        3 => format!("{d}.{m}.{y}"),
        4 => (at.0 / DAY + 25_569).to_string(),
        5 => (at.0 / 1_000_000_000).to_string(),
        6 => (at.0 / 1_000_000).to_string(),
        7 => format!("{} {}, {y} 9:15 AM", month[number(m) - 1], number(d)),
        8 => format!("{age} days ago"),
        9 => text,
        _ => format!("{d}-{}-{}", month[number(m) - 1], y.trim_start_matches("20")),
    }
}

/// What happens to a list on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Damage {
    None,
    /// The download stops.
    Cut,
    /// A cell opens a quotation.
    Quote,
    /// A cell has the separator in it.
    Shift,
    /// Two exports, one after another.
    Joined,
    /// A MAC that a spreadsheet took for a number.
    BadMac,
    /// A date of another order, or no date.
    BadDate,
    /// A state that nobody knows.
    BadState,
}

fn list(product: &Product, devices: &[Device], form: usize, damage: Damage, at: Index) -> String {
    let hit = at.index(devices.len());
    let header = match product.header {
        "1,2,3,4,5,6,7,8" => {
            "name\tsys_class_name\tmac_address\tip_address\tinstall_status\tlast_discovered\tsys_id\tcomments"
        }
        named => named,
    };
    // Two orders in one list are seen only if a date of each has a day that is not a month.
    let tells = |n: usize| {
        date(1, devices[n].age).split('/').nth(1).and_then(|d| d.parse::<u8>().ok()).is_some_and(|d| d > 12)
    };
    let mut out = format!("{header}\n");
    for (n, device) in devices.iter().enumerate() {
        let is_hit = n == hit;
        let words = if device.in_use { product.in_use } else { product.not_in_use };
        let kind = match device.category {
            Category::Network => product.types[0],
            Category::Iot => product.types[1],
            _ => product.types[2],
        };
        let name = match damage {
            Damage::Quote if is_hit => format!("\"24 inch {n}"),
            Damage::Shift if is_hit => format!("one{}two", product.delimiter),
            _ => format!("gerät-{n}"),
        };
        let mac = if damage == Damage::BadMac && is_hit {
            "1.1883E+11".into()
        } else {
            format!("00:1d:25:30:00:{n:02x}")
        };
        let state = if damage == Damage::BadState && is_hit { "Zbrk" } else { words[device.word] };
        let seen = match damage {
            Damage::BadDate if is_hit && tells(n) && (0..devices.len()).any(|m| m != n && tells(m)) => {
                date(if form == 1 { 2 } else { 1 }, device.age)
            }
            Damage::BadDate if is_hit => "soon".to_owned(),
            _ => date(form, device.age),
        };
        let seen = if seen.contains(',') { format!("\"{seen}\"") } else { seen };
        let ip = format!("10.7.1.{}", n + 1);
        let id = format!("{:032x}", n + 1);
        let cells = [name, kind.to_owned(), mac, ip, state.to_owned(), seen, id, "remark".to_owned()];
        out.push_str(&cells.join(product.delimiter));
        out.push('\n');
        if damage == Damage::Joined && is_hit {
            out.push_str(&format!("{header}\n"));
        }
    }
    if damage == Damage::Cut {
        // Within a row: what is cut between two rows is a list like any other.
        let at_line_end = |out: &str, end: usize| {
            let (before, after) = out.split_at_checked(end).unwrap_or(("\n", ""));
            before.ends_with('\n') || after.starts_with('\n')
        };
        let mut end = out.len() - 1 - at.index(out.len() / 3);
        while at_line_end(&out, end) {
            end -= 1;
        }
        out.truncate(end);
    }
    out
}

fn encoded(text: &str, encoding: usize) -> Vec<u8> {
    match encoding {
        0 => text.as_bytes().to_vec(),
        1 => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        2 => [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
        // Windows-1252, which writes these letters as Latin-1.
        3 => text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect(),
        _ => text.replace('\n', "\r\n").into_bytes(),
    }
}

fn is_told(found: &Estimate) -> bool {
    let file = &found.files[0];
    let dates = file.dates.first();
    let in_doubt =
        dates.is_some_and(|d| d.either > 0 || matches!(d.order, Some(DateOrder::Unknown | DateOrder::Mixed)));
    // A cut within the last cell leaves no other trace.
    let may_be_cut = file.notes.iter().any(|note| note.contains("whether the list is whole"));
    may_be_cut || (found.at_least && !found.because.is_empty()) || !file.not_understood.is_empty() || in_doubt
}

proptest! {
    #[test]
    fn an_estimate_is_right_or_tells_why_it_may_not_be(
        devices in devices(),
        product in select(PRODUCTS.to_vec()),
        form in 0..11_usize,
        encoding in 0..5_usize,
        damage in select(vec![
            Damage::None, Damage::None, Damage::Cut, Damage::Quote, Damage::Shift, Damage::Joined, Damage::BadMac, Damage::BadDate,
            Damage::BadState,
        ]),
        at in any::<Index>(),
    ) {
        let text = list(&product, &devices, form, damage, at);
        let options = ReadOptions { as_of: Some(NOW), ..ReadOptions::default() };
        let Ok(reading) = read("list.csv", &encoded(&text, encoding), &options) else {
            prop_assert!(matches!(damage, Damage::Quote | Damage::Cut), "{damage:?} was refused:\n{text}");
            return Ok(());
        };
        let sorter = Sorter::new(&Unclassified).unwrap();
        let found = Estimate::new(&[reading], None, &sorter, &Policy::default(), NOW).unwrap();
        prop_assert!(found.closes());
        let right = devices.iter().filter(|d| d.counts()).count() as u64;
        let is_whole = matches!(damage, Damage::None | Damage::Joined | Damage::Quote);
        let in_doubt = found.files[0].dates.first().is_some_and(|d| d.either > 0);
        if is_whole && !in_doubt {
            prop_assert_eq!(found.billable, right, "{}\n{:?}", text, found);
            prop_assert!(!found.at_least, "{:?}\n{}", found.because, text);
        }
        prop_assert!(found.billable == right || is_told(&found), "{} for {right}:\n{text}\n{found:?}", found.billable);
    }
}
