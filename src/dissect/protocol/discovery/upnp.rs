//! UPnP: the description of a device, which it serves over HTTP (UPnP Device Architecture 2.0 section 2.3).
//!
//! The document mostly starts in the segment of the answer's head or in the one after it, and goes on in others; the
//! elements that count stand near its beginning. Devices within the device are left out: they may be others behind it.

use super::wsd::{decoded, tags};
use crate::census::Field;
use crate::dissect::{Malformed, Payload, Words};

/// Dissects a segment or a body that starts an XML document; one that describes no device says nothing.
///
/// # Errors
/// None; UPnP shares its form with the other dissectors.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // What follows the last tag may be cut.
    let end = payload.bytes.iter().rposition(|b| *b == b'<').unwrap_or(0);
    let (mut root, mut device) = (false, false);
    for (tag, text) in tags(payload.bytes.get(..end).unwrap_or_default()) {
        let field = match tag {
            b"root" => {
                root = true;
                continue;
            }
            b"device" if root && !device => {
                device = true;
                continue;
            }
            b"device" | b"deviceList" => break,
            _ if !device => continue,
            b"deviceType" => Field::UpnpDeviceType,
            b"manufacturer" => Field::UpnpManufacturer,
            b"modelName" => Field::UpnpModelName,
            b"modelNumber" => Field::UpnpModelNumber,
            b"modelDescription" => Field::UpnpModelDescription,
            b"friendlyName" => Field::UpnpFriendlyName,
            _ => continue,
        };
        words.say(field, &decoded(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    const DESCRIPTION: &[u8] = b"<?xml version=\"1.0\"?>\r\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\">\
        <specVersion><major>1</major></specVersion><device>\
        <deviceType>urn:schemas-upnp-org:device:MediaRenderer:1</deviceType>\
        <friendlyName>Tom &amp; Jo's TV</friendlyName><manufacturer>Example</manufacturer>\
        <manufacturerURL>http://example.org</manufacturerURL><modelDescription/>\
        <modelName>TV 55</modelName><modelNumber>55X</modelNumber>\
        <deviceList><device><modelName>inner</modelName></device></deviceList></device></root>";

    const EXPECTED: [&str; 5] = [
        "upnp.device_type=urn:schemas-upnp-org:device:MediaRenderer:1",
        "upnp.friendly_name=Tom & Jo's TV",
        "upnp.manufacturer=Example",
        "upnp.model_name=TV 55",
        "upnp.model_number=55X",
    ];

    #[test]
    fn a_device_describes_itself_and_not_those_within() {
        assert_eq!(
            said(|w| dissect(&Payload::new(DESCRIPTION), w)),
            (EXPECTED.map(str::to_owned).to_vec(), Ok(()))
        );
        survives(DESCRIPTION, dissect);
    }

    #[test]
    fn a_cut_value_is_not_said() {
        let at = DESCRIPTION.windows(5).position(|w| w == b"TV 55").unwrap();
        assert_eq!(said(|w| dissect(&Payload::new(&DESCRIPTION[..at + 3]), w)).0, EXPECTED[..3]);
        assert_eq!(said(|w| dissect(&Payload::new(&DESCRIPTION[..at + 6]), w)).0, EXPECTED[..4]);
    }

    #[test]
    fn other_documents_say_nothing() {
        for quiet in [
            &b"<?xml version=\"1.0\"?><scpd><modelName>x</modelName></scpd>"[..],
            b"<?xml version=\"1.0\"?><s:Envelope><device><modelName>x</modelName></device></s:Envelope>",
            b"<root><modelName>x</modelName></root>",
            b"<root",
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
    }
}
