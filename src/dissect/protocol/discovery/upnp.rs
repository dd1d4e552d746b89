//! UPnP: the description of a device, which it serves over HTTP (UPnP Device Architecture 2.0 section 2.3).
//!
//! The document mostly starts in the segment of the answer's head or in the one after it, and goes on in others; the
//! elements that count stand near its beginning. Devices within the device are left out: they may be others behind it.

use super::wsd::{decoded, tags};
use crate::census::Field;
use crate::dissect::protocol::form::url;
use crate::dissect::{Malformed, Payload, Words};

/// Tags of one description that are looked at; the device's own stand among its first thirty.
const TAGS: usize = 80;
/// Places of one description that are looked at.
const PLACES: usize = 8;

/// Dissects a segment or a body that starts an XML document; one that describes no device says nothing.
///
/// # Errors
/// None; UPnP shares its form with the other dissectors.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    // What follows the last tag may be cut.
    let end = payload.bytes.iter().rposition(|b| *b == b'<').unwrap_or(0);
    let document = payload.bytes.get(..end).unwrap_or_default();
    // Who passes a description on keeps the places that it names (I2). The devices within name theirs after these.
    let places = tags(document).take(TAGS).take_while(|(tag, _)| *tag != b"deviceList");
    let places = places.filter(|(tag, _)| matches!(*tag, b"URLBase" | b"presentationURL"));
    let addresses: Vec<_> = places.filter_map(|(_, text)| url::address(text)).take(PLACES).collect();
    let mut words = words.about(&addresses);
    let (mut root, mut device) = (false, false);
    for (tag, text) in tags(document).take(TAGS) {
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
        if words.budget().is_silent() {
            break;
        }
        words.say(field, &decoded(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

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
    fn a_description_that_is_passed_on_describes_the_host_that_it_names() {
        let from = |place: &str| {
            let text = String::from_utf8_lossy(DESCRIPTION).replace("<modelDescription/>", place);
            described(MacAddr::default(), "192.0.2.1", |w| dissect(&Payload::new(text.as_bytes()), w)).0
        };
        assert_eq!(from("<presentationURL>http://192.0.2.1/</presentationURL>"), EXPECTED);
        assert_eq!(from("<presentationURL>/index.html</presentationURL>"), EXPECTED);
        let other = from("<presentationURL>http://192.0.2.7:80/</presentationURL>");
        assert_eq!(other, EXPECTED.map(|said| format!("192.0.2.7 {said}")));
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
