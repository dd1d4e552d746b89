//! `interfaces`: the interfaces of this system.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use super::failure::Failure;
use crate::capture::live;
use crate::cli::table;
use crate::cli::terminal::print_json;

#[derive(Debug, clap::Args)]
#[command(after_help = "A mirror port usually is up and has no address, and its number of frames grows.")]
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
    if arguments.json {
        return print_json(
            &serde_json::json!({ "schema": "netcensus.interfaces/1", "interfaces": interfaces }),
        );
    }
    let rows = interfaces.iter().map(|i| {
        let addresses: Vec<String> = i.addresses.iter().map(ToString::to_string).collect();
        [
            i.name.clone(),
            if i.up { "up" } else { "down" }.to_owned(),
            i.link.to_owned(),
            if i.readable { "yes" } else { "no" }.to_owned(),
            i.frames.to_string(),
            i.dropped.to_string(),
            addresses.join(" "),
        ]
    });
    let header = ["NAME", "STATE", "LINK", "READABLE", ">FRAMES", ">DROPPED", "ADDRESSES"];
    Ok(table::print(&mut io::stdout().lock(), &header, rows)?)
}

/// The network interfaces that libpcap lists, sorted by name. Needs no privilege.
fn find() -> Vec<Interface> {
    let devices = pcap::Device::list().unwrap_or_default();
    // libpcap also lists `any`, `nflog` and `usbmon0`, which are not network interfaces.
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

/// The link type of an ARPHRD_ number (if_arp.h), and whether the sensor can read its frames.
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
