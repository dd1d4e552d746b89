//! MQTT: the client's identifier and the topics it uses (MQTT 3.1.1 sections 3.1, 3.3 and 3.8; MQTT 5.0).
//!
//! Only packets to a broker count: what a broker sends on was said by others.

use crate::census::Field;
use crate::dissect::{Malformed, Payload, Reader, Words};

/// Packets that are read of one segment.
const PACKETS: usize = 16;
/// Topics that are said of one subscription.
const TOPICS: usize = 8;

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;

/// Dissects the beginning of a segment to a broker; what does not start a packet says nothing.
///
/// # Errors
/// If a CONNECT breaks.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    let mut r = Reader::new(payload.bytes);
    let mut ended = Ok(());
    for _ in 0..PACKETS {
        // A packet that goes on in the next segment may as well be none: its lengths cannot be checked.
        let Some((first, body)) = packet(&mut r) else { return ended };
        let (kind, flags) = (first >> 4, first & 0xf);
        let understood = match kind {
            CONNECT if flags == 0 => match connect(body) {
                Ok(Some(id)) => {
                    words.say(Field::MqttClientId, id);
                    true
                }
                Ok(None) => false,
                Err(broken) => {
                    ended = ended.and(Err(broken));
                    true
                }
            },
            // The quality of service 3 is not allowed.
            PUBLISH if flags & 6 != 6 => publish(body, words),
            SUBSCRIBE if flags == 2 => subscribe(body, words),
            // Acknowledgements, pings and farewells have two bytes, few more in version 5.
            4..=7 | 10 | 12 | 14 if body.len() < 128 => true,
            _ => false,
        };
        if !understood {
            return ended;
        }
    }
    ended
}

fn packet<'a>(r: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let first = r.u8()?;
    let length = varint(r)?;
    Some((first, r.take(length)?))
}

/// MQTT 3.1.1 section 2.2.3.
fn varint(r: &mut Reader<'_>) -> Option<usize> {
    let mut n = 0;
    for shift in [0, 7, 14, 21] {
        let b = r.u8()?;
        n |= usize::from(b & 0x7f) << shift;
        if b & 0x80 == 0 {
            return Some(n);
        }
    }
    None
}

fn string<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = r.u16()?;
    r.take(length.into())
}

/// The client's identifier, which may be empty; `None` if it is not a CONNECT.
fn connect(body: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut r = Reader::new(body);
    let version = string(&mut r).zip(r.u8());
    let version = match version {
        // The highest bit of the version marks a bridge.
        Some((b"MQTT", version)) if matches!(version & 0x7f, 4 | 5) => version & 0x7f,
        Some((b"MQIsdp", version)) if version & 0x7f == 3 => 3,
        _ => return Ok(None),
    };
    let id = (|| {
        let (_flags, _keep_alive) = (r.u8()?, r.u16()?);
        if version == 5 {
            let properties = varint(&mut r)?;
            r.take(properties)?;
        }
        string(&mut r)
    })();
    id.map(Some).ok_or(Malformed::new("mqtt", "truncated connect"))
}

fn publish(body: &[u8], words: &mut Words<'_>) -> bool {
    // No topic is an alias of version 5, which was said before.
    match string(&mut Reader::new(body)) {
        Some(b"") => true,
        Some(topic) if is_topic(topic) && !topic.iter().any(|b| matches!(b, b'+' | b'#')) => {
            words.say(Field::MqttTopic, topic);
            true
        }
        _ => false,
    }
}

fn subscribe(body: &[u8], words: &mut Words<'_>) -> bool {
    // The filters follow the packet's identifier, in version 5 properties come between: of no bytes nearly always.
    for properties in [&[][..], &[0]] {
        let Some(filters) = body.get(2..).and_then(|rest| rest.strip_prefix(properties)) else {
            return false;
        };
        if let Some(filters) = self::filters(filters) {
            filters.iter().take(TOPICS).for_each(|topic| words.say(Field::MqttTopic, topic));
            return true;
        }
    }
    false
}

/// Filters, each with a byte of options, up to the end.
fn filters(list: &[u8]) -> Option<Vec<&[u8]>> {
    let mut r = Reader::new(list);
    let mut out = Vec::new();
    while !r.is_empty() && out.len() < TOPICS {
        let topic = string(&mut r).filter(|t| is_topic(t))?;
        let _options = r.u8().filter(|o| o & 0xc0 == 0 && o & 3 != 3)?;
        out.push(topic);
    }
    (!out.is_empty()).then_some(out)
}

/// A topic is text without control characters (MQTT 3.1.1 section 1.5.3).
fn is_topic(topic: &[u8]) -> bool {
    !topic.is_empty() && str::from_utf8(topic).is_ok_and(|t| !t.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::said;

    fn string(text: &str) -> Vec<u8> {
        [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
    }

    fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [&[first, u8::try_from(body.len()).unwrap()][..], &body].concat()
    }

    fn connect(name: &str, version: u8, properties: &[u8]) -> Vec<u8> {
        packet(0x10, &[&string(name), &[version, 2, 0, 60], properties, &string("shelly1-A1B2C3")])
    }

    #[test]
    fn a_client_names_itself_and_its_topics() {
        let run = |bytes: &[u8]| said(|w| dissect(&Payload::new(bytes), w));
        for sound in [
            connect("MQIsdp", 3, &[]),
            connect("MQTT", 4, &[]),
            connect("MQTT", 0x84, &[]),
            connect("MQTT", 5, &[5, 0x11, 0, 0, 0, 9]),
        ] {
            assert_eq!(run(&sound), (vec!["mqtt.client_id=shelly1-A1B2C3".to_owned()], Ok(())));
            assert!(matches!(sound[..], [0x10, 0..0x80, 0, 4 | 6, ..]));
            survives(&sound, dissect);
        }
        let publish = packet(0x32, &[&string("shellies/relay/0"), &[0, 7], b"on"]);
        let subscribe = packet(0x82, &[&[0, 8], &string("cmnd/tele/#"), &[1], &string("a/+"), &[0]]);
        let subscribe5 = packet(0x82, &[&[0, 8, 0], &string("b/#"), &[0x2d]]);
        let all = [connect("MQTT", 4, &[]), packet(0xc0, &[]), publish, subscribe, subscribe5].concat();
        let (out, result) = run(&all);
        assert_eq!(
            out[1..],
            ["mqtt.topic=shellies/relay/0", "mqtt.topic=cmnd/tele/#", "mqtt.topic=a/+", "mqtt.topic=b/#"]
        );
        assert_eq!(result, Ok(()));
        survives(&all, dissect);
    }

    #[test]
    fn what_is_no_packet_says_nothing() {
        for quiet in [
            b"3101 more of a message from the middle".to_vec(),
            packet(0x30, &[&string("a/#"), b"x"]),
            packet(0x36, &[&string("a/b"), b"x"]),
            packet(0x30, &[&string("a\x07b"), b"x"]),
            packet(0x82, &[&[0, 8], &string("a"), &[0xff]]),
            connect("HTTP", 4, &[]),
            connect("MQTT", 9, &[]),
            packet(0x20, &[&[0, 0]]),
            packet(0x30, &[&string("a/b")])[..4].to_vec(),
            vec![0x30, 0xff, 0xff, 0xff, 0xff, 1],
        ] {
            assert_eq!(said(|w| dissect(&Payload::new(&quiet), w)), (vec![], Ok(())), "{quiet:?}");
        }
        let cut = packet(0x10, &[&string("MQTT"), &[4, 2, 0, 60, 0, 9, b'x']]);
        assert!(said(|w| dissect(&Payload::new(&cut), w)).1.is_err());
    }
}
