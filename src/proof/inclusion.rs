//! The proof of one device: it is, with this verdict, one of exactly as many devices as the header states.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::digest::Digest;
use super::fault::Fault;
use super::header::Header;
use super::key::{PublicKey, Signature};
use super::leaf::Leaf;
use super::signer::TrustedSigner;
use super::tally::Untrue;
use super::tree::{is_included, path};

pub(crate) const PROOF_SCHEMA: &str = "netcensus.proof/1";

/// The proof as a document: one line of compact JSON with these members in this order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    pub schema: String,
    #[schema(value_type = String)]
    pub key: PublicKey,
    pub header: Header,
    #[schema(value_type = String)]
    pub signature: Signature,
    pub device: LeafPlace,
    /// The last leaf. Its path fits only one size of tree, which the device's path does not.
    pub last: LeafPlace,
}

/// A leaf with its path to the root.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LeafPlace {
    /// Its index among the leaves, from 0.
    pub index: u64,
    pub leaf: Leaf,
    /// The sibling hashes on the way to the root, from below.
    #[schema(value_type = Vec<String>)]
    pub path: Vec<Digest>,
}

impl LeafPlace {
    /// The place of `leaf` at `index` among the hashes of all leaves.
    pub fn new(leaf: Leaf, index: usize, hashes: &[Digest]) -> Self {
        Self { index: index as u64, leaf, path: path(index, hashes) }
    }

    fn check(&self, header: &Header) -> Result<(), Fault> {
        let line = self.leaf.line().map_err(|_| Fault::Form)?;
        if !self.leaf.follows(&header.policy, header.as_of) {
            return Err(Untrue::Verdict(self.leaf.id.clone(), self.leaf.verdict.id()).into());
        }
        let hash = Leaf::hash(&line);
        if is_included(&hash, self.index, header.size, &self.path, &header.root) {
            return Ok(());
        }
        Err(Fault::Path(self.leaf.id.clone()))
    }
}

impl Inclusion {
    /// Checks a document: form, signature and header, and that both leaves lead to the root.
    ///
    /// # Errors
    /// [`Fault`], for the first check that fails.
    pub fn verify(text: &str, trust: &TrustedSigner) -> Result<Self, Fault> {
        let line = text.strip_suffix('\n').ok_or(Fault::Form)?;
        let proof: Self = serde_json::from_str(line).map_err(|_| Fault::Form)?;
        if proof.schema != PROOF_SCHEMA || serde_json::to_string(&proof).ok().as_deref() != Some(line) {
            return Err(Fault::Form);
        }
        trust.accepts(&proof.key)?;
        let signed = proof.header.signed_form().map_err(|_| Fault::Form)?;
        if !proof.key.signed(signed.as_bytes(), &proof.signature) {
            return Err(Fault::Signature);
        }
        proof.header.is_consistent()?;
        proof.device.check(&proof.header)?;
        proof.last.check(&proof.header)?;
        if proof.last.index.checked_add(1) != Some(proof.header.size) {
            return Err(Fault::NotLast);
        }
        Ok(proof)
    }
}
