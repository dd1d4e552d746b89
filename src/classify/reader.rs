//! What rules read in values. Devices of a kind say the same words: a reader of many devices remembers what it read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::HashMap;

use super::fact::Fact;
use super::rule::{Claims, Rule};
use super::rules::Rules;
use crate::census::{CardMark, Classification, Classifier, ClassifierInput, Field, MacAddr};

/// The most values that a reader remembers. Further ones are read again.
const VALUES: usize = 16_384;

/// What rules say of all devices with one value, unless other values of the device stand against it.
pub(super) type Told<'r> = Rc<[(&'r Rule, Rc<Claims>)]>;

/// Reads values.
pub(super) trait Read<'r> {
    fn told(&self, fact: &Fact<'_>) -> Told<'r>;
}

impl<'r> Read<'r> for &'r Rules {
    fn told(&self, fact: &Fact<'_>) -> Told<'r> {
        let ids = self.index.candidates(&self.rules, fact.field, &fact.value);
        let mut spoken: Vec<&Arc<str>> = Vec::new();
        let mut told = Vec::new();
        for rule in ids.into_iter().filter_map(|id| self.rules.get(id)) {
            if rule.first_of.as_ref().is_some_and(|file| spoken.contains(&file)) {
                continue;
            }
            let Some(claims) = rule.read(fact.field, &fact.value, &self.vendors) else { continue };
            spoken.extend(&rule.first_of);
            if !claims.is_empty() {
                told.push((rule, Rc::new(claims)));
            }
        }
        told.into()
    }
}

/// Rules that remember what they read.
pub(super) struct Reader<'r> {
    rules: &'r Rules,
    known: RefCell<Known<'r>>,
}

#[derive(Default)]
struct Known<'r> {
    values: BTreeMap<Field, HashMap<Box<str>, Told<'r>>>,
    held: usize,
}

impl<'r> Reader<'r> {
    pub(super) fn new(rules: &'r Rules) -> Self {
        Self { rules, known: RefCell::default() }
    }
}

impl<'r> Read<'r> for Reader<'r> {
    fn told(&self, fact: &Fact<'_>) -> Told<'r> {
        let Known { values, held } = &mut *self.known.borrow_mut();
        let of_field = values.entry(fact.field).or_default();
        if let Some(told) = of_field.get(&*fact.value) {
            return Rc::clone(told);
        }
        let told = self.rules.told(fact);
        if *held < VALUES {
            *held += 1;
            of_field.insert(Box::from(&*fact.value), Rc::clone(&told));
        }
        told
    }
}

impl Classifier for Reader<'_> {
    fn silent(&self, card: MacAddr) -> Option<String> {
        self.rules.silent(card)
    }

    fn mark(&self, card: MacAddr) -> Option<CardMark> {
        self.rules.mark(card)
    }

    fn maker(&self, card: MacAddr) -> Option<String> {
        self.rules.maker(card)
    }

    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        self.rules.classify_by(self, subject)
    }
}
