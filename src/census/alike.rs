//! Devices that a classifier cannot tell apart: it answers once for all of them. Most devices of a kind say the same, at
//! different times.

use std::sync::Arc;

use foldhash::HashMap;
use smallvec::SmallVec;

use super::binding::Forwards;
use super::classification::{CardMark, Classification, Classifier, ClassifierInput};
use super::evidence::Field;
use super::time::MINUTE;
use super::windows::Windows;

/// The most answers that are kept. Further devices are each classified for themselves.
const ANSWERS: usize = 16_384;

/// What a classifier was asked, and what it answered, but for the times.
#[derive(Debug, Default)]
pub(crate) struct Answers<'a>(HashMap<Question<'a>, Arc<Classification>>);

/// What a classifier can tell of a question. Of the times it only knows their order.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Question<'a> {
    cards: SmallVec<[CardMark; 1]>,
    said: SmallVec<[Heard<'a>; 4]>,
    forwards: Option<Forwards>,
    ttl_128: bool,
}

/// What a device said, in which windows, whether it is late, and the place of its minute among those of the rest.
type Heard<'a> = (Field, &'a str, Windows, bool, u32);

impl<'a> Question<'a> {
    /// `None` if the classifier does not share its answers.
    fn of(subject: &ClassifierInput<'a>, classifier: &dyn Classifier) -> Option<Self> {
        let minutes = || {
            let once = subject.evidence.iter().filter(|said| !said.windows.is_repeated());
            once.map(|said| said.at.0.div_euclid(MINUTE))
        };
        let mut order: SmallVec<[i64; 4]> = minutes().collect();
        order.sort_unstable();
        order.dedup();
        let place = |minute: i64| order.iter().take_while(|known| **known < minute).count();
        let said = subject.evidence.iter().map(|said| {
            let place = if said.windows.is_repeated() { 0 } else { place(said.at.0.div_euclid(MINUTE)) };
            (said.field, said.value, said.windows, said.late, u32::try_from(place).unwrap_or(u32::MAX))
        });
        Some(Self {
            cards: subject.macs.iter().map(|mac| classifier.mark(*mac)).collect::<Option<_>>()?,
            said: said.collect(),
            forwards: subject.forwards,
            ttl_128: subject.ttl_128,
        })
    }
}

impl<'a> Answers<'a> {
    /// An answer that is right but for the times of its reasons: see [`dated`]. `None` if the classifier does not share its
    /// answers, or if there are too many.
    pub(crate) fn ask(
        &mut self,
        subject: &ClassifierInput<'a>,
        classifier: &dyn Classifier,
    ) -> Option<Arc<Classification>> {
        let question = Question::of(subject, classifier)?;
        if let Some(known) = self.0.get(&question) {
            return Some(Arc::clone(known));
        }
        if self.0.len() >= ANSWERS {
            return None;
        }
        let answer = classifier.conclude(subject);
        self.0.insert(question, Arc::clone(&answer));
        Some(answer)
    }
}

/// Whether no reason of an answer has a time.
pub(crate) fn is_timeless(answer: &Classification) -> bool {
    answer.reasons.iter().chain(&answer.held).all(|reason| reason.at.is_none())
}

/// The answer with the times of a device's own evidence.
pub(crate) fn dated(answer: &Arc<Classification>, subject: &ClassifierInput<'_>) -> Arc<Classification> {
    if is_timeless(answer) {
        return Arc::clone(answer);
    }
    let mut dated = (**answer).clone();
    for reason in dated.reasons.iter_mut().chain(&mut dated.held).filter(|reason| reason.at.is_some()) {
        let sought = (reason.field, reason.value.as_str());
        let place = subject.evidence.binary_search_by(|said| (said.field, said.value).cmp(&sought));
        reason.at = place.ok().and_then(|place| subject.evidence.get(place)).map(|said| said.at);
    }
    Arc::new(dated)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::census::{MacAddr, Said, Timestamp};
    use crate::classify::Rules;

    /// Words of several categories, so that some outweigh others.
    const WORDS: [(Field, &str); 9] = [
        (Field::DhcpVendorClass, "MSFT 5.0"),
        (Field::DhcpHostname, "axis-accc8e000001"),
        (Field::LldpSysDescr, "Cisco IOS Software, C2960X Software"),
        (Field::SnmpSysDescr, "Juniper Networks, Inc. ex2300-48p Ethernet Switch, kernel JUNOS 20.4R3.8"),
        (Field::MdnsTxt, "_ipp._tcp.ty=HP LaserJet M404"),
        (Field::RouterTask, "rip"),
        (Field::NetworkTask, "dns_server"),
        (Field::TlsSni, "api.dropbox.com"),
        (Field::IpTtl, "128"),
    ];

    fn subjects() -> impl Strategy<Value = ClassifierInput<'static>> {
        let macs = [
            [0xac, 0xcc, 0x8e],
            [0x00, 0x1b, 0x54],
            [0x52, 0x54, 0x00],
            [0x02, 0x00, 0x00],
            [0xf8, 0xb1, 0x56],
        ];
        let card =
            (select(macs.to_vec()), any::<u8>()).prop_map(|([a, b, c], d)| MacAddr([a, b, c, 0, 0, d]));
        let said = (select(WORDS.to_vec()), 0..4_i64, 0..3_u8, any::<bool>()).prop_map(
            |((field, value), minute, windows, late)| {
                let at = Timestamp(minute * MINUTE + 7);
                let more = Timestamp(at.0 + 11 * MINUTE * i64::from(windows));
                let windows = Windows::join((at, Windows::ONCE), (more, Windows::ONCE)).1;
                Said { field, value, at, windows, late }
            },
        );
        let forwards = select(vec![None, None, Some(Forwards::Protocol)]);
        (vec(card, 1..3), vec(said, 0..5), forwards, any::<bool>(), 0..5_i64).prop_map(
            |(mut macs, mut evidence, forwards, ttl_128, later)| {
                macs.sort();
                macs.dedup();
                evidence.iter_mut().for_each(|said| said.at = said.at.plus(later * 60 * MINUTE));
                evidence.sort();
                evidence.dedup_by(|b, a| (a.field, a.value) == (b.field, b.value));
                ClassifierInput { macs, evidence, forwards, ttl_128, couplings: Vec::new() }
            },
        )
    }

    static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::builtin().unwrap());

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn devices_that_are_alike_get_the_answer_that_each_gets_alone(subjects in vec(subjects(), 1..30)) {
            let mut answers = Answers::default();
            for subject in &subjects {
                let shared = answers.ask(subject, &*RULES).unwrap();
                prop_assert_eq!(&*dated(&shared, subject), &RULES.classify(subject));
            }
        }
    }

    #[test]
    fn times_and_the_rest_of_a_card_do_not_make_a_device_another_one() {
        let mut answers = Answers::default();
        for n in 0..200_u8 {
            let at = Timestamp(i64::from(n) * MINUTE);
            let said = Said {
                field: Field::DhcpVendorClass,
                value: "MSFT 5.0",
                at,
                windows: Windows::ONCE,
                late: false,
            };
            let macs = vec![MacAddr([0xac, 0xcc, 0x8e, 0, 0, n])];
            let subject = ClassifierInput { macs, evidence: vec![said], ..ClassifierInput::default() };
            let answer = dated(&answers.ask(&subject, &*RULES).unwrap(), &subject);
            assert!(answer.reasons.iter().chain(&answer.held).any(|reason| reason.at == Some(at)));
        }
        assert_eq!(answers.0.len(), 1);
    }
}
