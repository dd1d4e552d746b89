//! What a column of a table can hold, and the headers that name it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a column can hold.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileColumn {
    /// MACs; possibly several columns.
    Mac,
    /// Addresses; possibly several columns.
    Ip,
    /// Name.
    Name,
    /// Type or class; possibly several columns, the most specific first.
    Type,
    /// Operating system.
    Os,
    /// Maker.
    Vendor,
    /// Model.
    Model,
    /// Whether the device is in use: retired, disposed, in stock and so on.
    Status,
    /// When the device was last active.
    LastSeen,
    /// Whether another system manages the device.
    Managed,
    /// The id in the list: rows with the same id are one device.
    Id,
}

impl FileColumn {
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
    pub(super) const fn is_plural(self) -> bool {
        matches!(self, Self::Mac | Self::Ip | Self::Type)
    }

    /// Headers that mean it, squashed, the most certain first.
    pub(super) const fn headers(self) -> &'static [&'static str] {
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

impl FromStr for FileColumn {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let key = text.to_lowercase().replace(['-', ' '], "_");
        Self::ALL.into_iter().find(|c| c.key() == key).ok_or(())
    }
}
