//! Which column of a table holds what: guessed from the header, named by a person, remembered by the header's signature.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::FileError;

/// What a column can hold.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileColumn {
    /// MACs; several columns may hold them.
    Mac,
    /// Addresses; several columns may hold them.
    Ip,
    /// The device's name.
    Name,
    /// Its type or class; several columns may tell, the closest first.
    Type,
    /// Operating system.
    Os,
    /// Maker.
    Vendor,
    /// Model.
    Model,
    /// Whether it is in use: retired, disposed, in stock ….
    Status,
    /// When it was last active.
    LastSeen,
    /// Whether it is managed elsewhere.
    Managed,
    /// An id of the list's own: rows of one id are one device.
    Id,
}

impl FileColumn {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Mac,
        Self::Ip,
        Self::Name,
        Self::Type,
        Self::Os,
        Self::Vendor,
        Self::Model,
        Self::Status,
        Self::LastSeen,
        Self::Managed,
        Self::Id,
    ];

    /// The word in mappings.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Mac => "mac",
            Self::Ip => "ip",
            Self::Name => "name",
            Self::Type => "type",
            Self::Os => "os",
            Self::Vendor => "vendor",
            Self::Model => "model",
            Self::Status => "status",
            Self::LastSeen => "last_seen",
            Self::Managed => "managed",
            Self::Id => "id",
        }
    }

    /// Whether several columns may hold it.
    const fn is_plural(self) -> bool {
        matches!(self, Self::Mac | Self::Ip | Self::Type)
    }

    /// Headers that mean it, squashed, the surest first.
    const fn headers(self) -> &'static [&'static str] {
        match self {
            Self::Mac => &[
                "macaddress",
                "mac",
                "macaddresses",
                "macs",
                "macaddr",
                "ethernetmac",
                "ethernetmacaddress",
                "wiredmac",
                "wiredmacaddress",
                "lanmac",
                "lanmacaddress",
                "wifimac",
                "wifimacaddress",
                "wirelessmac",
                "wirelessmacaddress",
                "wlanmac",
                "nicmac",
                "clientmac",
                "devicemac",
                "physicaladdress",
                "hardwareaddress",
                "hwaddress",
                "hwaddr",
                "macadresse",
                "macadressen",
                "physischeadresse",
                "adressemac",
                "adressesmac",
                "direccionmac",
                "direccionesmac",
                "indirizzomac",
                "macadres",
                "enderecomac",
            ],
            Self::Ip => &[
                "ipaddress",
                "ip",
                "ipaddresses",
                "ips",
                "ipaddr",
                "ipv4",
                "ipv4address",
                "ipv6",
                "ipv6address",
                "primaryip",
                "primaryipaddress",
                "lastipaddress",
                "lastip",
                "lanip",
                "hostip",
                "clientip",
                "deviceip",
                "managementip",
                "managementipaddress",
                "mgmtip",
                "ipadresse",
                "ipadressen",
                "adresseip",
                "adressesip",
                "direccionip",
                "direccionesip",
                "indirizzoip",
                "ipadres",
                "enderecoip",
            ],
            Self::Name => &[
                "hostname",
                "hostnamefqdn",
                "fqdn",
                "dnsname",
                "computerdnsname",
                "devicename",
                "assetname",
                "computername",
                "systemname",
                "machinename",
                "ciname",
                "name",
                "displayname",
                "geratename",
                "rechnername",
                "nomdhote",
                "nomdelappareil",
                "nom",
                "nombre",
                "nombredelequipo",
                "nome",
                "naam",
                "bezeichnung",
                "configurationitem",
                "description",
            ],
            Self::Type => &[
                "devicetype",
                "assettypename",
                "assettype",
                "sysclassname",
                "class",
                "ciclass",
                "ciclassname",
                "citype",
                "deviceclass",
                "producttype",
                "type",
                "gerateart",
                "geratetyp",
                "typ",
                "typedappareil",
                "tipo",
                "tipodedispositivo",
                "subcategory",
                "modelcategory",
                "devicecategory",
                "category",
                "kategorie",
                "categorie",
                "categoria",
                "kind",
                "role",
                "function",
            ],
            Self::Os => &[
                "operatingsystem",
                "osname",
                "os",
                "osplatform",
                "betriebssystem",
                "systemedexploitation",
                "sistemaoperativo",
                "besturingssysteem",
                "platform",
                "osversion",
            ],
            Self::Vendor => &[
                "manufacturer",
                "manufacturername",
                "vendor",
                "vendorname",
                "make",
                "maker",
                "brand",
                "oem",
                "hersteller",
                "fabricant",
                "fabricante",
                "produttore",
                "fabrikant",
                "marque",
                "marca",
            ],
            Self::Model => &[
                "model",
                "modelname",
                "modelid",
                "modelnumber",
                "devicemodel",
                "hardwaremodel",
                "product",
                "productname",
                "modell",
                "modele",
                "modelo",
                "modello",
            ],
            Self::Status => &[
                "installstatus",
                "hardwarestatus",
                "assetstatus",
                "lifecyclestatus",
                "lifecyclestage",
                "lifecycle",
                "statename",
                "status",
                "state",
                "zustand",
                "statut",
                "estado",
                "stato",
            ],
            Self::LastSeen => &[
                "lastseen",
                "lastactive",
                "lastactivity",
                "lastonline",
                "lastdiscovered",
                "mostrecentdiscovery",
                "lastdeviceupdate",
                "lastcontact",
                "lastcheckin",
                "lastcommunication",
                "lastscan",
                "zuletztgesehen",
                "letzterkontakt",
                "derniereconnexion",
                "derniereactivite",
                "ultimaconexion",
            ],
            Self::Managed => &[
                "onboardingstatus",
                "onboarded",
                "managed",
                "ismanaged",
                "mdestatus",
                "mdeonboarded",
                "defenderstatus",
                "mdm",
                "intune",
                "enrolled",
                "verwaltet",
                "gere",
            ],
            Self::Id => &["deviceid", "machineid", "sysid", "assetid", "id"],
        }
    }
}

impl fmt::Display for FileColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// What a person says of columns, by their headers. An empty list: no column holds it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Mapping(pub BTreeMap<FileColumn, Vec<String>>);

impl Mapping {
    /// Joins `later` over this one.
    #[must_use]
    pub fn under(mut self, later: &Self) -> Self {
        self.0.extend(later.0.iter().map(|(column, headers)| (*column, headers.clone())));
        self
    }

    /// Reads `mac=MAC Address`; the same field may stand several times.
    ///
    /// # Errors
    ///
    /// Where the field is none of [`FileColumn`].
    pub fn parse<'a>(assignments: impl IntoIterator<Item = &'a str>) -> Result<Self, FileError> {
        let mut mapping = Self::default();
        for text in assignments {
            let bad = || FileError::BadMapping(super::listed::text(text).unwrap_or_default());
            let (field, header) = text.split_once('=').ok_or_else(bad)?;
            let column: FileColumn = field.trim().parse().map_err(|()| bad())?;
            let headers = mapping.0.entry(column).or_default();
            if !header.trim().is_empty() {
                headers.push(header.trim().to_owned());
            }
        }
        Ok(mapping)
    }
}

impl FromStr for FileColumn {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let key = text.to_lowercase().replace(['-', ' '], "_");
        Self::ALL.into_iter().find(|c| c.key() == key).ok_or(())
    }
}

/// Which columns of one table were taken for what: places from 0 and headers as they stand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Columns {
    places: BTreeMap<FileColumn, Vec<usize>>,
    header: Vec<String>,
}

impl Columns {
    /// Guesses from a header, with what a person named over it.
    ///
    /// # Errors
    ///
    /// With the header that was named and is not there.
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
        // A header means what it means most surely: (rank among the column's words, column).
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
            ranked.truncate(if column.is_plural() { super::ADDRESSES } else { 1 });
            if !ranked.is_empty() {
                let found: Vec<usize> = ranked.into_iter().map(|(_, place)| place).collect();
                taken.extend(&found);
                places.insert(column, found);
            }
        }
        Ok(Self { places, header: header.to_vec() })
    }

    /// Whether a MAC or an address has a column: else it is no header.
    pub(super) fn is_useful(&self) -> bool {
        [FileColumn::Mac, FileColumn::Ip].iter().any(|c| !self.at(*c).is_empty())
    }

    /// How many columns have a meaning.
    pub(super) fn known(&self) -> usize {
        self.places.values().map(Vec::len).sum()
    }

    /// The places of a column.
    pub(super) fn at(&self, column: FileColumn) -> &[usize] {
        self.places.get(&column).map_or(&[], Vec::as_slice)
    }

    /// Each field with the headers that were taken for it.
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
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place(header: &[String], name: &str) -> Option<usize> {
    let exact = header.iter().position(|h| h == name);
    exact.or_else(|| header.iter().position(|h| squash(h) == squash(name)))
}

/// How surely a header means a column; 0 is the surest. Of `cmdb_ci.mac_address` the last part tells, and `MAC 2` is a
/// second MAC.
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
    fn several_columns_may_hold_macs_and_the_surest_name_wins() {
        let columns = guessed("Description,Name,MAC 1,MAC 2,WiFi MAC,IPv4,IPv6");
        assert_eq!(columns[&FileColumn::Mac], ["MAC 1", "MAC 2", "WiFi MAC"]);
        assert_eq!(columns[&FileColumn::Ip], ["IPv4", "IPv6"]);
        assert_eq!(columns[&FileColumn::Name], ["Name"]);
    }

    #[test]
    fn what_a_person_names_goes_before_what_is_guessed() {
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
    fn a_signature_is_of_the_columns_and_not_of_their_order() {
        let of = |text: &str| signature(&header(text));
        assert_eq!(of("MAC Address,Name"), of("name,mac_address"));
        assert_ne!(of("MAC Address,Name"), of("MAC Address,Name,Type"));
    }
}
