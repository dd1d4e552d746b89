//! SADP, by which Hikvision's cameras and recorders are found on UDP 37020: the model in a ProbeMatch. Other brands
//! sell the same devices.

use crate::dissect::protocol::form::identity::identity;
use crate::dissect::{Malformed, Payload, Words};

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let document = payload.bytes.trim_ascii();
    // A search is a `Probe`.
    if document.starts_with(b"<?xml") && after(document, b"<ProbeMatch>").is_some() {
        let model =
            after(document, b"<DeviceDescription>").and_then(|text| text.split(|b| *b == b'<').next());
        identity("sadp", model, words);
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
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    #[test]
    fn a_camera_answers_with_its_model() {
        let answer = b"<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<ProbeMatch>\n<Uuid>1</Uuid>\n<Types>inquiry</Types>\n\
            <DeviceType>139803</DeviceType>\n<DeviceDescription>DS-2CD2142FWD-I</DeviceDescription>\n</ProbeMatch>";
        assert_eq!(heard(answer, 37020, 37020), ["discovery.identity=sadp:DS-2CD2142FWD-I"]);
        let search =
            b"<?xml version=\"1.0\" encoding=\"utf-8\"?><Probe><Uuid>1</Uuid><Types>inquiry</Types></Probe>";
        assert!(heard(search, 37020, 37020).is_empty());
        survives_datagram(answer, 37020, 37020);
    }
}
