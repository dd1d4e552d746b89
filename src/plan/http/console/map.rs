//! The map: the network as seen, drawn as SVG, with the same as a list below it.
//!
//! The picture has attributes only, because pages have no inline styles. Routers stand at the left, networks at the right; a
//! line says that a router has an address in a network, which frames proved. Nothing else is drawn.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::device_list::query_string;
use super::page::{AsOf, Frame, PageError, Parameters, Visitor, render};
use super::show;
use super::travel::Here;
use crate::classify::Taxonomy;
use crate::listing::Filter;
use crate::listing::map::{MapNetwork, MapRouter, MapZone, PrefixSource};
use crate::plan::app::map::{self, NetworkMap};
use crate::plan::app::{App, May};
use crate::plan::permission::View;

/// The width of a picture, in its own units.
const WIDTH: u32 = 960;
/// The height of a network and of a router, with the room below it.
const STEP: u32 = 60;
const BOX: u32 = 50;
/// Where routers end, and where networks begin.
const ROUTERS: u32 = 230;
const NETWORKS: u32 = 360;
/// The length of a network's bar.
const BAR: u32 = 300;
/// The longest text in a box, in characters.
const TEXT: usize = 32;

#[derive(Template)]
#[template(path = "map.html")]
struct Page {
    frame: Frame,
    map: NetworkMap,
    pictures: Vec<Picture>,
    /// The zone that was asked for; empty for the largest ones.
    zone: String,
}

/// Which zone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Selection {
    zone: String,
    #[serde(flatten)]
    as_of: AsOf,
}

/// The picture of a zone.
struct Picture {
    zone: MapZone,
    height: u32,
    routers: Vec<RouterBox>,
    networks: Vec<NetworkBox>,
    lines: Vec<Line>,
}

struct RouterBox {
    y: u32,
    id: String,
    title: String,
    kind: &'static str,
}

struct NetworkBox {
    y: u32,
    /// VLANs and prefix.
    title: String,
    /// How the prefix is known.
    known: &'static str,
    numbers: String,
    /// The parts of the bar: class, place and width.
    parts: Vec<(&'static str, u32, u32)>,
    /// The list of its devices, below the pages of the subscription.
    path: String,
    network: MapNetwork,
    /// The routers that have an address in it.
    routers: Vec<String>,
}

/// A line from a router to a network.
struct Line {
    path: String,
    /// The places of both in the picture, for the filter.
    router: usize,
    network: usize,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    here: Here,
    Parameters(asked): Parameters<Selection>,
) -> Result<Response, PageError> {
    let as_of = asked.as_of.instant()?;
    let map = map::show(&app, &may, Some(asked.zone.clone()), as_of).await?;
    let pictures = map.zones.iter().map(Picture::new).collect();
    let frame = Frame::new(&may, "map", "Map").travelling(&app, &may, &here).await?;
    Ok(render(&Page { frame, map, pictures, zone: asked.zone }))
}

impl Picture {
    fn new(zone: &MapZone) -> Self {
        let rows = zone.routers.len().max(zone.networks.len()).max(1);
        let height = units(rows) * STEP;
        // Routers stand in the middle of the height.
        let above = height.saturating_sub(units(zone.routers.len()) * STEP) / 2;
        let router_y = |place: usize| above + units(place) * STEP;
        let network_y = |place: usize| units(place) * STEP;
        let mut lines = Vec::new();
        for (router, place) in zone.routers.iter().zip(0..) {
            for network in &router.networks {
                let (from, to) = (router_y(place) + BOX / 2, network_y(*network) + BOX / 2);
                let middle = u32::midpoint(ROUTERS, NETWORKS);
                let path = format!("M{ROUTERS} {from}C{middle} {from} {middle} {to} {NETWORKS} {to}");
                lines.push(Line { path, router: place, network: *network });
            }
        }
        let router = |(router, place): (&MapRouter, usize)| RouterBox {
            y: router_y(place),
            id: router.id.clone(),
            title: cut(&router.title),
            kind: kind(&router.kind),
        };
        let network = |(network, place): (&MapNetwork, usize)| {
            let routers = zone.routers.iter().filter(|r| r.networks.contains(&place));
            let routers = routers.map(|r| r.title.clone()).collect();
            NetworkBox::new(zone, network, network_y(place), routers)
        };
        Self {
            height,
            routers: zone.routers.iter().zip(0..).map(router).collect(),
            networks: zone.networks.iter().zip(0..).map(network).collect(),
            lines,
            zone: zone.clone(),
        }
    }
}

impl NetworkBox {
    fn new(zone: &MapZone, network: &MapNetwork, y: u32, routers: Vec<String>) -> Self {
        let vlans: Vec<String> = network.vlans.iter().map(ToString::to_string).collect();
        let vlans = match vlans.len() {
            0 => "untagged".to_owned(),
            _ => format!("VLAN {}", vlans.join(", ")),
        };
        let (prefix, known) = match (network.prefix, network.known) {
            (Some(prefix), Some(PrefixSource::Sent)) => (prefix.to_string(), "announced by DHCP or a router"),
            (Some(prefix), _) => (format!("at least {prefix}"), "seen by ARP"),
            (None, _) => ("no prefix known".to_owned(), "no frame told a prefix of these addresses"),
        };
        let mut terms: Vec<String> = network.vlans.iter().map(|id| format!("vlan:{id}")).collect();
        if terms.is_empty() {
            terms.push("vlan:none".to_owned());
        }
        terms.extend(network.prefix.map(|prefix| format!("ip:{prefix}")));
        let (zone, q) = (Some(zone.name.clone()), Some(terms.join(" ")));
        let numbers = [
            (network.network, "network", "network"),
            (network.iot, "iot", "IoT"),
            (network.computer_mobile, "computer_mobile", "computers & mobile"),
            (network.unclassified, "unclassified", "unclassified"),
        ];
        let mut parts = Vec::new();
        let mut at = 0;
        for (number, class, _) in numbers {
            let width = share(number, network.devices);
            if width > 0 {
                parts.push((class, NETWORKS + 12 + at, width));
                at += width;
            }
        }
        let words: Vec<String> = numbers
            .iter()
            .filter(|(number, ..)| *number > 0)
            .map(|(number, _, word)| format!("{} {word}", show::number(*number)))
            .collect();
        Self {
            y,
            title: cut(&format!("{vlans} · {prefix}")),
            known,
            numbers: words.join(", "),
            parts,
            path: query_string("/devices", &Filter { zone, q, ..Filter::default() }),
            network: network.clone(),
            routers,
        }
    }
}

/// The part of the bar that a number takes of all.
fn share(number: u64, all: u64) -> u32 {
    let part = number.saturating_mul(u64::from(BAR)).checked_div(all).unwrap_or_default();
    // A single device shows too.
    u32::try_from(part).unwrap_or(BAR).max(u32::from(number > 0) * 2)
}

fn units(number: usize) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// The title of a type.
fn kind(key: &str) -> &'static str {
    Taxonomy::builtin().device_type(key).map_or("", |kind| &*kind.title)
}

fn cut(text: &str) -> String {
    if text.chars().count() <= TEXT {
        return text.to_owned();
    }
    text.chars().take(TEXT - 1).chain(['…']).collect()
}
