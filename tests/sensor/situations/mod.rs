//! Situations of real networks that mislead a count, each from frames to numbers. Every capture is also counted backwards
//! and by three sensors.

mod captures;
mod forgery;
mod frames;
mod identities;
mod kinds;
mod site;
mod tunnels;
mod words;

use site::{Client, Host, Site, host};
use words::mdns;

const WINDOWS: &[u8] = &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252];
const CAMERA: Host = host([0x00, 0x09, 0x18, 0x31, 4, 0x20], 20);
const PRINTER: Host = host([0x38, 0x1a, 0x52, 0x31, 4, 0x21], 21);
const LAPTOP: Host = host([0x8c, 0x16, 0x45, 0x31, 4, 0x22], 22);
const TELEVISION: Host = host([0xd0, 0x03, 0x4b, 0x31, 4, 0x23], 23);

/// A gateway, a camera, a printer and a laptop: 1 network device, 2 things and 1 computer.
fn office() -> Site {
    let mut site = Site::new();
    let printer = Client { name: b"EPSON0A31", class: "EPSON Network Printer", ..Client::default() };
    let laptop =
        Client { name: b"LAPTOP-7Q2R9KD1", class: "MSFT 5.0", parameters: WINDOWS, ..Client::default() };
    site.leases(CAMERA, Client { name: b"yard", ..Client::default() });
    site.leases(PRINTER, printer).leases(LAPTOP, laptop);
    for host in [CAMERA, PRINTER, LAPTOP] {
        site.asks(host);
    }
    let camera = mdns::offer("Yard", "yard", CAMERA.ip, &[("_hap._tcp", 80, &["md=Welcome Cam 3", "ci=17"])]);
    let queue = mdns::offer(
        "EPSON ET-4850",
        "EPSON0A31",
        PRINTER.ip,
        &[("_ipp._tcp", 631, &["ty=EPSON ET-4850 Series"])],
    );
    site.mdns(CAMERA, &camera).mdns(PRINTER, &queue);
    site
}

/// What an Apple TV says of itself.
fn player(label: &str) -> Vec<u8> {
    let name = label.replace(' ', "-");
    mdns::offer(
        label,
        &name,
        TELEVISION.ip,
        &[("_airplay._tcp", 7000, &["model=AppleTV14,1", "srcvers=770.8.1"])],
    )
}

/// A server of Debian that says who it is.
fn server() -> (Host, Site) {
    let server = host([0x52, 0x54, 0x00, 0x31, 4, 0x29], 29);
    let mut site = Site::new();
    site.asks(server).serves(server, 22, b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
    (server, site)
}
