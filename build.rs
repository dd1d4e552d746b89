//! Brings the built-in rules into the form that the programs read at each start: JSON, without the rules' tests, which run
//! in this crate's tests. To read the TOML packs took most of the time of a short command.

#[path = "src/classify/literal.rs"]
mod literal;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml::{Spanned, Table};

/// A pack as people write it. The crate's tests check the rest.
#[derive(Deserialize)]
struct Pack {
    #[serde(default)]
    disable: Vec<String>,
    pack: Table,
    #[serde(default)]
    rule: Vec<Spanned<Table>>,
}

/// A pack as the programs read it.
#[derive(Serialize)]
struct Compiled {
    file: String,
    name: Value,
    disable: Vec<String>,
    /// Each with its line and the literals of its pattern: to find them at each start took a third of a short replay.
    rules: Vec<(usize, Table, Option<Vec<String>>)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let config = Path::new("config");
    println!("cargo::rerun-if-changed=config/rules");
    println!("cargo::rerun-if-changed=config/vendors.toml");
    println!("cargo::rerun-if-changed=src/classify/literal.rs");
    let mut files: Vec<PathBuf> = fs::read_dir(config.join("rules"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    files.retain(|file| file.extension().is_some_and(|e| e == "toml"));
    files.sort();
    let packs = files.iter().map(|file| compiled(file)).collect::<Result<Vec<_>, _>>()?;
    let vendors: Table = toml::from_str(&fs::read_to_string(config.join("vendors.toml"))?)?;
    let all = json!({ "packs": packs, "vendors": vendors.get("vendor") });
    let out = std::env::var_os("OUT_DIR").ok_or("Cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("rules.json"), all.to_string())?;
    Ok(())
}

fn compiled(file: &Path) -> Result<Compiled, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    let pack: Pack = toml::from_str(&text).map_err(|e| format!("{}: {e}", file.display()))?;
    let rules = pack.rule.into_iter().map(|entry| {
        let before = text.get(..entry.span().start).unwrap_or_default();
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let mut rule = entry.into_inner();
        rule.insert("tests".to_owned(), toml::Value::Array(Vec::new()));
        let pattern =
            rule.get("match").and_then(|matcher| matcher.get("regex")).and_then(|regex| regex.as_str());
        let literals = pattern.and_then(literal::of_pattern).filter(|found| found.len() <= literal::LITERALS);
        (line, rule, literals)
    });
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("a pack has a name")?;
    Ok(Compiled {
        file: format!("rules/{name}"),
        name: json!(pack.pack.get("name")),
        disable: pack.disable,
        rules: rules.collect(),
    })
}
