//! The Merkle tree of RFC 6962 §2.1 over lines: SHA-256, with 0x00 before a leaf and 0x01 before a node, so a leaf cannot
//! be taken for a node.
//!
//! A path proves that a leaf is at an index of a tree with a given root and size. The path of an ordinary leaf also fits
//! trees of other sizes. The path of the **last** leaf fits only one size, so a proof of one device carries both paths.

use sha2::{Digest as _, Sha256};

use super::digest::Digest;

/// The hash of a leaf.
pub(crate) fn leaf_hash(leaf: &[u8]) -> Digest {
    Digest(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
}

/// The hash of a node.
fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// A tree that grows leaf by leaf. Its memory is proportional to its height.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Roots of complete subtrees, the largest first: one for each 1 in the binary form of `size`.
    roots: Vec<Digest>,
    size: u64,
}

impl Tree {
    /// Adds the next leaf by its hash.
    pub fn push(&mut self, leaf: Digest) {
        let mut node = leaf;
        // Each trailing 1 of the old size is a complete subtree as large as `node`.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.roots.push(node);
        self.size = self.size.saturating_add(1);
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root; without leaves, the hash of the empty string.
    pub fn root(&self) -> Digest {
        let mut roots = self.roots.iter().rev();
        match roots.next() {
            Some(last) => roots.fold(*last, |right, left| node_hash(left, &right)),
            None => Digest::of(&[]),
        }
    }
}

impl FromIterator<Digest> for Tree {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }
}

/// The path of the leaf at `index`, from below; empty if `leaves` has no such index.
pub(crate) fn path(index: usize, leaves: &[Digest]) -> Vec<Digest> {
    let mut out = Vec::new();
    let (mut index, mut rest) = (index, leaves);
    while rest.len() > 1 && index < rest.len() {
        // The largest power of two below the number of leaves.
        let middle = rest.len().next_power_of_two() / 2;
        let (left, right) = rest.split_at(middle);
        let root = |leaves: &[Digest]| leaves.iter().copied().collect::<Tree>().root();
        if index < middle {
            out.push(root(right));
            rest = left;
        } else {
            out.push(root(left));
            (index, rest) = (index - middle, right);
        }
    }
    out.reverse();
    out
}

/// Whether `path` leads from the leaf at `index` of a tree of `size` leaves to its `root` (RFC 9162 §2.1.3.2).
pub(crate) fn is_included(leaf: &Digest, index: u64, size: u64, path: &[Digest], root: &Digest) -> bool {
    let Some(last) = size.checked_sub(1).filter(|last| index <= *last) else { return false };
    let (mut place, mut last, mut hash) = (index, last, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                (place, last) = (place >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// HMAC-SHA256 under a key of 32 zero bytes (RFC 2104).
    fn hmac(message: &[u8]) -> [u8; 32] {
        let inner: [u8; 32] = Sha256::new().chain_update([0x36; 64]).chain_update(message).finalize().into();
        Sha256::new().chain_update([0x5c; 64]).chain_update(inner).finalize().into()
    }

    fn golden() -> Vec<Vec<u8>> {
        let leaf = |name: String, kind: u8| [&hmac(name.as_bytes())[..], &[kind]].concat();
        let mut leaves: Vec<Vec<u8>> = (0..473).map(|i| leaf(format!("net{i}"), b'N')).collect();
        leaves.extend((0..1206).map(|i| leaf(format!("iot{i}"), b'I')));
        leaves.sort();
        leaves
    }

    #[test]
    fn the_golden_root_of_473_and_1206_leaves() {
        let hashes: Vec<Digest> = golden().iter().map(|l| leaf_hash(l)).collect();
        let tree: Tree = hashes.iter().copied().collect();
        assert_eq!(tree.size(), 1679);
        assert_eq!(STANDARD.encode(tree.root().0), GOLDEN);
        let place = 1000;
        let path = path(place, &hashes);
        assert_eq!(path.len(), 11);
        assert!(is_included(&hashes[place], 1000, 1679, &path, &tree.root()));
        assert!(!is_included(&hashes[place], 1001, 1679, &path, &tree.root()));
    }

    /// The root by an independent implementation.
    const GOLDEN: &str = "5nOdF0fq3P0f0/1sgPG7w7MnjntDx8fIQ5Zt5YJP5aM=";

    #[test]
    fn the_last_leafs_path_pins_the_size_and_others_do_not() {
        let mut ambiguous = 0;
        for size in 1..66_usize {
            let hashes: Vec<Digest> = (0..size).map(|n| leaf_hash(format!("{n:05}").as_bytes())).collect();
            let root = hashes.iter().copied().collect::<Tree>().root();
            for index in 0..size {
                let path = path(index, &hashes);
                let fits =
                    |other: usize| is_included(&hashes[index], index as u64, other as u64, &path, &root);
                assert!(fits(size));
                if index + 1 == size {
                    assert!((1..2 * size + 2).all(|other| other == size || !fits(other)), "{size}");
                } else {
                    ambiguous += (1..2 * size + 2).filter(|other| *other != size && fits(*other)).count();
                }
            }
        }
        assert!(ambiguous > 0, "why a proof carries both paths");
    }

    #[test]
    fn a_leaf_is_not_a_node_and_the_empty_tree_has_a_root() {
        assert_eq!(Tree::default().root(), Digest::of(b""));
        let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let node = [&a.0[..], &b.0[..]].concat();
        assert_ne!([a, b].into_iter().collect::<Tree>().root(), leaf_hash(&node));
        assert!(!is_included(&a, 0, 0, &[], &a));
        assert!(is_included(&a, 0, 1, &[], &a));
    }
}
