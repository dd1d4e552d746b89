//! The protocols in which devices speak of themselves, one file each.
//!
//! Every dissector says what it understood up to the place where the payload breaks, and returns the break. None of
//! them judges who the sender is: that, and whether its address may be believed, is the caller's.

pub mod babel;
pub mod bacnet;
mod ber;
pub mod bgp;
pub mod browser;
pub mod capwap;
pub mod cdp;
pub mod cisco;
pub mod coap;
pub mod dcerpc;
pub mod dhcp4;
pub mod dhcp6;
pub mod dns;
pub mod eapol;
pub mod edp;
pub mod eigrp;
pub mod enip;
mod entry;
pub mod fdp;
pub mod ftp;
pub mod glbp;
pub mod h323;
mod head;
mod hello;
#[cfg(test)]
mod hostile;
pub mod hsrp;
pub mod http;
pub mod igmp;
pub mod ipp;
pub mod isis;
pub mod kerberos;
pub mod lacp;
pub mod ldap;
pub mod ldp;
pub mod lldp;
pub mod llmnr;
pub mod lwapp;
pub mod maker;
pub mod mdns;
pub mod mndp;
pub mod mqtt;
pub mod mssql;
pub mod nbns;
mod ntlm;
pub mod ntp;
pub mod ospf;
pub mod pim;
pub mod pjl;
pub mod quic;
pub mod rdp;
pub mod rip;
pub mod rtp;
pub mod rtsp;
pub mod sccp;
pub mod sip;
pub mod smb;
pub mod smtp;
pub mod snmp;
pub mod ssdp;
pub mod ssh;
pub mod stp;
pub mod tcp;
pub mod telnet;
pub mod tls;
pub mod ubnt;
pub mod unifi;
pub mod upnp;
pub mod vrrp;
pub mod wsd;

// Industry, buildings, energy, medicine.
pub mod ads;
pub mod c37118;
pub mod cip_io;
pub mod codesys;
pub mod dicom;
pub mod dnp3;
pub mod ethercat;
pub mod fins;
pub mod fox;
pub mod goose;
pub mod hartip;
pub mod hislip;
pub mod hl7;
pub mod iec104;
pub mod industry;
pub mod knx;
pub mod lon;
pub mod melsec;
pub mod mms;
pub mod modbus;
pub mod opcua;
pub mod powerlink;
pub mod profinet;
pub mod profinet_cm;
pub mod s7;
pub mod sercos;
pub mod tpkt;

pub use entry::{datagram, stream};

#[cfg(test)]
mod testing {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    use std::path::PathBuf;

    use crate::census::{VALUE_BYTES, clean};
    use crate::dissect::{Malformed, Words};

    /// Runs `dissect` on every beginning of `payload` and on copies with one byte changed: it must not panic, and
    /// whatever it says must be clean and short.
    pub(super) fn survives<D>(payload: &[u8], mut dissect: D)
    where
        D: FnMut(&[u8], &mut Words<'_>) -> Result<(), Malformed>,
    {
        keep_seed(payload, std::any::type_name::<D>());
        let mut hear = |field, value: &str| {
            assert!(value.len() <= VALUE_BYTES, "{field} is too long: {value}");
            assert_eq!(clean(value.as_bytes()).as_deref(), Some(value), "{field} is not clean");
        };
        let mut words = Words::new(&mut hear);
        let mut run = |bytes: &[u8]| dissect(bytes, &mut words).is_ok();
        for end in 0..=payload.len() {
            run(&payload[..end]);
        }
        let mut copy = payload.to_vec();
        for i in 0..copy.len() {
            for value in [0, 0x7f, 0xc0, 0xff, payload[i] ^ 1] {
                copy[i] = value;
                run(&copy);
            }
            copy[i] = payload[i];
        }
    }

    /// Where the fuzzer asks for it (see `fuzz/run`), writes `payload` to the folder of the module in `path`, the path
    /// of a dissector or of a closure in its tests.
    fn keep_seed(payload: &[u8], path: &str) {
        let Some(folder) = std::env::var_os("NETCENSUS_SEEDS").map(PathBuf::from) else { return };
        let module = path.split("protocol::").nth(1).and_then(|rest| rest.split("::").next());
        let folder = folder.join(module.unwrap_or("datagram"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut hasher = DefaultHasher::new();
        payload.hash(&mut hasher);
        std::fs::write(folder.join(format!("test-{:016x}", hasher.finish())), payload).unwrap();
    }
}
