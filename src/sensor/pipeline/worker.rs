//! A worker dissects frames and merges their facts into the [`Table`].
//!
//! Most frames are bulk data of a known coupling. These end in the worker's own `Sightings`, without a lock or an
//! allocation. Only a flush, what does not fit, and new evidence reach the shared table.

use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::addressed::Addressed;
pub use super::counters::Counters;
use super::deeds::Acts;
use super::digest::{self, Rest};
use super::exchanges::Exchanges;
use super::fragments::Fragments;
use super::pairs::{self, Pairs};
use super::rows::Recorder;
use super::sightings::Sightings;
use super::speech::{self, Subject};
use super::stretch::Recent;
use super::table::Table;
use super::traffic::Traffic;
use super::tunnels::{CLOSED, LINK, Tunnels};
use crate::census::conduct::DeedKind;
use crate::census::windows::{same_minute, same_window};
use crate::census::{
    CouplingKey, Exchange, Field, MacAddr, NotUnderstood, Prefix, Signs, Taught, Timestamp, TunnelKey,
    TunnelKind,
};
use crate::dissect::{
    Act, Anomaly, Ends, Fragment, FragmentKey, Frame, LinkType, Malformed, Plain, SHARDS, Sink, Speech, Tags,
    card, dissect, plain, shard,
};
use crate::security::Indicators;
use crate::wire::FrameNumbers;

/// Slots of the memory of recent evidence; a power of two.
const SAID: usize = 32_768;
/// Slots of the memory of recent frames of a shard, to find duplicates; a power of two. The shards share none, so that the
/// number of workers changes nothing.
const RECENT: usize = 128;
/// Copies of one frame on a mirror port lie at most this many nanoseconds apart.
const DUPLICATE_WINDOW: i64 = 50_000_000;

/// Feeds frames into a table. Each thread has its own.
#[derive(Debug)]
pub struct Worker<'t> {
    table: &'t Table,
    facts: FactSink<'t>,
    recent: Vec<(u64, Timestamp)>,
    stretches: Recent,
    numbers: Option<FrameNumbers>,
}

impl<'t> Worker<'t> {
    /// One that has all frames of a capture.
    pub fn new(table: &'t Table) -> Self {
        Self::of(table, Traffic::alone())
    }

    /// One that shares the frames of a capture with others.
    pub(super) fn of(table: &'t Table, traffic: Traffic) -> Self {
        Self {
            facts: FactSink {
                tunnels: Tunnels::new(table, traffic),
                hasher: RandomState::default(),
                four: Pairs::default(),
                six: Pairs::default(),
                sightings: Sightings::default(),
                said: vec![Told::default(); SAID],
                addressed: Addressed::default(),
                acts: Acts::default(),
                indicators: table.indicators(),
                at: Timestamp::default(),
                length: 0,
                broken: false,
                fragments: Fragments::default(),
                exchanges: Exchanges::default(),
                speech: speech::Speech::default(),
                counters: Counters::default(),
            },
            recent: vec![(0, Timestamp(i64::MIN)); RECENT * SHARDS],
            table,
            stretches: Recent::default(),
            numbers: None,
        }
    }

    /// Makes the worker number its frames, so that evidence can refer to them.
    #[must_use]
    pub fn numbering(mut self) -> Self {
        self.numbers = Some(FrameNumbers::default());
        self
    }

    /// Dissects one frame. A panic in a dissector costs only this frame.
    pub fn frame(&mut self, frame: &Frame<'_>) {
        let Some(plain) = Some(frame.data).filter(|_| frame.link == LinkType::Ethernet).and_then(plain)
        else {
            return self.whole(frame);
        };
        let is_v6 = matches!(plain.ends, Ends::Six(..));
        self.count(frame, digest::of_packet(frame, plain.place, is_v6));
        self.facts.sighted(&plain);
        match plain.speech {
            Speech::None => {}
            Speech::Unread(port) => self.facts.unread_datagram(plain.to(), port),
            // Read again: kept for all frames, it would not stay in registers.
            Speech::Some => self.speak(frame),
        }
    }

    /// Counts a frame with its digests.
    #[inline(always)]
    fn count(&mut self, frame: &Frame<'_>, (digest, rest): (u64, Rest<'_>)) {
        let counters = &mut self.facts.counters;
        counters.frames += 1;
        counters.bytes += u64::from(frame.length);
        counters.first = Some(counters.first.map_or(frame.at, |t| t.min(frame.at)));
        counters.last = Some(counters.last.map_or(frame.at, |t| t.max(frame.at)));
        if let Some(numbers) = &mut self.numbers {
            numbers.record(frame.at, rest.digest(digest));
        }
        #[expect(clippy::cast_possible_truncation, reason = "masked to the number of slots")]
        let place = shard(frame) * RECENT + (digest as usize & (RECENT - 1));
        if let Some((known, at)) = self.recent.get_mut(place) {
            if *known == digest && frame.at.since(*at).saturating_abs() <= DUPLICATE_WINDOW {
                counters.duplicates += 1;
            }
            (*known, *at) = (digest, frame.at);
        }
        self.stretches.add(frame.at);
        self.facts.tunnels.frame(frame.at);
        self.facts.at = frame.at;
        self.facts.length = frame.length;
    }

    /// Dissects a frame that is not plain.
    #[inline(never)]
    fn whole(&mut self, frame: &Frame<'_>) {
        self.count(frame, digest::of(frame));
        self.dissect(|facts| dissect(frame, facts));
    }

    /// Runs the dissectors of a plain frame.
    #[inline(never)]
    fn speak(&mut self, frame: &Frame<'_>) {
        if let Some(plain) = plain(frame.data) {
            self.dissect(|facts| plain.speak(facts));
        }
    }

    /// Runs dissectors on a frame.
    #[inline]
    fn dissect(&mut self, dissect: impl FnOnce(&mut FactSink<'t>)) {
        self.facts.broken = false;
        let facts = &mut self.facts;
        if catch_unwind(AssertUnwindSafe(|| dissect(facts))).is_err() {
            self.facts.counters.panics += 1;
            self.facts.tunnels.reset();
        }
        self.facts.speech.merge_into(&self.facts.tunnels);
        self.facts.counters.malformed_frames += u64::from(self.facts.broken);
    }

    /// Merges what it holds into the table. Call it at least every second, and before taking a delta.
    pub fn flush(&mut self) {
        let facts = &mut self.facts;
        facts.settle_four();
        facts.settle_six();
        facts.four.flush(|pair| facts.sightings.add_four(pair, &facts.tunnels));
        facts.six.flush(|pair| facts.sightings.add_six(pair, &facts.tunnels));
        facts.sightings.flush(&facts.tunnels);
        facts.addressed.flush(&facts.tunnels);
        facts.acts.flush(&facts.tunnels);
        facts.indicators = self.table.indicators();
        facts.exchanges.merge_into(self.table.on_link());
        self.stretches.merge_into(self.table.on_link());
        facts.tunnels.flush();
    }

    /// The totals so far.
    pub fn counters(&self) -> &Counters {
        &self.facts.counters
    }

    /// Ends the capture: flushes, and returns the totals and the frame numbers.
    pub fn finish(mut self) -> (Counters, Option<FrameNumbers>) {
        self.flush();
        self.facts.tunnels.end();
        self.totals()
    }

    /// The totals and the frame numbers of a worker that has flushed.
    pub(super) fn totals(mut self) -> (Counters, Option<FrameNumbers>) {
        if let Some(numbers) = &mut self.numbers {
            numbers.seal();
        }
        (self.facts.counters, self.numbers)
    }
}

/// Words that were sent to the table, by their hash: first at `first`, and last at `last`.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    hash: u64,
    first: Timestamp,
    last: Timestamp,
}

#[derive(Debug)]
struct FactSink<'t> {
    tunnels: Tunnels<'t>,
    hasher: RandomState,
    /// Plain frames, until others take their places.
    four: Pairs<u32, 8_192>,
    six: Pairs<u128, 2_048>,
    sightings: Sightings,
    /// Evidence sent to the table.
    said: Vec<Told>,
    /// Couplings of which the table knows that others sent packets to them.
    addressed: Addressed,
    /// What stations did lately.
    acts: Acts,
    indicators: Arc<Indicators>,
    at: Timestamp,
    /// The present frame's length on the wire.
    length: u32,
    /// Whether the present frame has a malformed part.
    broken: bool,
    fragments: Fragments,
    exchanges: Exchanges,
    /// What the present frame said.
    speech: speech::Speech,
    counters: Counters,
}

impl FactSink<'_> {
    /// Whether words, by their hash, add a fact. A server repeats its name in each answer; a fact is the first time, the
    /// first in another minute of the same window, and the first in another window.
    fn is_news(&mut self, words: impl std::hash::Hash) -> bool {
        let (at, hash) = (self.at, self.hasher.hash_one((words, self.tunnels.within)));
        #[expect(clippy::cast_possible_truncation, reason = "masked to the number of slots")]
        let Some(said) = self.said.get_mut(hash as usize & (SAID - 1)) else { return true };
        if said.hash != hash {
            *said = Told { hash, first: at, last: at };
            return true;
        }
        let adds_minute = !same_minute(at, said.first) && same_minute(said.last, said.first);
        let news = at < said.first || !same_window(at, said.last) || adds_minute;
        if news {
            said.first = said.first.min(at);
            said.last = at;
        }
        news
    }

    /// Notes who sent a plain frame, and to whom.
    #[inline(always)]
    fn sighted(&mut self, plain: &Plain<'_>) {
        let &Plain { source, destination, signs, ends, .. } = plain;
        if !plain.has_sender {
            return self.addressed_by(plain);
        }
        if plain.is_datagram() && !self.indicators.is_empty() {
            self.contacted(plain);
        }
        let tags = plain.tags.bits();
        match ends {
            Ends::Four(from, to) => {
                let key = pairs::Key { source, destination, tags, from, to, signs };
                if self.four.add(key, plain.is_addressed, self.at) {
                    self.settle_four();
                }
            }
            Ends::Six(from, to) => {
                let key = pairs::Key { source, destination, tags, from, to, signs };
                if self.six.add(key, plain.is_addressed, self.at) {
                    self.settle_six();
                }
            }
        }
    }

    #[inline(never)]
    fn settle_four(&mut self) {
        let Self { four, sightings, addressed, tunnels, .. } = self;
        four.settle(|new| {
            if let Some((to, at)) = new.addressed {
                addressed.add(to, LINK, at, tunnels);
            }
            if let Some(old) = new.old {
                sightings.add_four(old, tunnels);
            }
        });
    }

    #[inline(never)]
    fn settle_six(&mut self) {
        let Self { six, sightings, addressed, tunnels, .. } = self;
        six.settle(|new| {
            if let Some((to, at)) = new.addressed {
                addressed.add(to, LINK, at, tunnels);
            }
            if let Some(old) = new.old {
                sightings.add_six(old, tunnels);
            }
        });
    }

    /// Notes the receiver of a frame that shows no sender.
    #[inline]
    fn addressed_by(&mut self, plain: &Plain<'_>) {
        if plain.is_addressed {
            let key = CouplingKey { mac: card(plain.destination), ip: plain.to() };
            self.addressed.add(key, LINK, self.at, &self.tunnels);
        }
    }

    /// Notes a datagram to an indicator.
    #[cold]
    fn contacted(&mut self, plain: &Plain<'_>) {
        if let Some(label) = self.indicators.address(plain.to()) {
            let doer = CouplingKey { mac: card(plain.source), ip: plain.from() };
            self.acts.add(doer, &Act::new(DeedKind::Contacts, &label), self.at, &self.tunnels);
        }
    }

    /// Notes that a station named an indicator.
    #[cold]
    fn named(&mut self, mac: MacAddr, ip: IpAddr, name: &str) {
        if let Some(label) = self.indicators.name(name) {
            let doer = CouplingKey { mac, ip };
            self.acts.add(doer, &Act::new(DeedKind::Asks, &label), self.at, &self.tunnels);
        }
    }

    /// Where the present facts go; `None` if there is no room for their tunnel.
    #[inline]
    fn recorder(&self) -> Option<Recorder<'_>> {
        self.tunnels.recorder(self.tunnels.within)
    }
}

impl Sink for FactSink<'_> {
    fn enter(&mut self, outer: TunnelKey, kind: TunnelKind) {
        self.tunnels.enter(outer, kind, self.at);
    }

    fn leave(&mut self) {
        self.tunnels.leave();
    }

    #[inline]
    fn coupling(&mut self, mac: MacAddr, ip: IpAddr, signs: Signs, tags: Tags) {
        let tunnel = self.tunnels.within;
        if tunnel != CLOSED {
            let key = CouplingKey { mac, ip };
            self.sightings.add(key, signs, tags, tunnel, self.at, &self.tunnels);
        }
    }

    fn coupling_said(&mut self, mac: MacAddr, ip: IpAddr, field: Field, value: &str) {
        if !self.indicators.is_empty() && matches!(field, Field::DnsQuery | Field::TlsSni | Field::HttpHost) {
            self.named(mac, ip, value);
        }
        let key = CouplingKey { mac, ip };
        if self.is_news((key, field, value, false)) {
            self.speech.add(self.tunnels.within, Subject::coupling(mac, ip), self.at, field, value);
        }
    }

    fn coupling_described(&mut self, mac: MacAddr, ip: IpAddr, field: Field, value: &str) {
        let key = CouplingKey { mac, ip };
        if self.is_news((key, field, value, true)) {
            self.speech.add(self.tunnels.within, Subject::described(mac, ip), self.at, field, value);
        }
    }

    fn station_said(&mut self, mac: MacAddr, field: Field, value: &str) {
        self.speech.add(self.tunnels.within, Subject::Station(mac), self.at, field, value);
    }

    fn prefix(&mut self, prefix: Prefix, by: MacAddr) {
        let key = CouplingKey { mac: by, ip: prefix.address() };
        if self.is_news((key, prefix.length()))
            && let Some(recorder) = self.recorder()
        {
            let taught = Taught::new(self.at, by);
            recorder.learn_fact(|segment| segment.learn_sent(prefix, &taught));
        }
    }

    fn router(&mut self, ip: IpAddr, by: MacAddr) {
        if self.is_news((CouplingKey { mac: by, ip }, "router"))
            && let Some(recorder) = self.recorder()
        {
            let taught = Taught::new(self.at, by);
            recorder.learn_fact(|segment| segment.learn_router(ip, &taught));
        }
    }

    #[inline]
    fn addressed(&mut self, mac: MacAddr, ip: IpAddr) {
        let tunnel = self.tunnels.within;
        if tunnel != CLOSED {
            self.addressed.add(CouplingKey { mac, ip }, tunnel, self.at, &self.tunnels);
        }
    }

    fn exchange(&mut self, sender: Ipv4Addr, target: Ipv4Addr, answer: bool) {
        let Some(exchange) = Exchange::heard(sender, target, answer) else { return };
        if self.tunnels.within != LINK {
            if let Some(recorder) = self.recorder() {
                recorder.learn_fact(|segment| segment.record_exchange(exchange));
            }
        } else if let Some(recorder) = self.tunnels.recorder(LINK) {
            self.exchanges.add(exchange, &self.hasher, recorder);
        }
    }

    fn indicator(&self, ip: IpAddr) -> Option<String> {
        if self.indicators.is_empty() { None } else { self.indicators.address(ip) }
    }

    fn did(&mut self, mac: MacAddr, ip: IpAddr, act: &Act<'_>) {
        self.acts.add(CouplingKey { mac, ip }, act, self.at, &self.tunnels);
    }

    fn gather(&mut self, fragment: &Fragment<'_>) -> Option<Vec<u8>> {
        let dropped = self.fragments.dropped;
        let key = FragmentKey { tunnel: self.tunnels.within, ..fragment.key };
        let whole = self.fragments.gather(&Fragment { key, ..*fragment }, self.at);
        if self.fragments.dropped != dropped {
            self.anomaly(Anomaly::FragmentsDropped);
        }
        let (payload, first) = whole?;
        self.at = first;
        Some(payload)
    }

    fn malformed(&mut self, what: Malformed) {
        self.broken = true;
        *self.counters.malformed.entry(what).or_default() += 1;
    }

    fn anomaly(&mut self, what: Anomaly) {
        *self.counters.anomalies.entry(what).or_default() += 1;
    }

    fn not_understood(&mut self, what: NotUnderstood) {
        self.counters.unread.count(what, self.length.into());
    }

    fn unread_datagram(&mut self, to: IpAddr, port: u16) {
        self.counters.unread.datagram(to, port, self.length.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A UDP packet with a payload byte, from behind or before a router.
    fn packet(mac: u8, ttl: u8, tag: bool, payload: u8) -> Vec<u8> {
        let mut out = vec![2, 0, 0, 0, 0, mac, 2, 0, 0, 0, 1, mac];
        if tag {
            out.extend([0x81, 0, 0, 10]);
        }
        out.extend([
            8,
            0,
            0x45,
            0,
            0,
            29,
            0x12,
            0x34,
            0,
            0,
            ttl,
            17,
            0xff - ttl,
            0,
            10,
            0,
            0,
            1,
            10,
            0,
            1,
            1,
        ]);
        out.extend([0x30, 0x39, 0x30, 0x39, 0, 9, 0, 0, payload]);
        out
    }

    fn duplicates(frames: &[(i64, Vec<u8>)]) -> u64 {
        let table = Table::new(100);
        let mut worker = Worker::new(&table);
        for (ms, data) in frames {
            let length = u32::try_from(data.len()).unwrap();
            let at = Timestamp(ms * 1_000_000);
            worker.frame(&Frame { at, link: LinkType::Ethernet, data, length });
        }
        worker.finish().0.duplicates
    }

    #[test]
    fn a_datagram_to_an_indicator_is_a_contact_of_its_sender() {
        let table = Table::new(100);
        let mut indicators = Indicators::default();
        indicators.add("203.0.113.7");
        table.watch_for(indicators);
        let (mut worker, mut data) = (Worker::new(&table), packet(1, 64, false, 7));
        data[30..34].copy_from_slice(&[203, 0, 113, 7]);
        let length = u32::try_from(data.len()).unwrap();
        worker.frame(&Frame { at: Timestamp(1), link: LinkType::Ethernet, data: &data, length });
        worker.finish();
        let conduct = table.into_zone().conduct;
        let doers: Vec<_> = conduct.of(DeedKind::Contacts).map(|(key, _)| key.doer.ip.to_string()).collect();
        assert_eq!(doers, ["10.0.0.1"]);
    }

    #[test]
    fn i10_copies_of_a_mirror_and_from_a_routers_other_side_are_counted() {
        assert_eq!(duplicates(&[(0, packet(1, 64, false, 7)), (1, packet(1, 64, false, 7))]), 1);
        assert_eq!(duplicates(&[(0, packet(1, 64, false, 7)), (1, packet(2, 63, true, 7))]), 1);
    }

    #[test]
    fn i10_copies_in_both_networks_of_a_redundant_ring_are_counted() {
        let ring = |path: u8| {
            [&packet(1, 64, false, 7)[..12], &[0x89, 0x2f, path, 35, 0, 9], &packet(1, 64, false, 7)[12..]]
                .concat()
        };
        let parallel = |lan: u8| [&packet(1, 64, false, 7)[..], &[0, 9, lan, 35, 0x88, 0xfb]].concat();
        assert_eq!(duplicates(&[(0, ring(0)), (0, ring(0x10)), (1, parallel(0xa0)), (1, parallel(0xb0))]), 3);
    }

    #[test]
    fn what_differs_or_comes_later_is_no_copy() {
        assert_eq!(duplicates(&[(0, packet(1, 64, false, 7)), (1, packet(1, 64, false, 8))]), 0);
        assert_eq!(duplicates(&[(0, packet(1, 64, false, 7)), (51, packet(1, 64, false, 7))]), 0);
        let arp = |mac| [vec![0xff; 6], vec![2, 0, 0, 0, 1, mac, 8, 6], vec![0; 46]].concat();
        assert_eq!(duplicates(&[(0, arp(1)), (1, arp(2)), (2, arp(1))]), 1);
    }
}
