//! The keys under which records are found: names of products, brought into one spelling.

use super::cpe::{Cpe, Part};

/// The key of a product that is named by CPE. Firmware and hardware of one product share a key, because one device is
/// both: `o:axis:p3245-lv_firmware` and `h:axis:p3245-lv`.
pub(super) fn of_cpe(cpe: &Cpe) -> Option<String> {
    Some(cpe_key(cpe.part == Part::Application, cpe.vendor.text()?, cpe.product.text()?))
}

/// As [`of_cpe`], from the two names.
pub(super) fn cpe_key(application: bool, vendor: &str, product: &str) -> String {
    if application {
        return format!("app/{vendor}/{product}");
    }
    let product = product.strip_suffix("_firmware").filter(|rest| !rest.is_empty()).unwrap_or(product);
    format!("cpe/{vendor}/{product}")
}

/// The key of a product that is named in words.
pub(super) fn name_key(vendor: &str, product: &str) -> String {
    format!("name/{}/{}", plain(vendor), plain(product))
}

/// The keys of a product that a document names in words: by the whole name, and by what stands behind the name of a family
/// or of the maker, if that is how a model looks: `Liebert RDU101`.
pub(super) fn name_keys(vendor: &str, product: &str) -> Vec<String> {
    let is_model = |word: &str| {
        word.len() >= 5 && word.contains(char::is_alphabetic) && word.contains(|c: char| c.is_ascii_digit())
    };
    let rest = product.trim().split_once(' ').map(|(_, rest)| rest.trim());
    let model = rest.filter(|rest| rest.split(' ').next().is_some_and(is_model));
    std::iter::once(product).chain(model).map(|name| name_key(vendor, name)).collect()
}

/// The key of an order number.
pub(super) fn order_key(vendor: &str, number: &str) -> Option<String> {
    let number: String =
        number.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    // A short number is one of many products.
    (number.len() >= 5).then(|| format!("order/{}/{number}", plain(vendor)))
}

/// Letters and digits in lower case, with one space for everything between them.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}
