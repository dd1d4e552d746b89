//! The recount: adds up leaves one by one, and compares the numbers and the root with a header.

use std::collections::BTreeMap;

use super::header::{Header, SNAPSHOT_SCHEMA, WITHOUT_TRAILS};
use super::leaf::Leaf;
use super::tree::Tree;
use crate::census::{Verdict, commitment};

/// Numbers and root of leaves in order.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    tree: Tree,
    last: Option<String>,
    network: u64,
    iot: u64,
    excluded: BTreeMap<String, u64>,
    couplings: u64,
}

/// Why a snapshot is not valid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Untrue {
    /// The line is not a leaf in its only valid form.
    #[error("the line is not a device in the form of a leaf")]
    NoLeaf,
    /// Leaves are out of order, or one is repeated.
    #[error("the device {0} is out of order or repeated")]
    Order(String),
    /// The verdict does not follow.
    #[error("the verdict {1} on the device {0} does not follow from its category and its last frame")]
    Verdict(String, &'static str),
    /// A member of the header differs from what follows from the header and the leaves.
    #[error("the header states {what} = {said}, but it must be {found}")]
    Header {
        what: &'static str,
        said: String,
        /// The value that follows.
        found: String,
    },
}

fn same<T: PartialEq + std::fmt::Display>(what: &'static str, said: T, found: T) -> Result<(), Untrue> {
    if said == found {
        return Ok(());
    }
    Err(Untrue::Header { what, said: said.to_string(), found: found.to_string() })
}

impl Tally {
    /// Adds the next leaf; its line is `line`.
    ///
    /// # Errors
    /// [`Untrue::Order`].
    pub fn push(&mut self, leaf: &Leaf, line: &str) -> Result<(), Untrue> {
        if self.last.as_deref().is_some_and(|last| last >= leaf.id.as_str()) {
            return Err(Untrue::Order(leaf.id.clone()));
        }
        self.tree.push(Leaf::hash(line));
        match leaf.verdict {
            Verdict::CountedNetwork => self.network += 1,
            Verdict::CountedIot => self.iot += 1,
            other => *self.excluded.entry(other.id().to_owned()).or_default() += 1,
        }
        self.couplings = self.couplings.saturating_add(leaf.couplings);
        match &mut self.last {
            Some(last) => last.clone_from(&leaf.id),
            None => self.last = Some(leaf.id.clone()),
        }
        Ok(())
    }

    /// Adds the leaf of the next line, of a snapshot with that header.
    ///
    /// # Errors
    /// [`Untrue`], for the first check that fails.
    pub fn check(&mut self, line: &str, header: &Header) -> Result<(), Untrue> {
        let leaf = Leaf::read(line).ok_or(Untrue::NoLeaf)?;
        if !leaf.follows(&header.policy, header.as_of) {
            return Err(Untrue::Verdict(leaf.id, leaf.verdict.id()));
        }
        self.push(&leaf, line)
    }

    /// The tree so far.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Checks that the header states the numbers and the root of the leaves.
    ///
    /// # Errors
    /// [`Untrue::Header`], for the first member that differs.
    pub fn agrees(&self, header: &Header) -> Result<(), Untrue> {
        same("size", header.size, self.tree.size())?;
        same("root", header.root, self.tree.root())?;
        same("census.network", header.census.network, self.network)?;
        same("census.iot", header.census.iot, self.iot)?;
        for verdict in Verdict::ALL.into_iter().filter(|v| !v.is_line() && !v.is_counted()) {
            let of = |excluded: &BTreeMap<String, u64>| excluded.get(verdict.id()).copied().unwrap_or(0);
            same(verdict.id(), of(&header.census.excluded), of(&self.excluded))?;
        }
        let of_lines: u64 = header.lines().sum();
        same(
            "census.strict_couplings",
            header.census.strict_couplings,
            self.couplings.saturating_add(of_lines),
        )
    }
}

impl Header {
    /// Couplings that do not belong to a device: X-VIRT, X-PUB and X-ROUTED.
    fn lines(&self) -> impl Iterator<Item = u64> {
        Verdict::ALL
            .into_iter()
            .filter(|v| v.is_line())
            .filter_map(|v| self.census.excluded.get(v.id()).copied())
    }

    /// Checks that the header is consistent: bounds of the day, sums, rounding.
    ///
    /// # Errors
    /// [`Untrue::Header`], for the first member that differs.
    pub fn is_consistent(&self) -> Result<(), Untrue> {
        let c = &self.census;
        let schema = if self.trails.is_some() { SNAPSHOT_SCHEMA } else { WITHOUT_TRAILS };
        same("schema", self.schema.as_str(), schema)?;
        same("as_of", self.as_of, self.day.end())?;
        same("previous", self.previous.is_some(), self.number > 1)?;
        same("number", self.number, self.number.max(1))?;
        same("known_until", self.known_until, self.known_until.max(self.as_of))?;
        same("census.billable", c.billable, c.network.saturating_add(c.iot))?;
        same("census.commitment", c.commitment, commitment(c.billable))?;
        let of_devices = Verdict::ALL.into_iter().filter(|v| !v.is_line() && !v.is_counted());
        let devices: u64 = of_devices.filter_map(|v| c.excluded.get(v.id())).sum();
        same("size", self.size, c.billable.saturating_add(devices))?;
        let is_known = |id: &&String| Verdict::ALL.iter().any(|v| v.id() == id.as_str() && !v.is_counted());
        let unknown = c.excluded.keys().find(|id| !is_known(id)).map_or("", String::as_str);
        same("census.excluded", unknown, "")?;
        let idle_zeros = c.excluded.values().filter(|n| **n == 0).count();
        same("census.excluded zeros", idle_zeros, 0)
    }
}
