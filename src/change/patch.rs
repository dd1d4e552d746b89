//! Properties that a person sets on devices: a JSON merge patch (RFC 7396). Omitted members stay, null takes back.

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::refusal::ChangeRefusal;
use crate::census::{Category, Importance, Property, Ruling};
use crate::classify::Taxonomy;

/// Characters of a name or a location.
pub(crate) const TEXT: usize = 100;
/// Characters of a tag.
pub(crate) const TAG: usize = 40;
/// Tags of a device.
pub(crate) const TAGS: usize = 20;

/// Properties to set on devices.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Patch {
    /// The name, 1 to 100 characters.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    /// A type of the taxonomy. It brings its category, unless `category` is set as well.
    #[serde(rename = "type", deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Option<String>>,
    /// `network`, `iot`, `computer_mobile` or `unclassified`.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub category: Option<Option<String>>,
    /// The location, 1 to 100 characters.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub location: Option<Option<String>>,
    /// At most 20 tags of 1 to 40 characters.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Option<Option<Vec<String>>>,
    /// Tags to add to those that each device has. Not together with `tags`.
    pub add_tags: Vec<String>,
    /// Tags to take from those that each device has; upper and lower case are the same. Not together with `tags`.
    pub remove_tags: Vec<String>,
    /// `low`, `normal` or `high`.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub importance: Option<Option<String>>,
}

/// Distinguishes null from an omitted member.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(input).map(Some)
}

impl Patch {
    /// The ruling to set on each property; `None` takes it back.
    ///
    /// # Errors
    /// [`ChangeRefusal::UnknownType`] and [`ChangeRefusal::BadValue`].
    pub(super) fn checked(
        &self,
        taxonomy: &Taxonomy,
    ) -> Result<Vec<(Property, Option<Ruling>)>, ChangeRefusal> {
        let mut out = Vec::new();
        if let Some(name) = &self.name {
            let name = name.as_deref().map(|t| text("name", t, TEXT)).transpose()?;
            out.push((Property::Name, name.map(Ruling::Name)));
        }
        if let Some(location) = &self.location {
            let location = location.as_deref().map(|t| text("location", t, TEXT)).transpose()?;
            out.push((Property::Location, location.map(Ruling::Location)));
        }
        if self.tags.is_some() && self.alters_tags() {
            let why = "send either 'tags', or 'add_tags' and 'remove_tags'".to_owned();
            return Err(ChangeRefusal::BadValue { property: "tags", why });
        }
        if let Some(tags) = &self.tags {
            out.push((Property::Tags, tags.as_deref().map(checked_tags).transpose()?.map(Ruling::Tags)));
        }
        if let Some(importance) = &self.importance {
            let known = |key: &String| {
                let why = || "use low, normal or high".to_owned();
                Importance::from_key(key)
                    .ok_or_else(|| ChangeRefusal::BadValue { property: "importance", why: why() })
            };
            let importance = importance.as_ref().map(known).transpose()?;
            out.push((Property::Importance, importance.map(Ruling::Importance)));
        }
        let category = match &self.category {
            None => None,
            Some(None) => Some(None),
            Some(Some(key)) => {
                let why = || "use network, iot, computer_mobile or unclassified".to_owned();
                let known = Category::from_key(key);
                Some(Some(known.ok_or_else(|| ChangeRefusal::BadValue { property: "category", why: why() })?))
            }
        };
        match &self.kind {
            None => {}
            Some(None) => out.push((Property::Type, None)),
            Some(Some(kind)) => {
                let unknown = || ChangeRefusal::UnknownType(kind.chars().take(60).collect());
                let node = taxonomy.device_type(kind).ok_or_else(unknown)?;
                out.push((
                    Property::Type,
                    Some(Ruling::Type { kind: kind.clone(), category: node.category }),
                ));
                // A type brings its category, so one that was set before is taken back.
                if category.is_none() {
                    out.push((Property::Category, None));
                }
            }
        }
        if let Some(category) = category {
            out.push((Property::Category, category.map(Ruling::Category)));
        }
        Ok(out)
    }

    /// Whether it adds tags to those of each device, or takes some of them.
    pub(super) fn alters_tags(&self) -> bool {
        !self.add_tags.is_empty() || !self.remove_tags.is_empty()
    }

    /// The ruling on the tags of a device that has `tags`; `None` if none is left.
    ///
    /// # Errors
    /// [`ChangeRefusal::BadValue`].
    pub(super) fn altered_tags(&self, tags: &[String]) -> Result<Option<Ruling>, ChangeRefusal> {
        let removed: Vec<String> = self.remove_tags.iter().map(|tag| tag.trim().to_lowercase()).collect();
        let kept = tags.iter().filter(|tag| !removed.contains(&tag.to_lowercase()));
        let has = |tag: &&String| !tags.iter().any(|known| known.to_lowercase() == tag.trim().to_lowercase());
        let tags: Vec<String> = kept.chain(self.add_tags.iter().filter(has)).cloned().collect();
        let tags = checked_tags(&tags)?;
        Ok(Some(tags).filter(|tags| !tags.is_empty()).map(Ruling::Tags))
    }
}

fn text(property: &'static str, text: &str, most: usize) -> Result<String, ChangeRefusal> {
    let text = text.trim();
    let good = !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    let why = || format!("write 1 to {most} characters without control characters, or null to take it back");
    good.then(|| text.to_owned()).ok_or_else(|| ChangeRefusal::BadValue { property, why: why() })
}

fn checked_tags(tags: &[String]) -> Result<Vec<String>, ChangeRefusal> {
    if tags.len() > TAGS {
        let why = format!("{} tags are too many; a device may have {TAGS}", tags.len());
        return Err(ChangeRefusal::BadValue { property: "tags", why });
    }
    let mut tags = tags.iter().map(|t| text("tags", t, TAG)).collect::<Result<Vec<_>, _>>()?;
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<Vec<(Property, Option<Ruling>)>, ChangeRefusal> {
        serde_json::from_str::<Patch>(json).unwrap().checked(Taxonomy::builtin())
    }

    #[test]
    fn omitted_properties_stay_and_null_takes_back() {
        assert_eq!(checked("{}"), Ok(vec![]));
        assert_eq!(checked(r#"{"name": null}"#), Ok(vec![(Property::Name, None)]));
        let set = vec![(Property::Name, Some(Ruling::Name("Lobby".into())))];
        assert_eq!(checked(r#"{"name": " Lobby "}"#), Ok(set));
        assert!(serde_json::from_str::<Patch>(r#"{"nmae": "x"}"#).is_err());
    }

    #[test]
    fn a_type_brings_its_category_unless_one_is_given() {
        let camera = Some(Ruling::Type { kind: "camera".into(), category: Category::Iot });
        let alone = vec![(Property::Type, camera.clone()), (Property::Category, None)];
        assert_eq!(checked(r#"{"type": "camera"}"#), Ok(alone));
        let given = Some(Ruling::Category(Category::Network));
        let both = vec![(Property::Type, camera), (Property::Category, given)];
        assert_eq!(checked(r#"{"type": "camera", "category": "network"}"#), Ok(both));
    }

    #[test]
    fn tags_are_added_to_those_of_the_device_and_taken_from_them_in_any_case() {
        let altered = |json: &str, tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            serde_json::from_str::<Patch>(json).unwrap().altered_tags(&tags)
        };
        let tags = |tags: &[&str]| Ok(Some(Ruling::Tags(tags.iter().map(|tag| (*tag).to_owned()).collect())));
        assert_eq!(altered(r#"{"add_tags": ["roof", "Lab"]}"#, &["lab", "a"]), tags(&["a", "lab", "roof"]));
        assert_eq!(
            altered(r#"{"add_tags": ["b"], "remove_tags": ["LAB"]}"#, &["lab", "a"]),
            tags(&["a", "b"])
        );
        assert_eq!(altered(r#"{"remove_tags": ["lab"]}"#, &["Lab"]), Ok(None));
        let full: Vec<String> = (0..20).map(|n| format!("tag {n}")).collect();
        let full: Vec<&str> = full.iter().map(String::as_str).collect();
        assert!(matches!(
            altered(r#"{"add_tags": ["one more"]}"#, &full),
            Err(ChangeRefusal::BadValue { .. })
        ));
        assert!(matches!(
            checked(r#"{"tags": ["a"], "add_tags": ["b"]}"#),
            Err(ChangeRefusal::BadValue { property: "tags", .. })
        ));
    }

    #[test]
    fn what_cannot_be_set_is_refused_with_what_can() {
        assert_eq!(checked(r#"{"type": "toaster9"}"#), Err(ChangeRefusal::UnknownType("toaster9".into())));
        assert!(
            matches!(checked(r#"{"type": "iot"}"#), Err(ChangeRefusal::UnknownType(_))),
            "a category is not a type"
        );
        for (property, json) in [
            ("name", r#"{"name": ""}"#.to_owned()),
            ("name", r#"{"name": "a\u0007b"}"#.to_owned()),
            ("location", format!(r#"{{"location": "{}"}}"#, "x".repeat(101))),
            ("importance", r#"{"importance": "huge"}"#.to_owned()),
            ("category", r#"{"category": "toys"}"#.to_owned()),
            ("tags", r#"{"tags": [""]}"#.to_owned()),
            ("tags", format!(r#"{{"tags": [{}"z"]}}"#, r#""a","#.repeat(20))),
        ] {
            assert!(
                matches!(checked(&json), Err(ChangeRefusal::BadValue { property: p, .. }) if p == property),
                "{json}"
            );
        }
    }
}
