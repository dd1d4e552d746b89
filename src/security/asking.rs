//! Whom devices ask in clear: resolvers that the network does not name, and directories with a password.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::derive::View;
use super::posture::Shown;
use crate::census::conduct::DeedKind;

/// What hands names on for others, and asks for them.
const RESOLVERS: [&str; 2] = ["dns_dhcp_appliance", "web_proxy"];

/// Shows of each device whether it asks resolvers of the Internet that the network names. If the network names none, nothing
/// is said.
pub(super) fn resolvers<'v>(view: &View<'v, '_>, show: &mut impl FnMut(Option<usize>, &'v str, Shown)) {
    let named: BTreeSet<IpAddr> =
        view.conduct.of(DeedKind::NamesResolver).filter_map(|(key, _)| key.peer).collect();
    if named.is_empty() {
        return;
    }
    let servers: BTreeSet<usize> =
        view.conduct.of(DeedKind::NamesResolver).filter_map(|(key, _)| view.doer(key)).collect();
    let asks_for_others = |place: usize| {
        servers.contains(&place)
            || view.device(place).is_none_or(|device| {
                device.forwards.is_some()
                    || RESOLVERS.contains(&device.classification().kind.as_str())
                    || device.couplings.iter().any(|member| named.contains(&member.key.ip))
            })
    };
    for (key, deed) in view.conduct.of(DeedKind::Resolves) {
        // Which resolvers are named for IPv6 is not known.
        let Some(resolver) = key.peer.filter(IpAddr::is_ipv4) else { continue };
        let device = view.doer(key).filter(|place| !asks_for_others(*place));
        if named.contains(&resolver) {
            show(device, "named_resolver", Shown::of(deed));
        } else {
            let sentence = format!("it asks {resolver}, which the network does not name as a resolver");
            show(device, "foreign_resolver", Shown { sentence: sentence.into(), ..Shown::of(deed) });
        }
    }
}

/// Shows of each directory whether it admitted a client that sent its password in clear. If a client also binds otherwise, such
/// as anonymously, and the directory refused it, nobody knows which of its binds was admitted.
pub(super) fn directories<'v>(view: &View<'v, '_>, show: &mut impl FnMut(Option<usize>, &'v str, Shown)) {
    let answered = |kind: DeedKind| -> BTreeSet<(IpAddr, IpAddr)> {
        let answers = view.conduct.of(kind).filter(|(key, _)| key.label == "ldap");
        answers.filter_map(|(key, _)| Some((key.doer.ip, key.peer?))).collect()
    };
    let (admitted, refused) = (answered(DeedKind::Admits), answered(DeedKind::Refuses));
    let otherwise = view.conduct.of(DeedKind::Shows).filter(|(key, _)| key.label == "ldap_binds_otherwise");
    let otherwise: BTreeSet<(IpAddr, IpAddr)> =
        otherwise.filter_map(|(key, _)| Some((key.peer?, key.doer.ip))).collect();
    for (key, deed) in view.conduct.of(DeedKind::Shows).filter(|(key, _)| key.label == "ldap_binds") {
        let is_admitted = |server: &IpAddr| {
            let pair = (*server, key.doer.ip);
            admitted.contains(&pair) && !(refused.contains(&pair) && otherwise.contains(&pair))
        };
        let Some(server) = key.peer.filter(is_admitted) else { continue };
        let sentence = format!("it admitted {}, which sent its password in clear", key.doer.ip);
        show(view.at(server), "ldap_clear", Shown { sentence: sentence.into(), ..Shown::of(deed) });
    }
}
