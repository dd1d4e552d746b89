//! A sink that writes down what a frame gives, for tests.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::census::{
    Field, MacAddr, NotUnderstood, Prefix, Signs, Timestamp, TunnelKey, TunnelKind, VALUE_BYTES,
};

/// Everything that a frame gave, as texts.
#[derive(Debug, Default)]
pub(super) struct Record(pub(super) Vec<String>, pub(super) Vec<String>);

impl Record {
    /// With what else is noted, in the order in which it came.
    pub(super) fn all(self) -> (Vec<String>, Vec<String>) {
        (self.0, self.1)
    }
}

impl Sink for Record {
    fn enter(&mut self, outer: TunnelKey, kind: TunnelKind) {
        self.0.push(format!("enter {} {} {}", kind.name(), outer.mac, outer.ip));
    }

    fn leave(&mut self) {
        self.0.push("leave".to_owned());
    }

    fn coupling(&mut self, mac: MacAddr, ip: IpAddr, signs: Signs, tags: Tags) {
        assert!(mac.is_station());
        let tags: Vec<u16> = tags.iter().collect();
        self.0.push(format!("{mac} {ip} {:?} {tags:?}", signs.iter().collect::<Vec<_>>()));
    }

    fn coupling_said(&mut self, mac: MacAddr, ip: IpAddr, field: Field, value: &str) {
        assert!(value.len() <= VALUE_BYTES && !value.chars().any(char::is_control));
        self.0.push(format!("{mac} {ip} {field}={value}"));
    }

    fn coupling_described(&mut self, mac: MacAddr, ip: IpAddr, field: Field, value: &str) {
        assert!(value.len() <= VALUE_BYTES && !value.chars().any(char::is_control));
        self.0.push(format!("{mac} describes {ip} {field}={value}"));
    }

    fn station_said(&mut self, mac: MacAddr, field: Field, value: &str) {
        assert!(value.len() <= VALUE_BYTES && !value.chars().any(char::is_control));
        self.0.push(format!("{mac} {field}={value}"));
    }

    fn prefix(&mut self, prefix: Prefix, _: MacAddr) {
        self.0.push(format!("prefix {prefix}"));
    }

    fn router(&mut self, ip: IpAddr, _: MacAddr) {
        self.0.push(format!("router {ip}"));
    }

    fn addressed(&mut self, mac: MacAddr, ip: IpAddr) {
        assert!(mac.is_station() && crate::census::address::is_private(ip));
        self.1.push(format!("addressed {mac} {ip} after {}", self.0.len()));
    }

    fn exchange(&mut self, sender: Ipv4Addr, target: Ipv4Addr, answer: bool) {
        self.0.push(format!("exchange {sender} {target} {answer}"));
    }

    fn gather(&mut self, fragment: &Fragment<'_>) -> Option<Vec<u8>> {
        self.0.push(format!("fragment {} {} {}", fragment.offset, fragment.bytes.len(), fragment.more));
        None
    }

    fn indicator(&self, _: IpAddr) -> Option<String> {
        None
    }

    fn did(&mut self, mac: MacAddr, ip: IpAddr, act: &Act<'_>) {
        assert!(mac.is_station() && act.label.len() <= crate::census::conduct::LABEL_BYTES);
        assert!(!act.label.chars().any(char::is_control));
        self.1.push(format!("{mac} {ip} did {act:?}"));
    }

    fn malformed(&mut self, what: Malformed) {
        self.0.push(format!("malformed {what}"));
    }

    fn anomaly(&mut self, what: Anomaly) {
        self.0.push(format!("anomaly {}", what.name()));
    }

    fn not_understood(&mut self, what: NotUnderstood) {
        self.0.push(format!("not understood {} {what}", what.kind.name()));
    }

    fn unread_datagram(&mut self, to: IpAddr, port: u16) {
        self.1.push(format!("to {to}"));
        self.0.push(format!("unread {port}"));
    }
}

pub(super) fn recorded(link: LinkType, data: &[u8]) -> Record {
    let mut record = Record::default();
    let length = u32::try_from(data.len()).unwrap();
    dissect(&Frame { at: Timestamp(0), link, data, length }, &mut record);
    record
}
