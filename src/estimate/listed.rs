//! One device as one row of a list describes it.

use std::net::IpAddr;

use super::cell::text;
use super::exclusion::Exclusion;
use super::limits::ADDRESSES;
use super::placeholder::is_placeholder_mac;
use super::spelling;
use crate::census::address::{is_link_local, is_never_sender};
use crate::census::{MacAddr, Timestamp, Verdict};

/// One device as one row describes it. Texts are cleaned: at most 256 bytes, no control characters.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct ListedDevice {
    /// Its MACs, sorted.
    pub macs: Vec<MacAddr>,
    /// Its addresses that can identify a device, sorted.
    pub ips: Vec<IpAddr>,
    /// Its id in the list.
    pub id: Option<String>,
    /// Ids that tie rows: its own, and that of the machine into which it was merged.
    pub ids: Vec<String>,
    pub name: Option<String>,
    /// The list's words for its type, the most specific first.
    pub kinds: Vec<String>,
    pub os: Option<String>,
    pub vendor: Option<String>,
    pub model: Option<String>,
    /// Its serial number, in upper case.
    pub serial: Option<String>,
    /// Its site, squashed: an address ties only within a site.
    pub site: Option<String>,
    /// When it was last active, if the list says so.
    pub last_seen: Option<Timestamp>,
    /// Whether another system manages it.
    pub managed: bool,
    /// Why this row cannot stand for a device that counts.
    pub excluded: Option<Exclusion>,
    /// The list's words for that reason.
    pub because: Option<String>,
    /// Why it has no MAC and no address that tells it apart, although its list has some.
    pub lacks: Option<String>,
}

/// The addresses of a row.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pub(super) macs: Vec<MacAddr>,
    pub(super) ips: Vec<IpAddr>,
    group: bool,
    virtual_router: bool,
    /// The first MAC that stands for no device.
    placeholder: Option<MacAddr>,
    /// The first address that every interface makes for itself.
    link_local: Option<IpAddr>,
    /// The first text in a place for MACs that is not a MAC.
    bad_mac: Option<String>,
    /// The first text in a place for addresses that is not an address, and why.
    bad_ip: Option<(String, &'static str)>,
}

impl Addresses {
    /// Adds the MACs of a cell.
    pub(super) fn add_macs(&mut self, raw: &str) {
        let Some(cell) = text(raw) else { return };
        let mut found = false;
        // The whole cell: one that is cut may end within an address.
        for mac in spelling::macs(raw) {
            found = true;
            self.virtual_router |= mac.is_virtual_router();
            let is_placeholder = is_placeholder_mac(mac);
            self.group |= mac.is_group() && !is_placeholder;
            if is_placeholder && !mac.is_null() {
                self.placeholder.get_or_insert(mac);
            } else if mac.is_station() && !mac.is_virtual_router() && self.macs.len() < ADDRESSES {
                self.macs.push(mac);
            }
        }
        if !found && self.bad_mac.is_none() {
            self.bad_mac = Some(cell);
        }
    }

    /// Adds the addresses of a cell.
    pub(super) fn add_ips(&mut self, raw: &str) {
        let Some(cell) = text(raw) else { return };
        let found = spelling::ips(raw);
        if found.ips.is_empty() && self.bad_ip.is_none() {
            let because = found.because.unwrap_or("is not an IP address");
            self.bad_ip = Some((cell, because));
        }
        for ip in found.ips {
            if is_never_sender(ip) {
                self.group |= !ip.is_loopback() && !ip.is_unspecified();
            } else if is_link_local(ip) {
                self.link_local.get_or_insert(ip);
            } else if self.ips.len() < ADDRESSES {
                self.ips.push(ip);
            }
        }
    }

    /// Adds the addresses to `listed`. Refuses a row whose MAC cannot be read: its address alone could belong to another
    /// device.
    pub(super) fn into_device(self, mut listed: ListedDevice) -> Result<ListedDevice, String> {
        let Self { mut macs, mut ips, group, virtual_router, placeholder, link_local, bad_mac, bad_ip } =
            self;
        macs.sort_unstable();
        macs.dedup();
        ips.sort_unstable();
        ips.dedup();
        if let Some(bad) = bad_mac.filter(|_| macs.is_empty()) {
            return Err(format!("'{bad}' is no MAC address; write it as aa:bb:cc:dd:ee:ff")); // english: ok, as reports show it
        }
        let is_bare = macs.is_empty() && ips.is_empty();
        if let Some((bad, because)) = bad_ip.filter(|_| is_bare) {
            return Err(format!("'{bad}' {because}, and the row has no MAC"));
        }
        if macs.is_empty() && listed.excluded.is_none() {
            if virtual_router {
                listed.excluded = Some(Exclusion::Verdict(Verdict::Virtual));
            } else if group && ips.is_empty() {
                listed.excluded = Some(Exclusion::Group);
            }
        }
        if is_bare && listed.excluded.is_none() {
            if let Some(mac) = placeholder {
                listed.lacks = Some(format!("its MAC {mac} stands for no device, and it has no IP address"));
            } else if let Some(ip) = link_local {
                listed.lacks = Some(format!("it has no MAC, and its address {ip} holds on one link only"));
            }
        }
        // Every host of containers or virtual machines has these beside its own.
        if ips.iter().any(|ip| !is_hosts_own(*ip)) {
            ips.retain(|ip| !is_hosts_own(*ip));
        }
        (listed.macs, listed.ips) = (macs, ips);
        listed.ids.sort_unstable();
        listed.ids.dedup();
        Ok(listed)
    }
}

/// Whether an address is the default of a bridge between a host and what runs on it: Docker's, libvirt's, VirtualBox's.
fn is_hosts_own(ip: IpAddr) -> bool {
    [[172, 17, 0, 1], [192, 168, 122, 1], [192, 168, 56, 1]].map(IpAddr::from).contains(&ip)
}

/// The MAC and address that the report shows for a row.
pub(super) fn shown(listed: &ListedDevice) -> (Option<MacAddr>, Option<IpAddr>) {
    (listed.macs.first().copied(), listed.ips.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(macs: &str, ips: &str) -> Result<ListedDevice, String> {
        let mut addresses = Addresses::default();
        addresses.add_macs(macs);
        addresses.add_ips(ips);
        addresses.into_device(ListedDevice::default())
    }

    #[test]
    fn several_macs_and_addresses_of_a_cell_are_read_in_every_usual_form() {
        let e = device("00-40-8C-00-00-01; 0040.8c00.0002", "10.0.0.5/24, fe80::1%eth0 2001:db8::1").unwrap();
        assert_eq!(e.macs.len(), 2);
        assert_eq!(e.ips, ["10.0.0.5".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert_eq!(device("00:00:00:00:00:00", "n/a").unwrap(), ListedDevice::default());
        assert_eq!(device("", "::ffff:10.0.0.5").unwrap().ips, ["10.0.0.5".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn addresses_that_are_not_a_device_s_exclude_a_row_and_garbage_makes_it_unreadable() {
        assert_eq!(device("01:00:5e:00:00:fb", "").unwrap().excluded, Some(Exclusion::Group));
        assert_eq!(device("", "224.0.0.251").unwrap().excluded, Some(Exclusion::Group));
        assert_eq!(
            device("00:00:5e:00:01:0a", "10.0.0.1").unwrap().excluded,
            Some(Exclusion::Verdict(Verdict::Virtual))
        );
        assert!(device("1.23E+11", "10.0.0.1").unwrap_err().contains("no MAC address"));
        assert!(device("", "dynamic").unwrap_err().contains("not an IP address"));
        assert!(device("00:40:8c:00:00:01", "dynamic").is_ok());
    }
}
