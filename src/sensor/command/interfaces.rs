//! `interfaces`: what there is to capture on.

use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use super::Failure;
use super::text::Table;
use crate::capture::live;

#[derive(Debug, clap::Args)]
#[command(after_help = "A mirror port usually has no address, is up, and its frames grow.")]
pub(super) struct Arguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Interface {
    name: String,
    up: bool,
    addresses: Vec<IpAddr>,
    link: &'static str,
    readable: bool,
    frames: u64,
    dropped: u64,
}

pub(super) fn list(arguments: &Arguments) -> Result<(), Failure> {
    let interfaces = find();
    let mut out = io::stdout().lock();
    if arguments.json {
        let document = serde_json::json!({ "schema": "netcensus.interfaces/1", "interfaces": interfaces });
        writeln!(out, "{document}")?;
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "STATE", "LINK", "READABLE", "FRAMES", "DROPPED", "ADDRESSES"]);
    for i in interfaces {
        let addresses: Vec<String> = i.addresses.iter().map(ToString::to_string).collect();
        table.row([
            i.name,
            if i.up { "up" } else { "down" }.to_owned(),
            i.link.to_owned(),
            if i.readable { "yes" } else { "no" }.to_owned(),
            i.frames.to_string(),
            i.dropped.to_string(),
            addresses.join(" "),
        ]);
    }
    Ok(table.write(&mut out)?)
}

/// The network interfaces of this system by name, as libpcap shows them; needs no privilege.
fn find() -> Vec<Interface> {
    let devices = pcap::Device::list().unwrap_or_default();
    // libpcap also lists what is no interface: `any`, `nflog`, `usbmon0`.
    let mut all: Vec<Interface> = devices
        .into_iter()
        .filter(|d| live::exists(&d.name))
        .map(|d| {
            let directory = Path::new("/sys/class/net").join(&d.name);
            let (link, readable) = link(number(&directory.join("type")));
            Interface {
                up: d.flags.is_up(),
                addresses: d.addresses.iter().map(|a| a.addr).collect(),
                link,
                readable,
                frames: number(&directory.join("statistics/rx_packets")),
                dropped: number(&directory.join("statistics/rx_dropped")),
                name: d.name,
            }
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn number(path: &Path) -> u64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// What libpcap makes of an interface of that ARPHRD_ number (if_arp.h), and whether it is read.
fn link(arphrd: u64) -> (&'static str, bool) {
    match arphrd {
        1 => ("ethernet", true),
        772 => ("loopback", true),
        // PPP is captured in the cooked form.
        512 => ("ppp", true),
        768 | 769 | 776 | 778 | 823 | 65_534 => ("ip only, no MAC", true),
        801..=803 => ("wlan monitor", false),
        280 => ("can", false),
        824 => ("netlink monitor", false),
        _ => ("other", false),
    }
}
