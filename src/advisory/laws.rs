//! Laws of names, versions and verdicts over generated values.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;

fn attribute() -> impl Strategy<Value = Attribute> {
    prop_oneof![
        Just(Attribute::Any),
        Just(Attribute::NotSaid),
        "[a-z0-9_.:()/!+\\\\-]{1,12}"
            .prop_filter("a line alone says that nothing is said", |text| text != "-")
            .prop_map(Attribute::Text),
    ]
}

fn cpe() -> impl Strategy<Value = Cpe> {
    let part = prop_oneof![Just(Part::Application), Just(Part::OperatingSystem), Just(Part::Hardware)];
    (part, prop::array::uniform10(attribute())).prop_map(
        |(part, [vendor, product, version, update, a, b, c, d, e, f])| Cpe {
            part,
            vendor,
            product,
            version,
            update,
            others: [a, b, c, d, e, f],
        },
    )
}

/// The schemes of the table, by way of products that use them.
static SCHEMES: LazyLock<Vec<Arc<Scheme>>> = LazyLock::new(|| {
    let products = Products::built_in().unwrap();
    let examples = [
        ("Axis", "P3245-LV", ""),
        ("Hikvision", "DS-2CD2143G0-I", ""),
        ("Siemens", "CPU 1214C", ""),
        ("Cisco", "", "Cisco IOS"),
        ("Juniper", "", "Junos"),
        ("Synology", "DS918+", ""),
        ("Zyxel", "NWA110AX", ""),
        ("D-Link", "DIR-825", ""),
    ];
    let named = |(vendor, model, os): (&str, &str, &str)| {
        let named = products.named(vendor, Some(model), Some(os));
        Arc::clone(&named.keys[0].scheme)
    };
    examples.into_iter().map(named).collect()
});

/// Texts of which many are versions of some scheme.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}",
        "V[0-9]\\.[0-9]( SP[0-9])?( HF[0-9])?",
        "[0-9]\\.[0-9]\\.[0-9]{1,2} build [0-9]{6}",
        "1[25]\\.[0-9]\\([0-9]{1,2}\\)(E|SXI|M)[0-9]?[a-b]?",
        "20\\.[1-4]R[1-3](-S[1-9])?",
        "[0-9]\\.[0-9]{1,2}\\([A-B]{4}\\.[0-9]\\)C0",
        "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_name_that_is_written_is_read_again(cpe in cpe()) {
        prop_assert_eq!(cpe.to_string().parse::<Cpe>(), Ok(cpe));
    }

    #[test]
    fn no_text_breaks_the_reader_of_names(text in "\\PC{0,80}") {
        text.parse::<Cpe>().ok();
        format!("cpe:2.3:o:{text}").parse::<Cpe>().ok();
    }

    #[test]
    fn an_order_of_versions_is_one(a in text(), b in text(), c in text()) {
        for scheme in SCHEMES.iter() {
            let versions: Vec<Option<Version>> = [&a, &b, &c].map(|text| scheme.version(text)).into();
            if let [Some(a), Some(b), c] = versions.as_slice() {
                prop_assert_eq!(scheme.compare(a, a), Some(Ordering::Equal));
                if let (Some(one), Some(other)) = (scheme.compare(a, b), scheme.compare(b, a)) {
                    prop_assert_eq!(one, other.reverse());
                }
                if let Some(c) = c
                    && scheme.compare(a, b) == Some(Ordering::Less)
                    && scheme.compare(b, c) == Some(Ordering::Less)
                {
                    prop_assert_eq!(scheme.compare(a, c), Some(Ordering::Less));
                }
            }
        }
    }

    #[test]
    fn no_file_breaks_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read(bytes.as_slice(), &mut |_| Ok(())).ok();
    }

    #[test]
    fn no_cut_feed_breaks_a_reader_or_is_taken_for_whole(cut in 0..2_000_usize) {
        let mut feed = Vec::new();
        generated::nvd_feed(&mut feed, 1, 7).unwrap();
        let end = feed.len() - 2;
        prop_assert!(read(&feed[..cut.min(end)], &mut |_| Ok(())).is_err());
    }

    #[test]
    fn the_order_of_sources_does_not_change_a_conclusion(verdicts in prop::collection::vec((0..4_i64, 0..8_usize), 1..6)) {
        let all = [Verdict::NoMatch, Verdict::Outside, Verdict::Fixed, Verdict::NotAffected, Verdict::Undecided,
            Verdict::ModelOnly, Verdict::AllVersions, Verdict::Affected];
        let voice = |(source, verdict): &(i64, usize)| Voice {
            source: Source::from_number(*source).unwrap(), modified: None,
            judged: Judged { verdict: all[*verdict], leaf: 0 },
        };
        let mut voices: Vec<Voice<'_>> = verdicts.iter().map(voice).collect();
        let first = conclude(&voices).map(|c| c.verdict);
        voices.reverse();
        prop_assert_eq!(conclude(&voices).map(|c| c.verdict), first);
    }

    #[test]
    fn an_id_is_written_as_it_is_read_and_sorts_like_its_number(year in 1999..2100_u16, a in 0..10_000_000_u32, b in 0..10_000_000_u32) {
        let id = |number: u32| format!("CVE-{year:04}-{number:04}").parse::<CveId>().unwrap();
        prop_assert_eq!(CveId::from_number(id(a).to_number()), Some(id(a)));
        prop_assert_eq!(id(a).to_string().parse::<CveId>(), Ok(id(a)));
        prop_assert_eq!(id(a).cmp(&id(b)), id(a).to_number().cmp(&id(b).to_number()));
    }
}
