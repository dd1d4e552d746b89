//! Binds to a directory by LDAP (RFC 4511 section 4.2): who sends a password in clear, and which server wants none so.

use super::{Act, Scene};
use crate::census::conduct::DeedKind::Shows;
use crate::dissect::protocol::form::ber::{Element, element, elements};
use crate::dissect::{Reader, Sink};

const PORTS: [u16; 2] = [389, 3268];
/// `strongerAuthRequired` and `confidentialityRequired`.
const WANTS_MORE: [&[u8]; 2] = [&[8], &[13]];

/// What a segment from or to a directory shows.
pub(super) fn stream<S: Sink>(scene: &mut Scene<'_, S>, bytes: &[u8]) {
    if PORTS.contains(&scene.destination_port) {
        if let Some(posture) = operation(bytes, 0x60).and_then(|bind| posture(bind.body)) {
            scene.did(&Act::new(Shows, posture).to(scene.to));
        }
    } else if PORTS.contains(&scene.source_port) {
        let answer = operation(bytes, 0x61).and_then(|answer| elements(answer.body).next());
        if answer.is_some_and(|code| code.tag == 0x0a && WANTS_MORE.contains(&code.body)) {
            scene.shows("ldap_requires");
        }
        // Behind a STARTTLS that it agreed to, the server says hello.
        if let [22, 3, _, _, _, 2, ..] = bytes {
            scene.shows("ldap_tls");
        }
    }
}

/// The operation of a message, if it has this tag.
fn operation(bytes: &[u8], tag: u8) -> Option<Element<'_>> {
    let message = element(&mut Reader::new(bytes)).filter(|message| message.tag == 0x30)?;
    let mut parts = elements(message.body);
    parts.next().filter(|id| id.tag == 2)?;
    parts.next().filter(|operation| operation.tag == tag)
}

/// Whether a bind names somebody and has a password of its own: one without is anonymous, and SASL keeps its secrets.
fn posture(bind: &[u8]) -> Option<&'static str> {
    let mut parts = elements(bind);
    let (version, name, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let is_bind = (version.tag, name.tag) == (2, 4) && !version.body.is_empty();
    match (secret.tag, name.body.is_empty() || secret.body.is_empty()) {
        (0x80, false) if is_bind => Some("ldap_binds"),
        (0x80 | 0xa3, _) if is_bind && secret.whole => Some("ldap_binds_otherwise"),
        _ => None,
    }
}
