//! WS-Discovery: the types and scopes that a device announces (OASIS WS-Discovery 1.1 sections 4.1 and 5.3).
//!
//! No XML is built: one pass over the tags finds the message's kind and the two elements. What a hostile document
//! can gain by that, it can gain by well-formed XML too: values of its own choosing.

use std::net::IpAddr;

use crate::census::Field;
use crate::dissect::protocol::form::url;
use crate::dissect::{Malformed, Payload, Words};

/// Types and scopes that are taken from one message, together.
const ITEMS: usize = 64;
/// Addresses that are taken from one element.
const ADDRESSES: usize = 16;
/// Tags that are looked at in one message.
const TAGS: usize = 512;

/// Dissects a datagram of UDP 3702: Hello and ProbeMatches; farewells, searches and resolutions say nothing.
///
/// # Errors
/// If it is not XML.
pub(crate) fn dissect(payload: &Payload<'_>, words: &mut Words<'_>) -> Result<(), Malformed> {
    if !payload.bytes.trim_ascii_start().starts_with(b"<") && !payload.bytes.starts_with(b"\xef\xbb\xbf<") {
        return Err(Malformed::new("wsd", "no XML"));
    }
    let mut announces = false;
    let mut host = Host::default();
    let mut left = ITEMS;
    // What follows the last tag may be cut.
    let end = payload.bytes.iter().rposition(|b| *b == b'<').unwrap_or(0);
    for (tag, text) in tags(payload.bytes.get(..end).unwrap_or_default()) {
        let items = text.split(u8::is_ascii_whitespace).filter(|i| !i.is_empty());
        match tag {
            // A discovery proxy lists many hosts, each in an element of its own.
            b"Hello" | b"ProbeMatches" | b"ProbeMatch" => {
                announces = true;
                std::mem::take(&mut host).say(words);
            }
            b"Types" | b"Scopes" if announces => {
                let list = if tag == b"Types" { &mut host.types } else { &mut host.scopes };
                for item in items.take(left) {
                    left -= 1;
                    list.push(item);
                }
            }
            b"XAddrs" if announces => host.addresses.extend(items.filter_map(url::address).take(ADDRESSES)),
            _ => {}
        }
    }
    host.say(words);
    Ok(())
}

/// What one element announces; its addresses stand behind the rest.
#[derive(Default)]
struct Host<'a> {
    types: Vec<&'a [u8]>,
    scopes: Vec<&'a [u8]>,
    addresses: Vec<IpAddr>,
}

impl Host<'_> {
    fn say(self, words: &mut Words<'_>) {
        // Somebody who answers for others keeps their addresses (I2).
        let mut words = words.about(&self.addresses);
        for item in self.types {
            if words.budget().is_silent() {
                return;
            }
            let local = item.rsplit(|b| *b == b':').next().unwrap_or(item);
            words.say(Field::WsdTypes, &decoded(local));
        }
        for item in self.scopes {
            if words.budget().is_silent() {
                return;
            }
            words.say(Field::WsdScopes, &decoded(item));
        }
    }
}

/// The local name of each opening tag, and the text that follows it up to the next tag.
pub(crate) fn tags(document: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    document.split(|b| *b == b'<').skip(1).take(TAGS).filter_map(|piece| {
        let end = piece.iter().position(|b| *b == b'>')?;
        let (tag, text) = piece.split_at_checked(end)?;
        let name = tag.split(|b| b.is_ascii_whitespace() || *b == b'/').next()?;
        let local = name.rsplit(|b| *b == b':').next()?;
        Some((local, text.get(1..)?))
    })
}

/// The five entities of XML 1.0 section 4.6, in one pass; any other stays as it is.
pub(crate) fn decoded(text: &[u8]) -> Vec<u8> {
    const ENTITIES: [(&[u8], u8); 5] =
        [(b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\''), (b"&amp;", b'&')];
    if !text.contains(&b'&') {
        return text.to_vec();
    }
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let entity = ENTITIES.iter().find_map(|(name, c)| Some((*c, rest.strip_prefix(*name)?)));
        let (c, tail) = entity.unwrap_or((*first, tail));
        out.push(c);
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::dissect::protocol::testing::survives;
    use crate::dissect::testing::{described, said};

    fn message(kind: &str, body: &str) -> Vec<u8> {
        format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"x\"><s:Header><a:To>urn:x</a:To></s:Header>\
             <s:Body><d:{kind}>{body}</d:{kind}></s:Body></s:Envelope>"
        )
        .into_bytes()
    }

    const BODY: &str = "<d:Types>dn:NetworkVideoTransmitter\n tds:Device</d:Types>\
        <d:Scopes MatchBy=\"x\"> onvif://www.onvif.org/name/A&amp;B onvif://www.onvif.org/hardware/C1 </d:Scopes>\
        <d:XAddrs>http://192.0.2.1/</d:XAddrs>";

    #[test]
    fn a_camera_announces_types_and_scopes() {
        for kind in ["Hello", "ProbeMatches"] {
            let (out, result) = said(|w| dissect(&Payload::new(&message(kind, BODY)), w));
            assert_eq!(
                out,
                [
                    "wsd.types=NetworkVideoTransmitter",
                    "wsd.types=Device",
                    "wsd.scopes=onvif://www.onvif.org/name/A&B",
                    "wsd.scopes=onvif://www.onvif.org/hardware/C1",
                ]
            );
            assert_eq!(result, Ok(()));
        }
        survives(&message("Hello", BODY), dissect);
    }

    #[test]
    fn who_answers_for_others_describes_them() {
        let matches = |addresses: [&str; 2]| {
            let element = |name: &str, place: &str| {
                format!(
                    "<d:ProbeMatch><d:Types>dn:{name}</d:Types><d:XAddrs>{place} http://{name}/</d:XAddrs></d:ProbeMatch>"
                )
            };
            let body = element("A", addresses[0]) + &element("B", addresses[1]);
            let bytes = message("ProbeMatches", &body);
            described(MacAddr::default(), "192.0.2.1", |w| dissect(&Payload::new(&bytes), w)).0
        };
        let (own, other) = ("http://192.0.2.1/onvif http://[fe80::1]/", "http://192.0.2.7:80/onvif");
        assert_eq!(matches([own, other]), ["wsd.types=A", "192.0.2.7 wsd.types=B"]);
        assert_eq!(matches(["", "http://127.0.0.1/"]), ["wsd.types=A", "wsd.types=B"]);
    }

    #[test]
    fn searches_and_farewells_say_nothing() {
        for kind in ["Probe", "Bye", "Resolve"] {
            assert_eq!(said(|w| dissect(&Payload::new(&message(kind, BODY)), w)), (vec![], Ok(())));
        }
        assert!(said(|w| dissect(&Payload::new(b"GET / HTTP/1.1"), w)).1.is_err());
    }

    #[test]
    fn entities_are_decoded_once() {
        assert_eq!(decoded(b"&amp;lt;&lt;&x;&"), b"&lt;<&x;&");
    }

    #[test]
    fn endless_lists_end() {
        let many = message("Hello", &format!("<Types>{}</Types>", "a:b ".repeat(9000)));
        assert_eq!(said(|w| dissect(&Payload::new(&many), w)).0.len(), ITEMS);
    }
}
