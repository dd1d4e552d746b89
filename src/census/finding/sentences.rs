//! A constructor for each kind of finding, with its sentence and its advice.
//!
//! A sentence must not contain numbers of frames or bytes: the document is the same if every frame comes twice.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Finding, FindingKind, Subjects};
use crate::census::address::Prefix;
use crate::census::classification::{Category, Reason};
use crate::census::coupling::CouplingKey;
use crate::census::evidence::Field;
use crate::census::mac::MacAddr;
use crate::census::time::{DAY, Timestamp};
use crate::census::tunnel::{Tunnel, TunnelKey};
use crate::census::unread::MostlyUnread;

/// The most subjects that a sentence names.
const NAMED: usize = 5;

/// The longest cause of a judgement in characters.
const CAUSE: usize = 500;

/// A limit that makes the census a lower bound.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `limits.couplings`.
    Couplings,
    /// The prefixes, routers and ARP exchanges of a zone.
    Learned,
    /// The tunnels of a sensor.
    Tunnels,
    /// `limits.memory`.
    Memory,
}

impl Finding {
    /// Several cards used `ip` between `first` and `last`, at overlapping times (I1).
    pub fn address_conflict(
        zone: &str,
        ip: IpAddr,
        macs: impl IntoIterator<Item = MacAddr>,
        first: Timestamp,
        last: Timestamp,
    ) -> Self {
        let subjects = Subjects::default().macs(macs);
        let count = subjects.total;
        let sentence = format!(
            "{ip} is used by {count} cards at overlapping times: {} (I1)",
            named(&subjects.macs, count)
        );
        let advice = "find the device that should have the address and give the others addresses of their own; if \
                      nobody set the address twice, one of the cards may pose as another";
        let finding = Self::new(FindingKind::AddressConflict, zone, &ip.to_string(), sentence, advice)
            .about(subjects.addresses([ip]))
            .counting(count)
            .between(first, last);
        Self { ip: Some(ip), ..finding }
    }

    /// `devices` are not counted until they are seen again, because too many came at once (I11).
    pub fn newcomers_held(zone: &str, devices: u64) -> Self {
        let held = match devices {
            1 => "1 device is not counted until it is seen again".to_owned(),
            n => format!("{n} devices are not counted until they are seen again"),
        };
        let sentence = format!("{held}: too many new devices in one minute (I11)");
        let advice = "wait: real devices count when they are seen again after quarantine.confirm_after; if they are not \
                      real, somebody sends forged frames; if so many devices are often new at once, raise \
                      quarantine.rate";
        let finding = Self::new(FindingKind::NewcomersHeld, zone, "", sentence, advice).counting(devices);
        Self { devices: Some(devices), ..finding }
    }

    /// `devices` came on the UTC day that begins at `day`: more than may come without a confirmation (I15d). Those that
    /// speak, lease or are answered count.
    pub fn newcomers_many(zone: &str, day: Timestamp, devices: u64) -> Self {
        let sentence = format!(
            "{devices} devices that count were first seen on the day that begins at {day}, which are many (I15)"
        );
        let advice = "if the zone is new, or really grew that much, close this; if not, somebody sends forged frames \
                      that speak like devices: look at the devices of that day and find the switch port that they \
                      come from";
        Self::new(FindingKind::NewcomersMany, zone, &day.to_string(), sentence, advice)
            .counting(devices)
            .between(day, day.plus(DAY - 1))
    }

    /// `devices` wait for a confirmation, because nothing but ARP, neighbour discovery and unanswered packets shows them
    /// (I15a).
    pub fn unconfirmed_held(zone: &str, devices: u64) -> Self {
        let held = match devices {
            1 => "1 coupling is not counted until it is confirmed".to_owned(),
            n => format!("{n} couplings are not counted until they are confirmed"),
        };
        let sentence = format!(
            "{held}: only ARP, neighbour discovery or packets without an answer show them, and they are too many for \
             one day or for one card, or a single frame shows them (I15)"
        );
        let advice = "if the devices are real, wait until they take a lease, are answered, or say something of \
                      their own, or raise quarantine.daily; if not, find the host that sends forged frames";
        Self::new(FindingKind::UnconfirmedHeld, zone, "", sentence, advice).counting(devices)
    }

    /// `devices` are further addresses of cards that had been known for long (I15d).
    pub fn addresses_late(zone: &str, devices: u64) -> Self {
        let sentence = format!(
            "{devices} addresses that cards used long after their first frame count as devices of their own (I15)"
        );
        let advice = "if an address belongs to the device of the card's other address, merge them; if the card's device \
                      does not have it, somebody sends frames in its name: find the switch port that they come from";
        Self::new(FindingKind::ClaimLate, zone, "addresses", sentence, advice).counting(devices)
    }

    /// Something about `mac` was shown too seldom to move the count. `claim` says what, as the rest of a sentence about
    /// the MAC; `key` tells claims about one MAC apart (I15b).
    pub fn claim_held(zone: &str, key: &str, mac: MacAddr, claim: &str) -> Self {
        let sentence =
            format!("{mac} {claim}; nothing else shows that, so it does not change the count yet (I15)");
        let advice = "if this is right, wait until it is said again, at least a minute later; if not, somebody sends \
                      frames in the device's name: find the switch port that they come from";
        Self::new(FindingKind::ClaimHeld, zone, key, sentence, advice).about(Subjects::default().macs([mac]))
    }

    /// A device said something too seldom for it to tell what the device is (I15b).
    pub fn words_held(zone: &str, mac: MacAddr, said: &Reason) -> Self {
        let sentence = format!(
            "{mac} said {}={} ({}), but too seldom, or too late, to say what the device is (I15)",
            said.field, said.value, said.says
        );
        let advice = "if it is right, set the device's type, or wait until the device says it as often as it says other \
                      things; if not, somebody sends frames in its name: find the switch port that they come from";
        let about = Subjects::default().macs([mac]);
        Self::new(FindingKind::ClaimHeld, zone, &format!("{mac} said"), sentence, advice).about(about)
    }

    /// A device that its maker told to be of one category said only later that it is of another (I15d).
    pub fn turned_late(zone: &str, mac: MacAddr, before: Category, now: Category, since: Timestamp) -> Self {
        let sentence = format!(
            "{mac} counts as {} and no longer as {} since {since}, when it first said something (I15)",
            now.title(),
            before.title()
        );
        let advice = "if that is wrong, somebody sends frames in its name: find the switch port that they come from, and \
                      set the device's type";
        Self::new(FindingKind::ClaimLate, zone, &format!("{mac} turned"), sentence, advice)
            .about(Subjects::default().macs([mac]))
            .between(since, since)
    }

    /// An identifier that several cards bear, of which some said it too seldom (I15b).
    pub fn join_held(zone: &str, field: Field, value: &str, cards: Subjects) -> Self {
        let sentence = format!(
            "{} said {field}={value} too seldom to be joined with other cards that say it (I15)",
            named(&cards.macs, cards.total)
        );
        let advice = "if the cards are one device, wait until each says it again, or merge them; if not, somebody \
                      sends frames in their names: find the switch port that they come from";
        Self::of_join(FindingKind::ClaimHeld, zone, field, value, sentence, advice, cards)
    }

    /// An identifier joins cards of which some said it long after they were known (I15d).
    pub fn join_late(zone: &str, field: Field, value: &str, cards: Subjects) -> Self {
        let sentence = format!(
            "{} said {field}={value} long after the first frame, and count as one device with the other cards that say \
             it (I15)",
            named(&cards.macs, cards.total)
        );
        let advice = "if the cards are not one device, split it: somebody may send frames in their names, so find the \
                      switch port that they come from";
        Self::of_join(FindingKind::ClaimLate, zone, field, value, sentence, advice, cards)
    }

    /// An identifier joins nobody, because its bearers contradicted each other long after two of them had said it (I15d).
    pub fn join_undone(zone: &str, field: Field, value: &str, cards: Subjects) -> Self {
        let sentence = format!(
            "{} said {field}={value}, but are no longer one device, because names, serial numbers or leases of theirs \
             contradict that (I15)",
            named(&cards.macs, cards.total)
        );
        let advice = "if some of the cards are one device, merge them; if nothing changed there, somebody sends frames \
                      in their names: find the switch port that they come from";
        Self::of_join(FindingKind::ClaimLate, zone, field, value, sentence, advice, cards)
    }

    fn of_join(
        kind: FindingKind,
        zone: &str,
        field: Field,
        value: &str,
        sentence: String,
        advice: &'static str,
        cards: Subjects,
    ) -> Self {
        let count = cards.total;
        Self::new(kind, zone, &format!("{field}={value}"), sentence, advice).about(cards).counting(count)
    }

    /// A card that was `known` began to act as a router at `since` (I15d).
    pub fn forwards_late(zone: &str, mac: MacAddr, known: Timestamp, since: Timestamp) -> Self {
        let sentence = format!(
            "{mac} counts as a router, but first acted as one at {since}; it has been known since {known} (I15)"
        );
        let advice = "if it is not a router, somebody sends frames in its name: find the switch port that they come \
                      from, and set the device's type";
        Self::new(FindingKind::ClaimLate, zone, &format!("{mac} forwards"), sentence, advice)
            .about(Subjects::default().macs([mac]))
            .between(since, since)
    }

    /// A card proved the address `at` that instant, which another one had used for long, and still did (I15d).
    pub fn address_taken(zone: &str, used: CouplingKey, by: MacAddr, at: Timestamp) -> Self {
        let CouplingKey { mac, ip } = used;
        let sentence = format!(
            "{mac} no longer counts with {ip}, because {by} proved that address at {at}, while {mac} was using it (I15)"
        );
        let advice = "if the address belongs to the first card, somebody sends frames as the other one: find the switch \
                      port that they come from";
        Self::new(FindingKind::ClaimLate, zone, &format!("{mac} lost {ip}"), sentence, advice)
            .about(Subjects::default().macs([mac, by]).addresses([ip]))
            .between(at, at)
    }

    /// The card of `port` was `known`, and says since `since` that the address manages it, which is another device's (I15d).
    pub fn port_late(zone: &str, port: CouplingKey, known: Timestamp, since: Timestamp) -> Self {
        let CouplingKey { mac, ip } = port;
        let sentence = format!(
            "{mac} counts as a port of the device at {ip}, but first said so at {since}; it has been known since {known} \
             (I15)"
        );
        let advice = "if it is not a port of that device, split it: somebody sends frames in its name, so find the switch \
                      port that they come from";
        Self::new(FindingKind::ClaimLate, zone, &format!("{mac} port {ip}"), sentence, advice)
            .about(Subjects::default().macs([mac]).addresses([ip]))
            .between(since, since)
    }

    /// A mask was sent in one minute only, so that `prefix` does not count as on-link yet (I15b).
    pub fn prefix_held(zone: &str, prefix: Prefix) -> Self {
        let sentence = format!(
            "the prefix {prefix} was sent in one minute only, so it does not count as on-link yet (I15)"
        );
        let advice = "if it is right, wait until a DHCP server or router sends it again, or name it in 'prefixes' of \
                      the sensor's configuration; if not, find the host that sent it";
        Self::new(FindingKind::ClaimHeld, zone, &prefix.to_string(), sentence, advice)
            .about(Subjects::default().prefixes([prefix]))
    }

    /// Frames of `couplings` have times that cannot be right, the earliest and the newest of which are `outside`. The
    /// census believes the times in `believed` (I16).
    pub fn clock_jump(
        zone: &str,
        couplings: u64,
        outside: (Timestamp, Timestamp),
        believed: (Timestamp, Timestamp),
    ) -> Self {
        let of = match couplings {
            1 => "1 coupling has".to_owned(),
            n => format!("{n} couplings have"),
        };
        let sentence = format!(
            "{of} frames outside the believable time, which is {} to {}: their times are {} to {} and confirm nothing \
             (I16)",
            believed.0, believed.1, outside.0, outside.1
        );
        let advice = "set up time synchronisation on the machine that captures; if the times are right, name the \
                      instant of the count with --as-of";
        Self::new(FindingKind::ClockJump, zone, "", sentence, advice)
            .counting(couplings)
            .between(outside.0, outside.1)
    }

    /// Somebody sent `prefix`, which nests in `others` or in which `others` nest (I5).
    pub fn prefix_conflict(zone: &str, prefix: Prefix, others: impl IntoIterator<Item = Prefix>) -> Self {
        let others = Subjects::default().prefixes(others);
        let sentence = format!(
            "the prefix {prefix} was sent, but it contradicts {}: they cannot all be on-link (I5)",
            named(&others.prefixes, others.total)
        );
        let advice = "check the masks that DHCP servers and routers send; to settle it, name the zone's networks in \
                      'prefixes' of the sensor's configuration";
        let count = others.total;
        let prefixes = others.prefixes.into_iter().chain([prefix]);
        Self::new(FindingKind::PrefixConflict, zone, &prefix.to_string(), sentence, advice)
            .about(Subjects::default().prefixes(prefixes))
            .counting(count)
    }

    /// The tunnel from `key` carries what does not count, because nobody knows whose it is (I13).
    pub fn tunnel_held(zone: &str, key: TunnelKey, tunnel: &Tunnel) -> Self {
        let CouplingKey { mac, ip } = key;
        let (couplings, stations) = tunnel.facts.carried();
        let counted = |n: u64, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
        let sentence = format!(
            "the {} tunnel from {ip}, which {mac} passes on, carries {} and {} that do not count: its source is not a \
             device of the zone (I13)",
            tunnel.marks.kinds,
            counted(couplings, "coupling"),
            counted(stations, "station"),
        );
        let advice = format!(
            "if the tunnel is yours, such as the mirror of a remote switch, let it in by the sensor's configuration: \
             '[capture]' with 'tunnels = [\"{ip}\"]'; if it is not, somebody sends forged frames: block them before \
             they reach the mirrored link"
        );
        let finding = Self::new(FindingKind::TunnelHeld, zone, &format!("{mac} {ip}"), sentence, advice)
            .about(Subjects::default().addresses([ip]).macs([mac]))
            .counting(couplings);
        let segment = &tunnel.facts.segment;
        let finding = match segment.first_frame.zip(segment.last_frame) {
            Some((first, last)) => finding.between(first, last),
            None => finding,
        };
        Self { ip: Some(ip), ..finding }
    }

    /// `percent` of the captured bytes were not understood. `largest` names what they hold, `cause` the likely cause and
    /// the next step as half a sentence (I13).
    pub fn not_understood(
        zone: &str,
        percent: u8,
        largest: &[impl Display],
        cause: impl Into<Cow<'static, str>>,
    ) -> Self {
        let held = named(largest, largest.len() as u64);
        let sentence = format!("{percent} % of the captured bytes were not understood: {held} (I13)");
        Self::new(FindingKind::NotUnderstood, zone, "", sentence, cause).counting(percent.into())
    }

    /// [`Finding::not_understood`] of a judgement, which may come from outside.
    pub fn of_unread(zone: &str, mostly: &MostlyUnread) -> Self {
        let names: Vec<String> = mostly.names().into_iter().take(NAMED).collect();
        let cause: String = mostly.cause.chars().filter(|c| !c.is_control()).take(CAUSE).collect();
        Self::not_understood(zone, mostly.percent.min(100), &names, cause)
    }

    /// `dropped` frames between `first` and `last` were dropped before anything read them.
    pub fn frames_dropped(zone: &str, dropped: u64, first: Timestamp, last: Timestamp) -> Self {
        let sentence = format!(
            "frames were dropped between {first} and {last}, so there may be more devices of that time than the census \
             counts"
        );
        let advice = "find out with 'netcensus-sensor top' what sends so much; then raise capture.ring_mib, give the \
                      sensor more CPU, or mirror fewer ports; devices that are heard again later are counted";
        Self::new(FindingKind::FramesDropped, zone, "", sentence, advice)
            .counting(dropped)
            .between(first, last)
    }

    /// A limit was reached.
    pub fn lower_bound(zone: &str, limit: Limit) -> Self {
        let (key, sentence, advice) = match limit {
            Limit::Couplings => (
                "couplings",
                "new couplings were refused at the limit, so there may be more devices than the census counts",
                "raise limits.couplings of the sensor, which then needs more memory",
            ),
            Limit::Learned => (
                "learned",
                "no more prefixes and routers are learned, so there may be more devices than the census counts",
                "name the zone's networks in 'prefixes' of the sensor's configuration",
            ),
            Limit::Memory => (
                "memory",
                "facts were refused for want of memory, so there may be more devices than the census counts",
                "raise limits.memory of the sensor and MemoryMax of its unit; if so much is not real, somebody sends \
                 forged frames",
            ),
            Limit::Tunnels => (
                "tunnels",
                "no more tunnels are opened, so there may be more devices than the census counts",
                "name the sources of your tunnels in 'capture.tunnels' of the sensor's configuration, and block others \
                 before they reach the mirrored link",
            ),
        };
        Self::new(FindingKind::LowerBound, zone, key, sentence.to_owned(), advice)
    }
}

/// The first of `items`, and how many of `all` are left out.
fn named<T: Display>(items: &[T], all: u64) -> String {
    let mut text = items.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let more = all.saturating_sub(NAMED as u64);
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
