//! Which devices are in a list.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::column::{BadColumn, Sort, SortKey};
use super::cursor::{BadCursor, Cursor};
use super::error::{BadFilter, BadList};
use super::query::{BadQuery, Candidate, Expression, Query};
use super::rows::Rows;
use crate::census::{Category, DeviceDecisions, DeviceId, Importance, Timestamp, Verdict};
use crate::wire::DeviceRow;

/// Which devices, in what order, and which page of them. Empty values count as omitted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams, Serialize)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// `network`, `iot`, `computer_mobile` or `unclassified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// A verdict's id, such as `C-IOT` or `X-IDLE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// A zone's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// A type of the taxonomy.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[param(rename = "type")]
    pub kind: Option<String>,
    /// A vendor; upper and lower case are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// A tag that people set; upper and lower case are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// `low`, `normal` or `high`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance: Option<String>,
    /// `true`: those that the managed list names; `false`: those that it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed: Option<String>,
    /// A query (docs/query.md): `vendor:axis counts:no seen<7d`, or words, each a part of an address, MAC, name, vendor,
    /// model, system, type, tag, location or zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// A column such as `last_seen`; prefix with `-` to sort descending. Default: `ip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// The `next` of the previous page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The `previous` of the next page. Of `after`, `before`, `skip` and `from`, send one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// How many devices to pass over, to jump to a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: Option<usize>,
    /// Where to jump in a list that is sorted by a text: to the first device whose text begins so or comes later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Devices on the page, at most 1000. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The instant of the verdicts, RFC 3339. Default: the instant of the first page, or of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// The most devices that a page can pass over: more than a subscription has.
const SKIPPED: usize = 100_000_000;

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|t| !t.is_empty())
}

fn known<T: Copy>(
    parameter: &'static str,
    value: &Option<String>,
    all: &[T],
    key: impl Fn(T) -> &'static str,
) -> Result<Option<T>, BadFilter> {
    let Some(value) = given(value) else { return Ok(None) };
    match all.iter().find(|t| key(**t) == value) {
        Some(found) => Ok(Some(*found)),
        None => Err(BadFilter::Unknown {
            parameter,
            value: value.chars().take(40).collect(),
            known: all.iter().map(|t| key(*t)).collect::<Vec<_>>().join(", "),
        }),
    }
}

impl Filter {
    /// The requested order.
    ///
    /// # Errors
    /// If lists cannot be sorted so.
    pub(crate) fn order(&self) -> Result<Sort, BadColumn> {
        given(&self.sort).map_or_else(|| Ok(Sort::default()), str::parse)
    }

    /// Checks everything that a list needs but a cursor.
    ///
    /// # Errors
    /// With what cannot be read.
    pub(crate) fn check(&self) -> Result<(), BadList> {
        self.order()?;
        self.instant()?;
        Matcher::new(self, Timestamp(0))?;
        Ok(())
    }

    /// The query that was sent; about all devices if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn query(&self) -> Result<Query, BadQuery> {
        Query::parse(self.q.as_deref().unwrap_or_default())
    }

    /// The cursor that was sent.
    ///
    /// # Errors
    /// If it belongs to another list.
    fn cursor(&self) -> Result<Option<Cursor<'static>>, BadCursor> {
        let text = given(&self.after).or_else(|| given(&self.before));
        text.map(|text| Cursor::read(text, &self.fingerprint())).transpose()
    }

    /// Where the requested page begins or ends.
    ///
    /// # Errors
    /// If a cursor belongs to another list, if there are several places, or if the order has no texts.
    pub(super) fn place(&self, sort: Sort) -> Result<Place<'_>, BadList> {
        let from = given(&self.from);
        let places = [given(&self.after), given(&self.before), from, self.skip.map(|_| "")];
        if places.into_iter().flatten().count() > 1 {
            return Err(BadCursor::Several.into());
        }
        if let Some(from) = from {
            return Ok(Place::From(sort.key_of(from)?));
        }
        let Some(Cursor { key, id, .. }) = self.cursor()? else {
            return Ok(Place::Skip(self.skip.unwrap_or_default().min(SKIPPED)));
        };
        let id = id.parse().map_err(|_| BadCursor::Unreadable)?;
        Ok(if given(&self.before).is_some() { Place::Before(key, id) } else { Place::After(key, id) })
    }

    /// The cursor of a device.
    pub(super) fn cursor_of(&self, sort: Sort, as_of: Timestamp, key: SortKey<'_>, id: DeviceId) -> String {
        Cursor { list: self.fingerprint(), sort: sort.key_text(), as_of, key, id: id.to_string() }.write()
    }

    /// The requested instant, or else that of the previous page.
    ///
    /// # Errors
    /// If the instant cannot be read, or the cursor belongs to another list.
    pub(crate) fn instant(&self) -> Result<Option<Timestamp>, BadList> {
        let asked = given(&self.as_of).map(str::parse).transpose().map_err(BadFilter::from)?;
        let of_page = self.cursor()?.map(|c| c.as_of);
        match (asked, of_page) {
            (Some(asked), Some(of_page)) if asked != of_page => Err(BadCursor::OtherList.into()),
            _ => Ok(asked.or(of_page)),
        }
    }

    /// Whether the filter itself names the instant.
    pub(crate) fn names_instant(&self) -> bool {
        given(&self.as_of).is_some()
    }

    /// The whole list from its first device, for a file.
    #[must_use]
    pub(crate) fn whole(&self) -> Self {
        Self { after: None, before: None, skip: None, from: None, limit: None, ..self.clone() }
    }

    /// Identifies the list: the same for all of its pages.
    fn fingerprint(&self) -> String {
        let list = Self { as_of: None, ..self.whole() };
        let json = serde_json::to_vec(&list).unwrap_or_default();
        hex::encode(Sha256::digest(&json).get(..8).unwrap_or_default())
    }
}

/// Where a page begins or ends.
pub(super) enum Place<'f> {
    /// It has the devices after this one.
    After(SortKey<'f>, DeviceId),
    /// It has the devices before this one.
    Before(SortKey<'f>, DeviceId),
    /// It begins with the first device of that key or a later one.
    From(SortKey<'f>),
    /// It begins after that many devices.
    Skip(usize),
}

/// A filter that was read.
pub(super) struct Matcher<'f> {
    category: Option<Category>,
    verdict: Option<Verdict>,
    zone: Option<&'f str>,
    kind: Option<&'f str>,
    vendor: Option<String>,
    tag: Option<String>,
    importance: Option<Importance>,
    managed: Option<bool>,
    /// Words that the text of each match has.
    words: Vec<String>,
    /// The other conditions of the query.
    conditions: Vec<Expression>,
    /// The instant of the list.
    as_of: Timestamp,
}

impl<'f> Matcher<'f> {
    /// For a list at `as_of`, to which the instants of the query are relative.
    pub(super) fn new(filter: &'f Filter, as_of: Timestamp) -> Result<Self, BadFilter> {
        let (words, conditions) = filter.query()?.split();
        let devices: Vec<Verdict> = Verdict::ALL.into_iter().filter(|v| !v.is_line()).collect();
        Ok(Self {
            category: known("category", &filter.category, &Category::ALL, Category::key)?,
            verdict: known("verdict", &filter.verdict, &devices, Verdict::id)?,
            zone: given(&filter.zone),
            kind: given(&filter.kind),
            vendor: given(&filter.vendor).map(str::to_lowercase),
            tag: given(&filter.tag).map(str::to_lowercase),
            importance: known("importance", &filter.importance, &Importance::ALL, Importance::key)?,
            managed: known("managed", &filter.managed, &[true, false], |b| if b { "true" } else { "false" })?,
            words,
            conditions,
            as_of,
        })
    }

    /// Places of the devices of a zone that match.
    pub(super) fn places<'s, 'v: 's>(
        &'s self,
        rows: &'v Rows,
    ) -> impl Iterator<Item = (usize, &'v DeviceRow)> + use<'s, 'v, 'f> {
        let is_here = self.zone.is_none_or(|zone| rows.zone().is_none_or(|name| name == zone));
        let searches = !self.words.is_empty();
        let all = if is_here && !searches { rows.len() } else { 0 };
        let found = (is_here && searches).then(|| rows.having(&self.words));
        (0..all)
            .chain(found.into_iter().flatten())
            .filter_map(|place| Some((place, rows.get(place)?)))
            .filter(|(place, row)| self.matches(row) && self.meets(rows, *place, row))
    }

    /// Whether the device meets the conditions of the query.
    fn meets(&self, rows: &Rows, place: usize, row: &DeviceRow) -> bool {
        if self.conditions.is_empty() {
            return true;
        }
        let device = Candidate { row, rows, place, as_of: self.as_of };
        self.conditions.iter().all(|condition| condition.matches(device))
    }

    /// Whether a device that has the words matches.
    fn matches(&self, d: &DeviceRow) -> bool {
        let (what, decided) = (&*d.what, d.decided.as_deref());
        let importance = || decided.and_then(DeviceDecisions::importance).unwrap_or_default();
        let tags = || decided.into_iter().flat_map(DeviceDecisions::tags);
        self.category.is_none_or(|c| what.category == c)
            && self.verdict.is_none_or(|v| d.verdict == v)
            && self.kind.is_none_or(|k| *what.kind == *k)
            && self
                .vendor
                .as_ref()
                .is_none_or(|v| what.vendor.as_ref().is_some_and(|of| of.to_lowercase() == *v))
            && self.tag.as_ref().is_none_or(|t| tags().any(|tag| tag.to_lowercase() == *t))
            && self.importance.is_none_or(|i| importance() == i)
            && self.managed.is_none_or(|m| decided.is_some_and(|d| d.managed.is_some()) == m)
    }
}
