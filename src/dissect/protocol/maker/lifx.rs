//! LIFX lamps on UDP 56700: the product that a lamp's StateVersion names (LIFX LAN protocol).

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// StateVersion, and other messages that only lamps send: StateService, StateHostFirmware, StateWifiInfo,
/// StateWifiFirmware, StatePower, StateLabel, StateLocation, StateGroup, LightState, StateLightPower.
const STATE_VERSION: u16 = 33;
const STATES: [u16; 10] = [3, 15, 17, 19, 22, 25, 50, 53, 107, 118];

pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if let Some((kind, mut body)) = message(payload.bytes) {
        if kind == STATE_VERSION {
            let (Some(vendor), Some(product)) = (body.u32_le(), body.u32_le()) else {
                return Err(Malformed::new("lifx", "truncated version"));
            };
            words.say(Field::LifxProduct, format!("{vendor}:{product}").as_bytes());
        } else if STATES.contains(&kind) {
            words.say(Field::LifxProduct, b"state");
        }
    }
    Ok(())
}

/// The kind of a message, and what follows its head of 36 bytes.
fn message(payload: &[u8]) -> Option<(u16, Reader<'_>)> {
    let mut r = Reader::new(payload);
    let (size, protocol) = (r.u16_le()?, r.u16_le()?);
    // Protocol 1024, addressable.
    if usize::from(size) != payload.len() || protocol & 0x1fff != 0x1400 {
        return None;
    }
    r.take(28)?;
    let kind = r.u16_le()?;
    let _reserved = r.u16()?;
    Some((kind, r))
}

#[cfg(test)]
mod tests {
    use crate::dissect::protocol::testing::{heard, survives_datagram};

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let size = u16::try_from(36 + body.len()).unwrap();
        let mut out = [&size.to_le_bytes()[..], &[0, 0x14]].concat();
        out.resize(32, 9);
        out.extend(kind.to_le_bytes());
        out.extend([0, 0]);
        out.extend(body);
        out
    }

    #[test]
    fn a_lamp_names_its_product() {
        let version = message(33, &[1, 0, 0, 0, 27, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(heard(&version, 56700, 50_000), ["lifx.product=1:27"]);
        assert_eq!(heard(&message(3, &[1, 0xd4, 0xdd, 0, 0]), 56700, 50_000), ["lifx.product=state"]);
        assert!(heard(&message(2, b""), 56700, 56700).is_empty());
        assert!(heard(&version, 50_000, 56700).is_empty());
        survives_datagram(&version, 56700, 50_000);
    }
}
