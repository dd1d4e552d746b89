//! Which column of a table holds what: guessed from the header, or named by a person.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::cell::squash;
use super::column::FileColumn;
use super::limits::ADDRESSES;
use super::mapping::Mapping;

/// The meaning of the columns of one table: indexes from 0, and the headers as written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Columns {
    places: BTreeMap<FileColumn, Vec<usize>>,
    header: Vec<String>,
}

impl Columns {
    /// Guesses from a header; `mapping` overrides the guesses.
    ///
    /// # Errors
    ///
    /// With the named header that the table does not have.
    pub(super) fn of(header: &[String], mapping: &Mapping) -> Result<Self, String> {
        let mut places: BTreeMap<FileColumn, Vec<usize>> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for (column, wanted) in &mapping.0 {
            let mut found = Vec::new();
            for name in wanted {
                let place = place(header, name).ok_or_else(|| name.clone())?;
                found.push(place);
                taken.insert(place);
            }
            places.insert(*column, found);
        }
        // Each column takes the headers that mean it most certainly: (rank among the column's words, index).
        for column in FileColumn::ALL {
            if places.contains_key(&column) {
                continue;
            }
            let mut ranked: Vec<(usize, usize)> = header
                .iter()
                .enumerate()
                .filter(|(place, _)| !taken.contains(place))
                .filter_map(|(place, text)| Some((rank(column, text)?, place)))
                .collect();
            ranked.sort_unstable();
            ranked.truncate(if column.is_plural() { ADDRESSES } else { 1 });
            if !ranked.is_empty() {
                let found: Vec<usize> = ranked.into_iter().map(|(_, place)| place).collect();
                taken.extend(&found);
                places.insert(column, found);
            }
        }
        Ok(Self { places, header: header.to_vec() })
    }

    /// Whether there is a column of MACs or addresses. If not, the row is not a header.
    pub(super) fn is_useful(&self) -> bool {
        [FileColumn::Mac, FileColumn::Ip].iter().any(|c| !self.at(*c).is_empty())
    }

    /// How many columns have a known meaning.
    pub(super) fn known(&self) -> usize {
        self.places.values().map(Vec::len).sum()
    }

    /// The indexes of a column.
    pub(super) fn at(&self, column: FileColumn) -> &[usize] {
        self.places.get(&column).map_or(&[], Vec::as_slice)
    }

    /// Each column with the headers that were taken for it.
    pub fn mapping(&self) -> Mapping {
        let header = |place: &usize| self.header.get(*place).cloned();
        let of = |places: &Vec<usize>| places.iter().filter_map(header).collect();
        Mapping(self.places.iter().map(|(column, places)| (*column, of(places))).collect())
    }

    /// The signature of the header: the same for the same columns in any order.
    pub fn signature(&self) -> String {
        signature(&self.header)
    }
}

/// SHA-256 in hex over the sorted headers, squashed.
pub(super) fn signature(header: &[String]) -> String {
    let names: BTreeSet<String> = header.iter().map(|h| squash(h)).collect();
    let mut digest = Sha256::new();
    for name in names {
        digest.update(name.as_bytes());
        digest.update([0]);
    }
    hex::encode(digest.finalize())
}

fn place(header: &[String], name: &str) -> Option<usize> {
    let exact = header.iter().position(|h| h == name);
    exact.or_else(|| header.iter().position(|h| squash(h) == squash(name)))
}

/// How certainly a header means a column; 0 is the most certain. Of `cmdb_ci.mac_address` the last part counts, and
/// `MAC 2` is a second MAC.
fn rank(column: FileColumn, header: &str) -> Option<usize> {
    let last = header.rsplit('.').next().unwrap_or(header);
    let bare = last.strip_prefix("u_").unwrap_or(last);
    let word = squash(bare);
    let word = match column {
        FileColumn::Mac | FileColumn::Ip if !matches!(word.as_str(), "ipv4" | "ipv6") => {
            word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned()
        }
        _ => word,
    };
    column.headers().iter().position(|h| *h == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn guessed(text: &str) -> BTreeMap<FileColumn, Vec<String>> {
        Columns::of(&header(text), &Mapping::default()).unwrap().mapping().0
    }

    #[test]
    fn headers_of_every_usual_list_are_understood() {
        let servicenow = guessed(
            "name,sys_class_name,cmdb_ci.mac_address,ip_address,manufacturer,model_id,os,install_status,sys_id",
        );
        assert_eq!(servicenow.len(), 9);
        assert_eq!(servicenow[&FileColumn::Mac], ["cmdb_ci.mac_address"]);
        let lansweeper = guessed(
            "AssetName,Domain,Username,AssetTypename,IPAddress,Mac,Manufacturer,Model,OSname,Lastseen,Statename",
        );
        assert_eq!(lansweeper.len(), 9);
        assert_eq!(lansweeper[&FileColumn::Type], ["AssetTypename"]);
        let german = guessed(
            "Gerätename,MAC-Adresse,IP-Adresse,Geräteart,Hersteller,Modell,Betriebssystem,Zuletzt gesehen",
        );
        assert_eq!(german.len(), 8);
        let french =
            guessed("Nom,Adresse MAC,Adresse IP,Catégorie,Fabricant,Modèle,Système d'exploitation,Statut");
        assert_eq!(french.len(), 8);
        let defender = guessed(
            "Device ID,Device Name,Domain,Device Category,Device Type,OS Platform,Onboarding status,IP",
        );
        assert_eq!(defender[&FileColumn::Type], ["Device Type", "Device Category"]);
        assert_eq!(defender[&FileColumn::Managed], ["Onboarding status"]);
    }

    #[test]
    fn several_columns_may_hold_macs_and_the_most_certain_name_wins() {
        let columns = guessed("Description,Name,MAC 1,MAC 2,WiFi MAC,IPv4,IPv6");
        assert_eq!(columns[&FileColumn::Mac], ["MAC 1", "MAC 2", "WiFi MAC"]);
        assert_eq!(columns[&FileColumn::Ip], ["IPv4", "IPv6"]);
        assert_eq!(columns[&FileColumn::Name], ["Name"]);
    }

    #[test]
    fn columns_that_a_person_names_override_guesses() {
        let header = header("Tag,mac,Name");
        let mapping = Mapping::parse(["mac=tag", "name="]).unwrap();
        let columns = Columns::of(&header, &mapping).unwrap().mapping().0;
        assert_eq!(columns[&FileColumn::Mac], ["Tag"]);
        assert!(columns[&FileColumn::Name].is_empty());
        let missing = Mapping::parse(["ip=Address"]).unwrap();
        assert_eq!(Columns::of(&header, &missing).unwrap_err(), "Address");
        assert!(Mapping::parse(["colour=Tag"]).unwrap_err().to_string().contains("colour"));
    }

    #[test]
    fn a_signature_depends_on_the_columns_but_not_on_their_order() {
        let of = |text: &str| signature(&header(text));
        assert_eq!(of("MAC Address,Name"), of("name,mac_address"));
        assert_ne!(of("MAC Address,Name"), of("MAC Address,Name,Type"));
    }
}
