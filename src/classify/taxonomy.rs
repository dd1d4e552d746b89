//! The taxonomy: a tree of categories and types. Rules can only use its keys.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::error::{Place, RuleError, syntax};
use crate::census::Category;

/// The index of a node in the taxonomy.
pub(super) type NodeId = usize;

/// All categories and types. Parents come before their children.
#[derive(Clone, Debug, Default)]
pub struct Taxonomy {
    nodes: Vec<Node>,
    by_key: HashMap<String, NodeId>,
}

/// A category or a type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// The name in documents, rules and the API.
    pub key: String,
    pub title: String,
    pub category: Category,
    /// `None` for a category.
    pub(super) parent: Option<NodeId>,
    /// The catch-all type: reported instead of this node if no deeper one is supported. Each category has one.
    other: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    schema: u32,
    category: Vec<toml::Spanned<CategorySource>>,
    #[serde(rename = "type")]
    types: Vec<toml::Spanned<TypeSource>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CategorySource {
    key: String,
    title: String,
    other: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeSource {
    key: String,
    parent: String,
    title: String,
    other: Option<String>,
}

impl Taxonomy {
    /// The compiled-in taxonomy. There is no other: packs cannot add types.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Taxonomy> = LazyLock::new(|| {
            let text = include_str!("../../config/taxonomy.toml");
            // This crate's tests parse it.
            Taxonomy::parse("taxonomy.toml", text).unwrap_or_default()
        });
        &BUILTIN
    }

    /// The type with this key; `None` for the key of a category.
    pub fn device_type(&self, key: &str) -> Option<&Node> {
        self.get(key).filter(|node| node.parent.is_some())
    }

    pub(super) fn parse(file: &str, text: &str) -> Result<Self, RuleError> {
        let source: Source = toml::from_str(text).map_err(|e| syntax(file, text, &e))?;
        let bad = |offset, reason| RuleError::Syntax { place: Place::new(file, text, offset), reason };
        if source.schema != 1 {
            return Err(bad(0, format!("schema {} is not supported; write schema = 1", source.schema)));
        }
        let mut taxonomy = Self { nodes: Vec::new(), by_key: HashMap::new() };
        for entry in source.category {
            let at = entry.span().start;
            let c = entry.into_inner();
            let category =
                Category::from_key(&c.key).filter(|c| *c != Category::Unclassified).ok_or_else(|| {
                    bad(at, format!("'{}' is not a category; use network, iot or computer_mobile", c.key))
                })?;
            let node = Node { key: c.key, title: c.title, category, parent: None, other: Some(c.other) };
            taxonomy.add(node).map_err(|reason| bad(at, reason))?;
        }
        for entry in source.types {
            let at = entry.span().start;
            let t = entry.into_inner();
            let parent = taxonomy.find(&t.parent).ok_or_else(|| {
                bad(at, format!("the parent '{}' of '{}' is not defined before it", t.parent, t.key))
            })?;
            let Some(category) = taxonomy.node(parent).map(|n| n.category) else { continue };
            let node = Node { key: t.key, title: t.title, category, parent: Some(parent), other: t.other };
            taxonomy.add(node).map_err(|reason| bad(at, reason))?;
        }
        for node in &taxonomy.nodes {
            if let Some(other) = &node.other
                && taxonomy.find(other).and_then(|n| taxonomy.node(n)).map(|n| n.category)
                    != Some(node.category)
            {
                return Err(bad(
                    0,
                    format!(
                        "'{other}', the catch-all type of '{}', is not a type of its category; add it",
                        node.key
                    ),
                ));
            }
        }
        Ok(taxonomy)
    }

    fn add(&mut self, node: Node) -> Result<(), String> {
        if self.by_key.insert(node.key.clone(), self.nodes.len()).is_some() {
            return Err(format!("'{}' is defined twice; remove one", node.key));
        }
        self.nodes.push(node);
        Ok(())
    }

    /// Categories first, parents before children.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.node(self.find(key)?)
    }

    /// The title of a category or type; the key itself if it is unknown.
    pub fn title<'a>(&'a self, key: &'a str) -> &'a str {
        self.get(key).map_or(key, |n| &n.title)
    }

    pub(super) fn find(&self, key: &str) -> Option<NodeId> {
        self.by_key.get(key).copied()
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// The type to report for a node: its catch-all type, or itself.
    pub(super) fn kind(&self, id: NodeId) -> Option<&str> {
        let node = self.node(id)?;
        Some(node.other.as_deref().unwrap_or(&node.key))
    }

    /// The node directly above; `None` for a category.
    pub(super) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id)?.parent
    }

    /// A node and everything above it.
    pub(super) fn lineage(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(id), |id| self.node(*id)?.parent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_category_has_the_catch_all_type_that_the_census_names() {
        let taxonomy = Taxonomy::builtin();
        let categories = Category::ALL.into_iter().filter(|c| *c != Category::Unclassified);
        for category in categories {
            let node = taxonomy.find(category.key()).unwrap();
            assert_eq!(taxonomy.kind(node), Some(category.other_kind()));
            assert_eq!(taxonomy.device_type(category.other_kind()).map(|n| n.category), Some(category));
            assert!(taxonomy.device_type(category.key()).is_none(), "a category is not a type");
        }
    }

    #[test]
    fn a_type_whose_parent_is_missing_is_refused_with_its_line() {
        let text = "schema = 1\n[[category]]\nkey = 'iot'\ntitle = 'IoT'\nother = 'camera'\n\n[[type]]\nkey = 'camera'\nparent = 'iott'\ntitle = 'Camera'\n";
        let error = Taxonomy::parse("taxonomy.toml", text).unwrap_err().to_string();
        assert!(error.starts_with("taxonomy.toml:7:"), "{error}");
        assert!(error.contains("'iott'"), "{error}");
    }
}
