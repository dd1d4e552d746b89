//! ARCHITECTURE.md describes this repository: its layout is the one on disk, and its places to look exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../ARCHITECTURE.md");

/// The folders below `folder`, relative to `src`; those of recorded answers are left out.
fn folders(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("snapshots") {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
            found.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            folders(&path, found);
        }
    }
}

#[test]
fn the_layout_is_the_one_on_disk() {
    let mut on_disk = BTreeSet::new();
    folders(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut on_disk);
    let block = PAGE.split("as a test holds them:").nth(1).unwrap().split("```").nth(1).unwrap();
    let mut described = BTreeSet::new();
    for line in block.lines().skip(1) {
        let (top, rest) = line.split_once('/').unwrap();
        described.insert(top.to_owned());
        described.extend(rest.split_whitespace().map(|folder| format!("{top}/{folder}")));
    }
    assert_eq!(described, on_disk);
}

#[test]
fn every_place_to_look_exists() {
    let section = PAGE.split("## Where to look").nth(1).unwrap();
    let mut places = 0;
    for code in section.split('`').skip(1).step_by(2).filter(|code| code.contains('/')) {
        let paths = match (code.split_once('{'), code.split_once('}')) {
            (Some((head, _)), Some((list, tail))) => {
                let names = list.split('{').nth(1).unwrap().split(',');
                names.map(|name| format!("{head}{name}{tail}")).collect()
            }
            _ => vec![code.to_owned()],
        };
        for path in paths {
            places += 1;
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path).exists(), "{path}");
        }
    }
    assert!(places > 40, "{places}");
}
