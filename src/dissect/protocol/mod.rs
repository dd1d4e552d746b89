//! The protocols in which devices speak of themselves, one file each.
//!
//! Every dissector says what it understood up to the place where the payload breaks, and returns the break. None of
//! them judges who the sender is: that, and whether its address may be believed, is the caller's.

pub mod bacnet;
mod ber;
pub mod browser;
pub mod cdp;
pub mod coap;
pub mod dcerpc;
pub mod dhcp4;
pub mod dhcp6;
pub mod dns;
pub mod enip;
mod entry;
pub mod ftp;
pub mod h323;
mod head;
mod hello;
#[cfg(test)]
mod hostile;
pub mod http;
pub mod ipp;
pub mod kerberos;
pub mod ldap;
pub mod lldp;
pub mod llmnr;
pub mod maker;
pub mod mdns;
pub mod mqtt;
pub mod mssql;
pub mod nbns;
mod ntlm;
pub mod ntp;
pub mod pjl;
pub mod quic;
pub mod rdp;
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
pub mod telnet;
pub mod tls;
pub mod upnp;
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
    use crate::census::{VALUE_BYTES, clean};
    use crate::dissect::{Malformed, Words};

    /// Runs `dissect` on every beginning of `payload` and on copies with one byte changed: it must not panic, and
    /// whatever it says must be clean and short.
    pub(super) fn survives(
        payload: &[u8],
        mut dissect: impl FnMut(&[u8], &mut Words<'_>) -> Result<(), Malformed>,
    ) {
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
}
