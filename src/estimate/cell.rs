//! Reads one cell of a table, or one member of a record.

use crate::census::clean;

/// The last part of a path, cleaned.
pub(super) fn file_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    clean(last.as_bytes()).unwrap_or_else(|| "file".to_owned())
}

/// A text of a row, cleaned; `None` for words such as `n/a` or `unknown`.
pub(super) fn text(raw: &str) -> Option<String> {
    let text = clean(raw.as_bytes())?;
    let nothing = [
        "-",
        "--",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "unknown",
        "undefined",
        "not available",
        "?",
        "(empty)",
        "#n/a",
        "unbekannt",
        "inconnu",
        "desconocido",
        "tbd",
        "tba",
        "not set",
        "not specified",
        "not applicable",
        "(none)",
        "(null)",
        "<null>",
        "keine",
        "k.a.",
        "k. a.",
        "n. v.",
        "n.v.",
        "…",
        "...",
    ];
    (!nothing.contains(&text.to_lowercase().as_str())).then_some(text)
}

/// Whether a text says yes or no to "does another system manage it"; `None` if it says neither.
pub(super) fn yes_or_no(raw: &str) -> Option<bool> {
    const YES: [&str; 26] = [
        "1",
        "true",
        "yes",
        "y",
        "x",
        "onboarded",
        "managed",
        "enrolled",
        "active",
        "ja",
        "oui",
        "si",
        "intune",
        "mde",
        "mdm",
        "microsoftdefenderforendpoint",
        "microsoftintune",
        "configmgr",
        "configurationmanager",
        "sccm",
        "mecm",
        "comanaged",
        "configurationmanagermdm",
        "configurationmanagerclientmdm",
        "easmdm",
        "jamf",
    ];
    const NO: [&str; 22] = [
        "0",
        "false",
        "no",
        "n",
        "nein",
        "non",
        "unsupported",
        "canbeonboarded",
        "insufficientinfo",
        "insufficientinformation",
        "notmanaged",
        "unmanaged",
        "notonboarded",
        "notenrolled",
        "offboarded",
        "inactive",
        "off",
        "notapplicable",
        "pending",
        "unenrolled",
        "retired",
        "nicht",
    ];
    let word = squash(raw);
    match YES.contains(&word.as_str()) {
        true => Some(true),
        false => NO.contains(&word.as_str()).then_some(false),
    }
}

/// Letters and digits in lower case without accents.
pub(super) fn squash(text: &str) -> String {
    fold(text).filter(|c| c.is_alphanumeric()).collect()
}

/// A text in lower case without the accents of western European languages.
pub(super) fn fold(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).map(|c| match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        other => other,
    })
}
