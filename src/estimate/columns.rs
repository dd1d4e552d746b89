//! Which column of a table holds what: told by a person, by the header, or by the cells.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::cell::{squash, text};
use super::column::FileColumn;
use super::headers::{self, Rank};
use super::limits::ADDRESSES;
use super::mapping::Mapping;
use super::moment::{self, Moment};
use super::spelling;
use super::states;

/// The meaning of the columns of one table: indexes from 0, and the headers as written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Columns {
    places: BTreeMap<FileColumn, Vec<usize>>,
    header: Vec<String>,
    /// Columns that their cells told, whatever their header says.
    by_cells: BTreeSet<usize>,
    /// Columns of MACs or addresses that were not taken, and why.
    left_out: Vec<(usize, &'static str)>,
    /// Columns of dates that were not taken.
    dated: Vec<usize>,
}

/// What the first cells of a column hold.
#[derive(Debug, Default)]
pub(super) struct Cells {
    filled: usize,
    macs: usize,
    /// MACs that are digits alone, without a sign between them and without a letter: possibly serial numbers.
    bare: usize,
    ips: usize,
    dates: usize,
    states: usize,
    distinct: BTreeSet<String>,
}

impl Cells {
    /// Looks at one more cell.
    pub(super) fn add(&mut self, cell: &str) {
        let Some(cell) = text(cell) else { return };
        self.filled += 1;
        if let Some(mac) = spelling::macs(&cell).next() {
            self.macs += 1;
            let has_letter = mac.to_string().contains(|c: char| c.is_ascii_alphabetic());
            self.bare += usize::from(!has_letter && !cell.contains([':', '-', '.']));
        }
        let is_address = !cell.bytes().all(|b| b.is_ascii_digit()) && !spelling::ips(&cell).ips.is_empty();
        self.ips += usize::from(is_address);
        let is_date = match moment::read(&cell) {
            Moment::At(_) | Moment::Slashed { .. } | Moment::Ago(_) => true,
            Moment::Number(_) | Moment::Unknown => false,
        };
        self.dates += usize::from(is_date && !is_address);
        self.states += usize::from(states::is_known(&cell));
        self.distinct.insert(cell.to_lowercase());
    }

    fn is(&self, hits: usize, tenths: usize) -> bool {
        hits > 0 && hits * 10 >= self.filled * tenths
    }

    fn are_macs(&self) -> bool {
        self.is(self.macs, 8) && self.bare < self.macs
    }

    /// Whether nearly every row has its own: a switch's MAC stands in many rows of its clients.
    fn are_own(&self) -> bool {
        self.distinct.len() * 10 >= self.filled * 9
    }
}

impl Columns {
    /// Guesses from a header and from the first cells below it; `mapping` overrides the guesses.
    ///
    /// # Errors
    ///
    /// With the named header that the table does not have.
    pub(super) fn of(header: &[String], cells: &[Cells], mapping: &Mapping) -> Result<Self, String> {
        let mut found = Self { header: header.to_vec(), ..Self::default() };
        let mut taken = BTreeSet::new();
        for (column, wanted) in &mapping.0 {
            let mut places = Vec::new();
            for name in wanted {
                let place = place(header, name).ok_or_else(|| name.clone())?;
                places.push(place);
                taken.insert(place);
            }
            found.places.insert(*column, places);
        }
        for column in [FileColumn::Mac, FileColumn::Ip] {
            if !found.places.contains_key(&column) {
                found.addresses(column, cells, &mut taken);
            }
        }
        // Each column takes the headers that mean it most certainly.
        for column in FileColumn::ALL {
            if found.places.contains_key(&column) || matches!(column, FileColumn::Mac | FileColumn::Ip) {
                continue;
            }
            let mut ranked: Vec<(Rank, usize)> = header
                .iter()
                .enumerate()
                .filter(|(place, _)| !taken.contains(place))
                .filter_map(|(place, text)| Some((headers::rank(column, text)?, place)))
                .filter(|(rank, place)| !rank.is_loose || found.are_cells(column, *place, cells))
                .collect();
            ranked.sort_unstable();
            // An asset list's check-in is the day on which somebody gave the asset back.
            if column == FileColumn::LastSeen && header.iter().any(|h| squash(h) == "assettag") {
                ranked
                    .retain(|(_, place)| !header.get(*place).is_some_and(|h| squash(h).contains("checkin")));
            }
            ranked.truncate(if column.is_plural() { ADDRESSES } else { 1 });
            found.take(column, ranked.into_iter().map(|(_, place)| place), &mut taken);
        }
        found.dated = (0..header.len())
            .filter(|place| !taken.contains(place) && cells.get(*place).is_some_and(|c| c.is(c.dates, 8)))
            .collect();
        Ok(found)
    }

    /// Whether the cells are what a header that is in no list may mean.
    fn are_cells(&self, column: FileColumn, place: usize, cells: &[Cells]) -> bool {
        let is_age = self.header.get(place).is_some_and(|h| squash(h).contains("days"));
        cells.get(place).is_some_and(|c| match column {
            FileColumn::LastSeen => c.is(c.dates, 8) || is_age && c.filled > 0,
            FileColumn::Status => c.is(c.states, 5),
            _ => false,
        })
    }

    fn take(&mut self, column: FileColumn, places: impl Iterator<Item = usize>, taken: &mut BTreeSet<usize>) {
        for place in places {
            if taken.insert(place) {
                self.places.entry(column).or_default().push(place);
            }
        }
    }

    /// Finds the columns of MACs, or of addresses: by header if the cells do not speak against it, else by cells.
    fn addresses(&mut self, column: FileColumn, cells: &[Cells], taken: &mut BTreeSet<usize>) {
        let none = Cells::default();
        let of = |place: usize| cells.get(place).unwrap_or(&none);
        let hits = |place: usize| match column {
            FileColumn::Mac => of(place).macs,
            _ => of(place).ips,
        };
        let mut ranked: Vec<(Rank, usize)> = Vec::new();
        let mut told = Vec::new();
        for (place, text) in self.header.iter().enumerate().filter(|(place, _)| !taken.contains(place)) {
            let are_cells_so = match column {
                FileColumn::Mac => of(place).are_macs(),
                _ => of(place).is(of(place).ips, 8),
            };
            match headers::rank(column, text) {
                Some(rank) if !rank.is_loose || of(place).filled == 0 || of(place).is(hits(place), 3) => {
                    ranked.push((rank, place));
                }
                _ if are_cells_so => told.push(place),
                _ => {}
            }
        }
        ranked.sort_unstable();
        let (others, own): (Vec<_>, Vec<_>) = ranked.into_iter().partition(|(rank, _)| rank.is_anothers);
        self.take(column, own.iter().map(|(_, place)| *place).take(ADDRESSES), taken);
        // A table of switches may call its own MACs those of switches.
        if own.is_empty()
            && let Some((_, place)) = others.iter().find(|(_, place)| of(*place).are_own())
        {
            self.take(column, std::iter::once(*place), taken);
        }
        for place in told {
            let is_anothers = self.header.get(place).is_some_and(|h| headers::is_anothers(h));
            let has_some = self.places.contains_key(&column);
            if has_some && (is_anothers || column == FileColumn::Ip) {
                continue;
            }
            if (has_some || is_anothers) && !of(place).are_own() {
                self.left_out
                    .push((place, "many rows share one, so that they may be those of another device"));
                continue;
            }
            self.by_cells.insert(place);
            self.take(column, std::iter::once(place), taken);
        }
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

    /// The first header that was taken for a column.
    pub(super) fn header_of(&self, column: FileColumn) -> Option<&str> {
        self.at(column).first().and_then(|place| self.header.get(*place)).map(String::as_str)
    }

    /// The header of a column; empty if it has none.
    pub(super) fn name(&self, place: usize) -> &str {
        self.header.get(place).map(String::as_str).unwrap_or_default()
    }

    /// All headers.
    pub(super) fn header(&self) -> &[String] {
        &self.header
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

    /// Remarks on columns whose header did not tell, and on names that stand twice.
    pub(super) fn notes(&self) -> Vec<String> {
        let name = |place: &usize| self.header.get(*place).map(String::as_str).unwrap_or_default();
        let mut notes = Vec::new();
        for place in &self.by_cells {
            notes.push(format!("column '{}' was recognised by its cells", name(place)));
        }
        for (place, why) in &self.left_out {
            notes.push(format!("column '{}' holds MACs, and was not taken: {why}", name(place)));
        }
        if !self.dated.is_empty() {
            let names: Vec<&str> = self.dated.iter().map(name).take(10).collect();
            notes.push(format!(
                "columns of dates that do not tell when a device was last seen: {}",
                names.join(", ")
            ));
        }
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for header in self.header.iter().filter(|h| !h.is_empty()) {
            *seen.entry(squash(header)).or_default() += 1;
        }
        for (column, places) in &self.places {
            let header = places.first().map(name).unwrap_or_default();
            if !column.is_plural() && seen.get(&squash(header)).is_some_and(|n| *n > 1) {
                notes.push(format!("several columns are called '{header}'; the first was taken"));
            }
        }
        notes
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

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn guessed(text: &str) -> BTreeMap<FileColumn, Vec<String>> {
        Columns::of(&header(text), &[], &Mapping::default()).unwrap().mapping().0
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
        let columns = Columns::of(&header, &[], &mapping).unwrap().mapping().0;
        assert_eq!(columns[&FileColumn::Mac], ["Tag"]);
        assert!(columns[&FileColumn::Name].is_empty());
        let missing = Mapping::parse(["ip=Address"]).unwrap();
        assert_eq!(Columns::of(&header, &[], &missing).unwrap_err(), "Address");
        assert!(Mapping::parse(["colour=Tag"]).unwrap_err().to_string().contains("colour"));
    }

    #[test]
    fn a_signature_depends_on_the_columns_but_not_on_their_order() {
        let of = |text: &str| signature(&header(text));
        assert_eq!(of("MAC Address,Name"), of("name,mac_address"));
        assert_ne!(of("MAC Address,Name"), of("MAC Address,Name,Type"));
    }
}
