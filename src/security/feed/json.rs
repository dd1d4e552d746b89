//! Feeds of JSON: STIX 2.1 bundles and TAXII 2.1 envelopes (`objects`), MISP events and search answers (`Event`, `response`,
//! `Attribute`), Spamhaus DROP (`cidr`, a value a line), and arrays of texts. Objects are read one after the other; members
//! that say nothing about indicators are passed over without being kept.

use std::fmt;
use std::io::BufRead;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::lines::take_attribute;
use super::{Sink, pattern};
use crate::census::Timestamp;

pub(super) fn read(source: &mut impl BufRead, sink: &mut Sink) -> Result<(), serde_json::Error> {
    sink.report.form = "JSON";
    let mut values = serde_json::Deserializer::from_reader(source);
    // DROP has a value a line.
    loop {
        Walk(sink).deserialize(&mut values)?;
        if values.end().is_ok() {
            return Ok(());
        }
    }
}

/// Goes through a value for members that hold indicators.
struct Walk<'s>(&'s mut Sink);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a feed of indicators")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(sink) = self;
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "objects" => {
                    sink.report.form = "STIX 2.1";
                    map.next_value_seed(Each::<StixObject>(&mut *sink, PhantomData))?;
                }
                "Attribute" => {
                    sink.report.form = "MISP JSON";
                    map.next_value_seed(Each::<MispAttribute>(&mut *sink, PhantomData))?;
                }
                "Event" | "response" | "Object" => map.next_value_seed(Walk(&mut *sink))?,
                "cidr" => {
                    sink.report.form = "Spamhaus DROP";
                    if let Loose::Text(cidr) = map.next_value()? {
                        sink.take_or_name(&cidr);
                    }
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self(sink) = self;
        while seq.next_element_seed(Walk(&mut *sink))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.take_or_name(text);
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Something of which a feed has many.
trait Part {
    fn take(self, sink: &mut Sink);
}

/// Takes each element of an array, and keeps none.
struct Each<'s, P>(&'s mut Sink, PhantomData<P>);

impl<'de, P: Part + Deserialize<'de>> DeserializeSeed<'de> for Each<'_, P> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_seq(self)
    }
}

impl<'de, P: Part + Deserialize<'de>> Visitor<'de> for Each<'_, P> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(part) = seq.next_element::<P>()? {
            part.take(self.0);
        }
        Ok(())
    }
}

/// A value of which only texts and truth values matter. Feeds of real life put other things into any member.
#[derive(Deserialize)]
#[serde(untagged)]
enum Loose {
    Text(String),
    Truth(bool),
    Other(IgnoredAny),
}

impl Loose {
    fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Truth(_) | Self::Other(_) => None,
        }
    }

    fn truth(&self) -> Option<bool> {
        match self {
            Self::Truth(truth) => Some(*truth),
            Self::Text(text) => Some(matches!(&**text, "1" | "true")),
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct StixObject {
    #[serde(rename = "type")]
    kind: Option<Loose>,
    pattern: Option<Loose>,
    pattern_type: Option<Loose>,
    revoked: Option<Loose>,
    valid_until: Option<Loose>,
}

impl Part for StixObject {
    fn take(self, sink: &mut Sink) {
        let text = |value: Option<Loose>| value.and_then(Loose::text);
        let kind = text(self.kind).unwrap_or_default();
        if kind != "indicator" {
            sink.name(&format!("STIX {kind}"));
            return;
        }
        if self.revoked.as_ref().and_then(Loose::truth) == Some(true) {
            sink.name("revoked indicator");
            return;
        }
        let end = text(self.valid_until).and_then(|end| end.parse::<Timestamp>().ok());
        if end.is_some_and(|end| end <= sink.now) {
            sink.name("expired indicator");
            return;
        }
        let language = text(self.pattern_type);
        match (text(self.pattern), language.as_deref()) {
            (Some(pattern), None | Some("stix")) => pattern::take(&pattern, sink),
            (_, Some(language)) => sink.name(&format!("pattern in {language}")),
            (None, None) => sink.name("indicator without a pattern"),
        }
    }
}

#[derive(Deserialize)]
struct MispAttribute {
    #[serde(rename = "type")]
    kind: Option<Loose>,
    value: Option<Loose>,
    to_ids: Option<Loose>,
    deleted: Option<Loose>,
}

impl Part for MispAttribute {
    fn take(self, sink: &mut Sink) {
        let text = |value: Option<Loose>| value.and_then(Loose::text).unwrap_or_default();
        if self.deleted.as_ref().and_then(Loose::truth) == Some(true) {
            sink.name("deleted attribute");
            return;
        }
        let is_for_detection = self.to_ids.as_ref().and_then(Loose::truth) != Some(false);
        take_attribute(&text(self.kind), &text(self.value), is_for_detection, sink);
    }
}
