//! Scans, guessing, rogue servers, tunnels: what many deeds of one station, or of two, show.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::alert::{Proof, Severity};
use super::derive::{Found, View, addresses, is_computer, listens, proof_of, sample};
use super::indicator::LISTED;
use crate::census::conduct::{Crowd, Deed, DeedKey, DeedKind, Reached};
use crate::census::time::MINUTE;
use crate::census::{CouplingKey, Field};

/// Adds what is found in a zone.
pub(super) fn find(view: &View<'_, '_>, out: &mut Vec<Found>) {
    port_scans(view, out);
    host_scans(view, out);
    sweeps(view, out);
    spreading(view, out);
    guessing(view, out);
    sessions(view, out);
    credentials(view, out);
    lease_servers(view, out);
    router_advertisements(view, out);
    names(view, out);
    tunnels(view, out);
    exposure(view, out);
    indicators(view, out);
}

pub(super) fn found(
    rule: &'static str,
    device: usize,
    key: &DeedKey,
    object: String,
    sentence: &str,
    proof: Proof,
) -> Found {
    let sentence = sentence.to_owned();
    Found { rule, device, doer: key.doer, object, sentence, proof, severity: None }
}

fn peer(key: &DeedKey) -> String {
    key.peer.map_or_else(String::new, |ip| ip.to_string())
}

fn port_scans(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let mut refused = BTreeSet::new();
    for (key, deed, reached) in view.reached(DeedKind::Closes) {
        // The scanned host proves it; the station with the peer's address did it.
        let Some(device) = key.peer.and_then(|ip| view.at(ip)) else { continue };
        if Some(device) == view.doer(key) {
            continue;
        }
        refused.insert(device);
        let sentence = format!(
            "{} told it that {} or more {} ports are closed",
            key.doer.ip,
            DeedKind::Closes.enough(),
            key.label.to_uppercase()
        );
        let proof = proof_of(deed, reached, sentence);
        let doer = view.device(device).and_then(|d| d.couplings.iter().find(|m| Some(m.key.ip) == key.peer));
        let doer = doer.map_or(key.doer, |m| m.key);
        out.push(Found {
            rule: "A-SCAN-P",
            device,
            doer,
            object: String::new(),
            sentence: "It scanned ports".to_owned(),
            proof,
            severity: None,
        });
    }
    let opens: Vec<_> = view
        .reached(DeedKind::OpensPorts)
        .filter(|(key, ..)| view.doer(key).is_some_and(|d| !refused.contains(&d)))
        .collect();
    // By port, what those opened since: a monitoring system opens many ports, too, but of hosts that accept them.
    let mut tried: BTreeMap<CouplingKey, Vec<(u16, Vec<IpAddr>)>> =
        opens.iter().map(|(key, ..)| (key.doer, Vec::new())).collect();
    for (key, deed) in view.conduct.of(DeedKind::OpensHosts).filter(|_| !opens.is_empty()) {
        if let Some(ports) = tried.get_mut(&key.doer) {
            ports.push((key.port, addresses(deed)));
        }
    }
    let hosts = tried.values().flatten().flat_map(|(_, hosts)| hosts).copied().collect();
    let known = view.couplings(&hosts);
    for (key, deed, reached) in opens {
        let Some(device) = view.doer(key) else { continue };
        let ports = tried.get(&key.doer).map(Vec::as_slice).unwrap_or_default();
        let strange = ports.iter().filter(|(port, hosts)| are_strange(hosts, *port, &known)).count();
        if strange * 2 < ports.len() {
            continue;
        }
        let sentence =
            format!("it opened {} or more different local TCP ports", DeedKind::OpensPorts.enough());
        let proof = proof_of(deed, reached, sentence);
        out.push(found("A-SCAN-P", device, key, String::new(), "It scanned ports", proof));
    }
}

/// Of the addresses that are looked at, whether at least half do not exist or do not accept the port; 0 stands for any port.
fn are_strange(hosts: &[IpAddr], port: u16, known: &HashMap<IpAddr, Vec<&crate::census::Coupling>>) -> bool {
    let is_strange = |ip: &&IpAddr| match known.get(*ip) {
        None => true,
        Some(couplings) => port != 0 && !listens(couplings, port),
    };
    !hosts.is_empty() && hosts.iter().filter(is_strange).count() * 2 >= hosts.len()
}

fn host_scans(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let scans: Vec<_> = view
        .conduct
        .of(DeedKind::OpensHosts)
        .filter_map(|(key, deed)| {
            let crowd = deed.crowd()?;
            let fast = crowd.reached().map(|reached| (reached, "A-SCAN-H", DeedKind::OpensHosts.enough()));
            let slow = || crowd.spread().map(|spread| (spread, "A-SLOW", DeedKind::OpensHosts.many()));
            Some((key, deed, fast.or_else(slow)?))
        })
        .collect();
    let hosts = scans.iter().flat_map(|(_, deed, _)| addresses(deed)).collect();
    let known = view.couplings(&hosts);
    for (key, deed, (reached, rule, n)) in scans {
        let Some(device) = view.doer(key).filter(|_| are_strange(&addresses(deed), key.port, &known)) else {
            continue;
        };
        let sentence = format!("it opened TCP port {} of {n} or more local addresses", key.port);
        let proof = proof_of(deed, reached, sentence);
        out.push(found(rule, device, key, String::new(), "It scanned addresses", proof));
    }
}

fn sweeps(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let sweeps: Vec<_> = view.reached(DeedKind::AsksArp).collect();
    let hosts = sweeps.iter().flat_map(|(_, deed, _)| addresses(deed)).collect();
    let known = view.couplings(&hosts);
    for (key, deed, reached) in sweeps {
        let device = view.doer(key).filter(|place| view.device(*place).is_some_and(|d| d.forwards.is_none()));
        let Some(device) = device.filter(|_| are_strange(&addresses(deed), 0, &known)) else { continue };
        let sentence = format!("it asked by ARP for {} or more addresses", DeedKind::AsksArp.enough());
        let proof = proof_of(deed, reached, sentence);
        out.push(found("A-SCAN-ARP", device, key, String::new(), "It asked for all addresses", proof));
    }
}

fn spreading(view: &View<'_, '_>, out: &mut Vec<Found>) {
    for (key, deed, reached) in view.reached(DeedKind::OpensPublic) {
        let Some(device) = view.doer(key) else { continue };
        let n = DeedKind::OpensPublic.enough();
        let sentence = format!("it opened ports that worms use of {n} or more public addresses");
        let proof = proof_of(deed, reached, sentence);
        out.push(found("A-TELNET-OUT", device, key, String::new(), "It looks for hosts to spread to", proof));
    }
}

fn guessing(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let soon = view.number("A-BRUTE-OK", "minutes") * MINUTE;
    let mut told =
        |key: &DeedKey, server: usize, client: String, deed: &Deed, reached: Reached, what: String| {
            let protocol = key.label.to_uppercase();
            let object = format!("{protocol} from {client}");
            let sentence = format!("{client} guessed passwords of {protocol}");
            let proof = proof_of(deed, reached, what);
            // What is distinct are numbers that say nothing to people.
            let proof = Proof { sample: Vec::new(), ..proof };
            out.push(Found {
                rule: "A-BRUTE",
                device: server,
                doer: key.doer,
                object: object.clone(),
                sentence,
                proof,
                severity: None,
            });
            let admits = DeedKey { kind: DeedKind::Admits, ..key.clone() };
            let admitted = view.conduct.0.get(&admits).map(|deed| deed.first);
            if let Some(at) = admitted.filter(|at| *at >= reached.first() && at.since(reached.last()) <= soon)
            {
                out.push(Found {
                    rule: "A-BRUTE-OK",
                    device: server,
                    doer: key.doer,
                    object,
                    sentence: format!("{client} guessed a password of {protocol}"),
                    proof: Proof {
                        sentence: "it admitted the client for the first time".to_owned(),
                        first: at,
                        last: at,
                        sample: Vec::new(),
                    },
                    severity: None,
                });
            }
        };
    for kind in [DeedKind::Refuses, DeedKind::Challenges] {
        for (key, deed, reached) in view.reached(kind) {
            if let Some(server) = view.doer(key) {
                let n = kind.enough();
                told(
                    key,
                    server,
                    peer(key),
                    deed,
                    reached,
                    format!("it refused {n} or more log-ins of the client"),
                );
            }
        }
    }
    for (key, deed, reached) in view.reached(DeedKind::Presents) {
        if let Some(server) = key.peer.and_then(|ip| view.at(ip)) {
            let n = DeedKind::Presents.enough();
            let what = format!("the client sent {n} or more different passwords");
            told(key, server, key.doer.ip.to_string(), deed, reached, what);
        }
    }
}

fn sessions(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let usual = view.number("A-BRUTE-SSH", "days");
    let is_unusual = |reached: &Reached| i64::from(reached.days()) < usual;
    for (key, deed, reached) in view.reached(DeedKind::Greets).filter(|(_, _, r)| is_unusual(r)) {
        let Some(server) = view.doer(key) else { continue };
        let protocol = key.label.to_uppercase();
        let n = DeedKind::Greets.enough();
        let sentence = format!("it greeted the client on {n} or more sessions");
        let proof = Proof { sample: Vec::new(), ..proof_of(deed, reached, sentence) };
        let object = format!("{protocol} from {}", peer(key));
        let said = format!("{} opened many sessions of {protocol}", peer(key));
        let by_computer =
            key.peer.and_then(|ip| view.at(ip)).and_then(|d| view.device(d)).is_some_and(is_computer);
        let severity = by_computer.then_some(Severity::Low);
        out.push(Found { severity, ..found("A-BRUTE-SSH", server, key, object, &said, proof) });
    }
}

fn credentials(view: &View<'_, '_>, out: &mut Vec<Found>) {
    for (key, deed, reached) in view.reached(DeedKind::TriesDefault) {
        let Some(device) = view.doer(key) else { continue };
        let sentence = format!("it sent the default password of '{}' again and again", key.label);
        let proof = Proof { sample: Vec::new(), ..proof_of(deed, reached, sentence) };
        let object = format!("{} at {}:{}", key.label, peer(key), key.port);
        out.push(found("A-DEFCRED", device, key, object, "It uses default credentials", proof));
    }
}

/// Servers that offer a client another router than an earlier one.
fn lease_servers(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let offers: Vec<(usize, &DeedKey, &Deed)> = view
        .conduct
        .of(DeedKind::Offers)
        .filter_map(|(key, deed)| Some((view.doer(key)?, key, deed)))
        .collect();
    for (late, key, deed) in &offers {
        let things = || deed.crowd().into_iter().flat_map(Crowd::things);
        let early = offers.iter().find(|(early, other, known)| {
            early != late
                && (known.first, *other) < (deed.first, *key)
                && other.peer != key.peer
                && known.last >= deed.first
                && known.crowd().is_some_and(|crowd| crowd.things().any(|t| things().any(|own| own == t)))
        });
        let Some((_, other, _)) = early else { continue };
        let proof = Proof {
            sentence: format!(
                "it offered the router {}; {} offered {}",
                peer(key),
                other.doer.ip,
                peer(other)
            ),
            first: deed.first,
            last: deed.last,
            sample: sample(deed),
        };
        out.push(found(
            "A-RDHCP",
            *late,
            key,
            String::new(),
            "It offers leases beside the zone's server",
            proof,
        ));
    }
}

fn router_advertisements(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let all: Vec<(usize, &DeedKey, &Deed)> =
        view.conduct.of(DeedKind::Advertises).filter_map(|(k, d)| Some((view.doer(k)?, k, d))).collect();
    for (late, key, deed) in &all {
        let is_gear = view.device(*late).is_none_or(|d| d.category == crate::census::Category::Network);
        let early = all
            .iter()
            .any(|(early, _, known)| early != late && known.first < deed.first && known.last >= deed.first);
        if early && !is_gear {
            let proof = Proof {
                sentence: "it advertised itself as a router while another did".to_owned(),
                first: deed.first,
                last: deed.last,
                sample: Vec::new(),
            };
            out.push(found("A-RRA", *late, key, String::new(), "It advertises itself as a router", proof));
        }
    }
}

fn names(view: &View<'_, '_>, out: &mut Vec<Found>) {
    for (key, deed) in view.conduct.of(DeedKind::AnswersNames) {
        let Some(place) = view.doer(key) else { continue };
        let Some(device) = view.device(place) else { continue };
        let reached = deed.crowd().and_then(Crowd::reached);
        let is_wpad = key.label == "wpad";
        if !is_wpad && reached.is_none() {
            continue;
        }
        // A server has several names of its own, and says them in other ways, too. What it answers by LLMNR is what is in
        // question.
        let own: BTreeSet<String> = device
            .couplings
            .iter()
            .flat_map(|m| m.facts.evidence.iter())
            .chain(
                device
                    .couplings
                    .iter()
                    .filter_map(|m| view.zone.stations.get(&m.key.mac))
                    .flat_map(|s| s.evidence.iter()),
            )
            .filter(|e| e.field != Field::LlmnrName)
            .map(|e| e.value.to_lowercase())
            .collect();
        let is_own = |name: &String| own.iter().any(|said| said.split('.').next() == Some(name.as_str()));
        let strange = sample(deed).iter().filter(|name| !is_own(name)).count();
        if strange < if is_wpad { 1 } else { DeedKind::AnswersNames.enough() } {
            continue;
        }
        let (first, last) =
            reached.map_or((deed.first, deed.last), |r| (r.first().max(deed.first), r.last().min(deed.last)));
        let proof = Proof {
            sentence: format!("it answered by {} for names that are not its own", key.label.to_uppercase()),
            first,
            last,
            sample: sample(deed),
        };
        out.push(found("A-POISON", place, key, String::new(), "It answers for names of others", proof));
    }
}

fn tunnels(view: &View<'_, '_>, out: &mut Vec<Found>) {
    // From so many devices on, asking so is usual in the zone.
    let usual = usize::try_from(view.number("A-DNS-TUN", "devices")).unwrap_or(usize::MAX);
    let mut askers: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (key, _, _) in view.reached(DeedKind::AsksNames) {
        if let Some(device) = view.doer(key) {
            askers.entry(&key.label).or_default().insert(device);
        }
    }
    let mut named = BTreeSet::new();
    for (key, deed, reached) in view.reached(DeedKind::AsksNames) {
        let Some(device) = view.doer(key) else { continue };
        named.insert(device);
        if askers.get(key.label.as_str()).is_some_and(|of| of.len() >= usual) {
            continue;
        }
        let n = DeedKind::AsksNames.enough();
        let sentence = format!("it asked for {n} or more long or odd names under {}", key.label);
        let proof = Proof { sample: Vec::new(), ..proof_of(deed, reached, sentence) };
        out.push(found(
            "A-DNS-TUN",
            device,
            key,
            key.label.to_string(),
            "It may send data through DNS",
            proof,
        ));
    }
    for (key, deed, reached) in view.reached(DeedKind::AsksLong) {
        let Some(device) = view.doer(key).filter(|device| !named.contains(device)) else { continue };
        let n = DeedKind::AsksLong.enough();
        let sentence = format!("it asked {} for {n} or more long names", peer(key));
        let proof = Proof { sample: Vec::new(), ..proof_of(deed, reached, sentence) };
        out.push(found("A-DNS-TUN", device, key, peer(key), "It may send data through DNS", proof));
    }
}

fn exposure(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let days = view.number("A-EXPOSED", "days");
    for (key, deed) in view.conduct.of(DeedKind::Accepts) {
        let is_often = deed.crowd().and_then(Crowd::reached).is_some() || i64::from(deed.days()) >= days;
        let Some(device) = view.doer(key).filter(|_| is_often) else { continue };
        let sentence = format!("it accepted connections on port {} from public addresses", key.port);
        let proof = Proof { sentence, first: deed.first, last: deed.last, sample: sample(deed) };
        out.push(found("A-EXPOSED", device, key, key.port.to_string(), "The Internet reaches it", proof));
    }
    for (kind, rule, sentence, said) in [
        (
            DeedKind::Maps,
            "A-MAP",
            "it asked a router to let the Internet in",
            "It opens a port on the router",
        ),
        (DeedKind::Mines, "A-MINE", "it sent a request of a mining protocol", "It mines"),
    ] {
        for (key, deed) in view.conduct.of(kind) {
            let Some(device) = view.doer(key) else { continue };
            let proof = Proof {
                sentence: sentence.to_owned(),
                first: deed.first,
                last: deed.last,
                sample: Vec::new(),
            };
            out.push(found(rule, device, key, peer(key), said, proof));
        }
    }
}

/// The indicator of a deed, without the mark of a set.
fn unlisted(key: &DeedKey) -> &str {
    key.label.strip_prefix(LISTED).unwrap_or(&key.label)
}

fn indicators(view: &View<'_, '_>, out: &mut Vec<Found>) {
    for (key, deed) in view.conduct.of(DeedKind::Contacts) {
        let Some(device) = view.doer(key) else { continue };
        let hears = DeedKey { kind: DeedKind::Hears, port: 0, ..key.clone() };
        let answered = view.conduct.0.get(&hears);
        let sentence = format!(
            "it contacted {}, {}",
            unlisted(key),
            if answered.is_some() { "which answered" } else { "without an answer so far" }
        );
        let last = answered.map_or(deed.last, |a| a.last.max(deed.last));
        let proof = Proof { sentence, first: deed.first, last, sample: sample(deed) };
        let severity = answered.map(|_| Severity::High);
        let one =
            found("A-IP", device, key, key.label.to_string(), "It contacted a malicious address", proof);
        out.push(Found { severity, ..one });
    }
    for (key, deed) in view.conduct.of(DeedKind::Asks) {
        let Some(device) = view.doer(key) else { continue };
        let sentence = format!("it asked for {}", unlisted(key));
        let proof = Proof { sentence, first: deed.first, last: deed.last, sample: sample(deed) };
        out.push(found("A-DOM", device, key, key.label.to_string(), "It asked for a malicious name", proof));
    }
}
