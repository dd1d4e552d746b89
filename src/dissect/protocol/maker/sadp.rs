//! SADP, by which Hikvision's cameras and recorders are found on UDP 37020: the model in a ProbeMatch. Other brands
//! sell the same devices.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let document = payload.bytes.trim_ascii();
    // A search is a `Probe`.
    if document.starts_with(b"<?xml") && after(document, b"<ProbeMatch>").is_some() {
        let text = |tag| after(document, tag).and_then(|text| text.split(|b| *b == b'<').next());
        let address = text(b"<IPv4Address>").and_then(|ip| str::from_utf8(ip).ok()?.parse().ok());
        let mut words = words.about(&address.into_iter().collect::<Vec<_>>());
        identity("sadp", text(b"<DeviceDescription>"), &mut words);
    }
    Ok(())
}

/// What follows the first place of a tag.
fn after<'a>(document: &'a [u8], tag: &[u8]) -> Option<&'a [u8]> {
    let at = document.windows(tag.len()).position(|w| w == tag)?;
    document.get(at + tag.len()..)
}

#[cfg(test)]
mod tests {
    use crate::census::MacAddr;
    use crate::dissect::Payload;
    use crate::dissect::protocol::testing::{heard, survives_datagram};
    use crate::dissect::testing::described;

    #[test]
    fn a_camera_answers_with_its_model() {
        let answer = b"<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<ProbeMatch>\n<Uuid>1</Uuid>\n<Types>inquiry</Types>\n\
            <DeviceType>139803</DeviceType>\n<DeviceDescription>DS-2CD2142FWD-I</DeviceDescription>\n</ProbeMatch>";
        assert_eq!(heard(answer, 37020, 37020), ["discovery.identity=sadp:DS-2CD2142FWD-I"]);
        let search =
            b"<?xml version=\"1.0\" encoding=\"utf-8\"?><Probe><Uuid>1</Uuid><Types>inquiry</Types></Probe>";
        assert!(heard(search, 37020, 37020).is_empty());
        survives_datagram(answer, 37020, 37020);
        let place = "</DeviceType><IPv4Address>192.0.2.7</IPv4Address>";
        let placed = String::from_utf8_lossy(answer).replace("</DeviceType>", place);
        let from = |source| {
            described(MacAddr::default(), source, |w| super::dissect(&Payload::new(placed.as_bytes()), w)).0
        };
        assert_eq!(from("192.0.2.7"), ["discovery.identity=sadp:DS-2CD2142FWD-I"]);
        assert_eq!(
            from("192.0.2.9"),
            ["192.0.2.7 discovery.identity=sadp:DS-2CD2142FWD-I"],
            "brought by a relay"
        );
    }
}
