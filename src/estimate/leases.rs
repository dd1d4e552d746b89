//! Lease files of DHCP servers that have no columns: ISC's `dhcpd.leases` (dhcpd.leases(5)) and dnsmasq's.

use super::mapping::Mapping;
use super::spelling;
use super::table::{Row, RowCells, Section, Table};

/// The columns that a lease file has, under names that are recognised as any header is.
const HEADER: [&str; 6] = ["ip", "mac", "hostname", "last seen", "lease end", "binding state"];

/// Reads a lease file; `None` if the text is none.
pub(super) fn read(text: &str) -> Option<(Table, &'static str)> {
    let (rows, product) = match isc(text) {
        rows if !rows.is_empty() => (rows, "ISC DHCP"),
        _ => (dnsmasq(text)?, "dnsmasq"),
    };
    let header = HEADER.map(str::to_owned);
    let section = Section::of(&header, rows, &Mapping::default()).ok()?;
    Some((Table { sections: vec![section], ..Table::default() }, product))
}

/// `lease 10.0.0.5 { starts 4 2026/11/26 10:00:00; hardware ethernet 00:…; client-hostname "x"; }`. A later lease of the
/// same address replaces an earlier one of the same device; both are rows, which tie by MAC.
fn isc(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut open: Option<(u64, Vec<(usize, String)>)> = None;
    for (line, number) in text.lines().zip(1_u64..) {
        let line = line.trim();
        if let Some(ip) = line.strip_prefix("lease ").and_then(|rest| rest.strip_suffix('{')) {
            open = Some((number, vec![(0, ip.trim().to_owned())]));
        } else if line == "}" {
            rows.extend(open.take().map(|(number, cells)| Row { number, cells: RowCells::Some(cells) }));
        } else if let Some((_, cells)) = &mut open {
            let line = line.split(';').next().unwrap_or(line);
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            match name {
                "hardware" => cells.push((1, value.rsplit(' ').next().unwrap_or(value).to_owned())),
                "client-hostname" => cells.push((2, value.trim_matches('"').to_owned())),
                // `4 2026/11/26 10:00:00`: the day of the week comes first.
                "cltt" => cells.insert(0, (3, moment(value))),
                "starts" => cells.push((3, moment(value))),
                "ends" => cells.push((4, moment(value))),
                "binding" => cells.push((5, value.trim_start_matches("state ").to_owned())),
                _ => {}
            }
        }
    }
    rows
}

fn moment(value: &str) -> String {
    match value.strip_prefix("epoch ") {
        Some(seconds) => seconds.split(' ').next().unwrap_or_default().to_owned(),
        None => value.split_once(' ').map_or(value, |(_, rest)| rest).to_owned(),
    }
}

/// `1795848000 00:40:8c:00:00:01 10.0.0.5 name id` a line: the end of the lease in seconds since 1970.
fn dnsmasq(text: &str) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    for (line, number) in text.lines().zip(1_u64..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with("duid ") {
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let [end, mac, ip, name, ..] = words.as_slice() else { return None };
        // A lease of DHCPv6 has a number in the place of the MAC; other hardware types stand before it.
        if end.parse::<u64>().is_ok() && mac.parse::<u32>().is_ok() && ip.contains(':') {
            rows.push(Row { number, cells: RowCells::Some(vec![(0, (*ip).to_owned())]) });
            continue;
        }
        let mac = &mac
            .split_once('-')
            .filter(|(kind, _)| kind.len() == 2 && mac.contains(':'))
            .map_or(*mac, |(_, m)| m);
        let is_lease = end.parse::<u64>().is_ok()
            && spelling::macs(mac).next().is_some()
            && !spelling::ips(ip).ips.is_empty();
        if !is_lease {
            return None;
        }
        let mut cells = vec![(0, (*ip).to_owned()), (1, (*mac).to_owned())];
        if *name != "*" {
            cells.push((2, (*name).to_owned()));
        }
        // An endless lease has no end.
        if *end != "0" {
            cells.push((4, (*end).to_owned()));
        }
        rows.push(Row { number, cells: RowCells::Some(cells) });
    }
    (!rows.is_empty()).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_files_are_tables() {
        let isc = "# comment\nlease 10.0.0.5 {\n  starts 4 2026/11/26 10:00:00;\n  ends 4 2026/11/26 22:00:00;\n  cltt 4 2026/11/26 11:00:00;\n  binding state active;\n  hardware ethernet 00:40:8c:00:00:01;\n  uid \"\\001\\000@\\214\";\n  client-hostname \"cam-1\";\n}\n";
        let (table, product) = read(isc).unwrap();
        let row = &table.sections[0].rows[0];
        assert_eq!((product, row.number), ("ISC DHCP", 2));
        let cells: Vec<&str> = (0..6).map(|place| row.cell(place)).collect();
        let expected = [
            "10.0.0.5",
            "00:40:8c:00:00:01",
            "cam-1",
            "2026/11/26 11:00:00",
            "2026/11/26 22:00:00",
            "active",
        ];
        assert_eq!(cells, expected);
        let dnsmasq = "1795848000 00:40:8c:00:00:01 10.0.0.5 cam-1 01:00:40:8c:00:00:01\n0 00:40:8c:00:00:02 10.0.0.6 * *\nduid 00:01\n";
        let (table, product) = read(dnsmasq).unwrap();
        assert_eq!((product, table.sections[0].rows.len()), ("dnsmasq", 2));
        assert!(read("name,mac\na,00:40:8c:00:00:01\n").is_none());
    }
}
