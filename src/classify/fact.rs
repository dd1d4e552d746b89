//! Facts: the evidence of one device, and what follows from its MACs and its forwarding. Rules read facts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::vendors::{Vendors, registered_name};
use crate::census::{ClassifierInput, Family, Field, Forwards, Said};

/// One value of one field.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Fact<'a> {
    pub(super) field: Field,
    pub(super) value: Cow<'a, str>,
    /// When it was first said, and in which windows; `None` for a derived fact.
    pub(super) heard: Option<&'a Said<'a>>,
}

/// All facts of a device, sorted by field and value.
#[derive(Clone, Debug, Default)]
pub(super) struct DeviceFacts<'a>(Vec<Fact<'a>>);

impl<'a> DeviceFacts<'a> {
    pub(super) fn new(mut facts: Vec<Fact<'a>>) -> Self {
        facts.sort_unstable();
        facts.dedup_by(|b, a| a.field == b.field && a.value == b.value);
        Self(facts)
    }

    /// The facts of a device: its evidence, the makers of its MACs, and why it forwards.
    pub(super) fn of(subject: &'a ClassifierInput<'_>, vendors: &Vendors) -> Self {
        // A host that answers look-ups passes on what others look for.
        let passes_on =
            subject.evidence.iter().any(|e| e.field == Field::NetworkTask && e.value == "dns_server");
        let mut facts: Vec<Fact<'a>> = subject
            .evidence
            .iter()
            .filter(|e| !(is_derived(e.field) || passes_on && e.field.family() == Family::Lookup))
            .map(|e| Fact { field: e.field, value: Cow::Borrowed(e.value), heard: Some(e) })
            .collect();
        // Locally administered prefixes are not assigned by a registry. A random MAC can have that of a hypervisor, so the
        // prefix counts only if there is other evidence.
        let silent = facts.is_empty() && !subject.ttl_128;
        let mut derive = |field, value| facts.push(Fact { field, value, heard: None });
        let mut makers = BTreeMap::new();
        let mut random = !subject.macs.is_empty();
        for mac in &subject.macs {
            let drawn = silent && mac.is_locally_administered();
            let maker = if drawn { None } else { registered_name(*mac) };
            random &= maker.is_none() && mac.is_locally_administered();
            if let Some(maker) = maker {
                let (name, makes) = match vendors.find(&maker) {
                    Some(known) => (known.name.as_str(), known.makes.clone()),
                    None => (maker.trim(), None),
                };
                makers.insert(name.to_owned(), makes);
            }
        }
        for (maker, makes) in makers {
            if let Some(makes) = makes {
                derive(Field::MacMakes, Cow::Owned(makes));
            }
            derive(Field::MacVendor, Cow::Owned(maker));
        }
        if random {
            derive(Field::MacRandom, Cow::Borrowed("true"));
        }
        if subject.ttl_128 {
            derive(Field::IpTtl, Cow::Borrowed("128"));
        }
        if let Some(why) = subject.forwards {
            derive(Field::Behaviour, Cow::Borrowed("gateway"));
            derive(Field::Behaviour, Cow::Borrowed(behaviour(why)));
        }
        Self::new(facts)
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Fact<'a>> {
        self.0.iter()
    }

    /// The facts of one field.
    pub(super) fn field(&self, field: Field) -> &[Fact<'a>] {
        let start = self.0.partition_point(|f| f.field < field);
        let end = self.0.partition_point(|f| f.field <= field);
        self.0.get(start..end).unwrap_or_default()
    }
}

fn is_derived(field: Field) -> bool {
    matches!(field, Field::MacVendor | Field::MacMakes | Field::MacRandom | Field::Behaviour)
}

/// The way in which it forwards. All have the behaviour `gateway` in addition.
fn behaviour(why: Forwards) -> &'static str {
    match why {
        Forwards::RouterOption(_) => "gateway.named_by_dhcp",
        Forwards::Protocol => "gateway.routing_protocol",
        Forwards::Carries(_) => "gateway.tunnel",
        Forwards::Public(_) => "gateway.public",
        Forwards::ProvenElsewhere(_) => "gateway.foreign",
        Forwards::OffLink(_) => "gateway.off_link",
    }
}
