//! Laws of what readers of advisories make of any text, for the fuzzer and for tests.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use super::limits::NAME;
use super::record::{Bound, Constraint};
use super::scheme::Scheme;
use super::{Components, Products, range};
use crate::census::Field;

/// The schemes of both tables.
static SCHEMES: LazyLock<Vec<Arc<Scheme>>> = LazyLock::new(|| {
    let (products, components) = (Products::built_in(), Components::built_in());
    products
        .iter()
        .flat_map(Products::schemes)
        .chain(components.iter().flat_map(Components::schemes))
        .collect()
});

/// Reads a text as the range of a CSAF document. What comes out is bounded, and is read as the same after it was kept.
///
/// # Errors
/// With the law that does not hold.
pub fn check_range(text: &str) -> Result<(), String> {
    let found = range::of_range(text);
    if found.is_empty() || found.len() > range::RANGES {
        return Err(format!("{} constraints", found.len()));
    }
    for constraint in &found {
        let bounds: [Option<&String>; 2] = match constraint {
            Constraint::Is(text) | Constraint::Words(text) => [Some(text), None],
            Constraint::Range { from: None, to: None } => return Err("a range without an end".to_owned()),
            Constraint::Range { from, to } => [from, to].map(|b| b.as_ref().map(|Bound { text, .. }| text)),
            Constraint::NotSaid | Constraint::Unspecified | Constraint::All => [None, None],
        };
        if bounds.iter().flatten().any(|text| text.len() > NAME) {
            return Err(format!("{constraint} is too long"));
        }
        let kept = serde_json::to_string(constraint).map_err(|e| e.to_string())?;
        if serde_json::from_str::<Constraint>(&kept).map_err(|e| e.to_string())? != *constraint {
            return Err(format!("{kept} is read as something else"));
        }
    }
    Ok(())
}

/// Reads two lines as versions of every scheme: their order is the same from both sides, and each is itself.
///
/// # Errors
/// With the law that does not hold.
pub fn check_versions(text: &str) -> Result<(), String> {
    let (first, second) = text.split_once('\n').unwrap_or((text, text));
    for scheme in SCHEMES.iter() {
        let Some(a) = scheme.version(first) else { continue };
        if scheme.compare(&a, &a) != Some(Ordering::Equal) {
            return Err(format!("{first} is not itself ({})", scheme.id));
        }
        let Some(b) = scheme.version(second) else { continue };
        // A part that the record alone leaves open is open from one side only.
        if let (Some(there), Some(back)) = (scheme.compare(&a, &b), scheme.compare(&b, &a))
            && there != back.reverse()
        {
            return Err(format!("{first} and {second}: {there:?} and {back:?} ({})", scheme.id));
        }
    }
    Ok(())
}

/// Reads a text as the word of a device in each field. A component that it names has a version of its scheme, which is a
/// part of the text.
///
/// # Errors
/// With the law that does not hold.
pub fn check_components(components: &Components, text: &str) -> Result<(), String> {
    for field in Field::ALL {
        for component in components.read(*field, text) {
            let named = components.named(&component.id);
            let is_read = named.keys.iter().all(|name| name.scheme.version(&component.version).is_some());
            if named.keys.is_empty() || !is_read || !text.contains(component.version.as_str()) {
                return Err(format!("{field}: {component:?}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_advisories_and_devices_keep_the_laws_that_the_fuzzer_checks() {
        let texts = [
            "",
            "*",
            "all",
            "< V2.3",
            ">=1.0|<1.5",
            "vers:intdot/>=1.0|<2.0",
            "vers:all/*",
            "vers:",
            "vers:x/%zz",
            "V6.9.6 and earlier",
            "versions prior to 6.9.8",
            "≤ 3 and ≥ 2",
            ">= 1 < 2, >= 3",
            "= 1 = 2",
            "1.2.3\n1.2.4",
            "12.2(33)SXI4\n12.2(33)SXI5",
            "20.4R3-S9\n20.4",
            "5.5.82 build 190220\n5.5.82",
            "v\nv",
            "9.80.3\n10.0",
            "nginx/1.18.0 (Ubuntu)",
            "Apache/2.4.29 OpenSSL/1.1.0g PHP/7.2",
            "SSH-2.0-OpenSSH_7.4p1",
            "dropbear_99999999999999999999.1",
        ];
        let components = Components::built_in().unwrap();
        for text in texts {
            check_range(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            check_versions(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            check_components(&components, text).unwrap_or_else(|e| panic!("{text}: {e}"));
        }
    }
}
