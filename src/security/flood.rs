//! What stations do in the Internet: floods, names that nobody registered, ports that are not usual, hosts that they come back to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::alert::Proof;
use super::attacks::found;
use super::derive::{Found, View, proof_of};
use crate::census::conduct::{Crowd, DeedKind, Thing};

/// What opens connections for others.
const FOR_OTHERS: [&str; 3] = ["web_proxy", "load_balancer", "sbc"];

/// Adds what is found in a zone.
pub(super) fn find(view: &View<'_, '_>, out: &mut Vec<Found>) {
    floods(view, out);
    generated_names(view, out);
    unusual_ports(view, out);
    beacons(view, out);
}

fn floods(view: &View<'_, '_>, out: &mut Vec<Found>) {
    for (key, deed, reached) in view.reached(DeedKind::Floods) {
        let is_outside = key.peer.is_some_and(|ip| view.at(ip).is_none());
        let Some(place) = view.doer(key).filter(|_| is_outside) else { continue };
        let opens_for_others = |d: &crate::census::Device<'_>| {
            d.forwards.is_some() || FOR_OTHERS.contains(&d.classification().kind.as_str())
        };
        if view.device(place).is_none_or(opens_for_others) {
            continue;
        }
        let peer = key.peer.map_or_else(String::new, |ip| ip.to_string());
        let sentence = format!("it opened about 1,000 or more connections to port {} of {peer}", key.port);
        // Its own ports say nothing to people.
        let proof = Proof { sample: Vec::new(), ..proof_of(deed, reached, sentence) };
        let object = format!("{peer} port {}", key.port);
        out.push(found("A-DOS", place, key, object, "It takes part in a flood", proof));
    }
}

fn generated_names(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let usual = usize::try_from(view.number("A-DGA", "devices")).unwrap_or(usize::MAX);
    let mut askers: BTreeMap<&Thing, BTreeSet<usize>> = BTreeMap::new();
    for (key, deed) in view.conduct.of(DeedKind::Misses) {
        if let (Some(device), Some(crowd)) = (view.doer(key), deed.crowd()) {
            for domain in crowd.sample().chain(crowd.things()) {
                askers.entry(domain).or_default().insert(device);
            }
        }
    }
    for (key, deed, reached) in view.reached(DeedKind::Misses) {
        let is_usual = |domain: &Thing| askers.get(domain).is_some_and(|of| of.len() >= usual);
        let Some(device) =
            view.doer(key).filter(|_| !deed.crowd().into_iter().flat_map(Crowd::sample).any(is_usual))
        else {
            continue;
        };
        let n = DeedKind::Misses.enough();
        let sentence = format!("it asked for names under {n} or more domains that do not exist");
        let proof = proof_of(deed, reached, sentence);
        out.push(found("A-DGA", device, key, String::new(), "It tries names that a program made up", proof));
    }
}

fn unusual_ports(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let days = view.number("A-PORT", "days");
    let usual = usize::try_from(view.number("A-PORT", "devices")).unwrap_or(usize::MAX);
    let mut users: BTreeMap<u16, BTreeSet<usize>> = BTreeMap::new();
    for (key, _) in view.conduct.of(DeedKind::Reaches) {
        users.entry(key.port).or_default().extend(view.doer(key));
    }
    for (key, deed) in view.conduct.of(DeedKind::Reaches).filter(|(_, deed)| i64::from(deed.days()) >= days) {
        let is_usual = users.get(&key.port).is_some_and(|of| of.len() >= usual);
        let Some(device) = view.doer(key).filter(|_| !is_usual) else { continue };
        let sentence =
            format!("it opened connections to port {} of public addresses on {} days", key.port, deed.days());
        let proof = Proof { sentence, first: deed.first, last: deed.last, sample: Vec::new() };
        let object = format!("port {}", key.port);
        out.push(found("A-PORT", device, key, object, "It uses an unusual port of the Internet", proof));
    }
}

fn beacons(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let usual = usize::try_from(view.number("A-BEACON", "devices")).unwrap_or(usize::MAX);
    let mut callers: BTreeMap<IpAddr, BTreeSet<usize>> = BTreeMap::new();
    for (key, _) in view.conduct.of(DeedKind::Returns) {
        if let (Some(host), Some(device)) = (key.peer, view.doer(key)) {
            callers.entry(host).or_default().insert(device);
        }
    }
    for (key, deed) in view.conduct.of(DeedKind::Returns) {
        let (Some(host), Some(steady)) = (key.peer, deed.crowd().and_then(Crowd::spread)) else { continue };
        let is_usual = callers.get(&host).is_some_and(|of| of.len() >= usual);
        // What has such an address itself may be a host of the site.
        let Some(device) = view.doer(key).filter(|_| !is_usual && view.at(host).is_none()) else { continue };
        let sentence = format!("it opened a few connections to port {} of {host} all the time", key.port);
        let proof = Proof { sample: Vec::new(), ..proof_of(deed, steady, sentence) };
        let object = format!("{host} port {}", key.port);
        out.push(found("A-BEACON", device, key, object, "It comes back to one host of the Internet", proof));
    }
}
