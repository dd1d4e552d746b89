//! Which payloads a dissector may read, by their ports: here most bulk data is told from messages, in place.

use super::{Key, Layer, Protocol};

/// Whether something may be said of a payload. It holds for all of which something is.
pub(crate) type MaySpeak = fn(&[u8]) -> bool;

/// What [`Gates`] know of a port: nothing reads what comes from it or goes to it, all of it may speak, or the question of
/// that number tells.
const CLOSED: u8 = 0;
const OPEN: u8 = 1;
/// The first number of a question, and how many there may be.
const ASKS: u8 = 2;
const QUESTIONS: usize = 32;

/// The ports that lead to a dissector or an act.
pub(in crate::dissect) struct Gates {
    from: [u8; 65_536],
    to: [u8; 65_536],
    questions: [MaySpeak; QUESTIONS],
    asked: u8,
}

impl Gates {
    /// Those of all ways of those layers, and of acts.
    #[expect(clippy::indexing_slicing, reason = "when it is compiled")]
    pub(in crate::dissect) const fn of(
        protocols: &[Protocol],
        layers: &[Layer],
        acts: &[(Key, Option<MaySpeak>)],
    ) -> Self {
        let mut gates =
            Self { from: [CLOSED; 65_536], to: [CLOSED; 65_536], questions: [never; QUESTIONS], asked: ASKS };
        let mut protocol = 0;
        while protocol < protocols.len() {
            let ways = protocols[protocol].ways;
            let mut way = 0;
            while way < ways.len() {
                let mut layer = 0;
                while layer < layers.len() {
                    if ways[way].layer as u8 == layers[layer] as u8 {
                        gates.add(ways[way].keys, ways[way].may_speak);
                    }
                    layer += 1;
                }
                way += 1;
            }
            protocol += 1;
        }
        let mut act = 0;
        while act < acts.len() {
            gates.add(&[acts[act].0], acts[act].1);
            act += 1;
        }
        gates
    }

    #[expect(clippy::indexing_slicing, reason = "when it is compiled")]
    const fn add(&mut self, keys: &[Key], may_speak: Option<MaySpeak>) {
        let gate = match may_speak {
            None => OPEN,
            Some(question) => {
                let number = self.asked;
                self.questions[(number - ASKS) as usize] = question;
                self.asked += 1;
                number
            }
        };
        let mut key = 0;
        while key < keys.len() {
            let known = match keys[key] {
                Key::From(port) => Some(&mut self.from[port as usize]),
                Key::To(port) => Some(&mut self.to[port as usize]),
                _ => None,
            };
            if let Some(known) = known {
                // Two questions would have to be asked: let all through.
                *known = if *known == CLOSED { gate } else { OPEN };
            }
            key += 1;
        }
    }

    /// Whether something reads what goes from one port to another.
    #[inline]
    pub(in crate::dissect) fn has(&self, from: u16, to: u16) -> bool {
        self.from.get(usize::from(from)) != Some(&CLOSED) || self.to.get(usize::from(to)) != Some(&CLOSED)
    }

    /// Whether something may be said of a payload; `None` if nothing reads it.
    #[inline]
    pub(in crate::dissect) fn ask(&self, from: u16, to: u16, payload: &[u8]) -> Option<bool> {
        let gates = (self.from.get(usize::from(from))?, self.to.get(usize::from(to))?);
        match gates {
            (&CLOSED, &CLOSED) => None,
            (&OPEN, _) | (_, &OPEN) => Some(true),
            (&a, &b) => Some(self.answers(a, payload) || self.answers(b, payload)),
        }
    }

    fn answers(&self, gate: u8, payload: &[u8]) -> bool {
        let question = gate.checked_sub(ASKS).and_then(|number| self.questions.get(usize::from(number)));
        question.is_some_and(|may_speak| may_speak(payload))
    }
}

const fn never(_: &[u8]) -> bool {
    false
}
