//! Which devices, as options of commands say it: a saved view, a filter, an order.

use clap::Args;

use super::failure::Failure;
use crate::census::Timestamp;
use crate::listing::Filter;
use crate::plan::app::{App, May, views};
use crate::plan::permission::View;

/// A filter of devices, and their order.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Selection {
    /// Only devices of this saved view, which 'views list' shows. Further options narrow it, or replace what it says
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// Only devices of this category: network, iot, computer_mobile or unclassified
    #[arg(long, value_name = "CATEGORY")]
    category: Option<String>,
    /// Only devices with this verdict, such as C-IOT
    #[arg(long, value_name = "ID")]
    verdict: Option<String>,
    /// Only devices of this zone
    #[arg(long, value_name = "NAME")]
    zone: Option<String>,
    /// Only devices of this type, such as camera
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only devices of this vendor
    #[arg(long, value_name = "NAME")]
    vendor: Option<String>,
    /// Only devices with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Only devices of this importance: low, normal or high
    #[arg(long, value_name = "LEVEL")]
    importance: Option<String>,
    /// Only devices that are on the managed list (true) or are not (false)
    #[arg(long, value_name = "BOOL")]
    managed: Option<String>,
    /// Only devices that match, such as 'vendor:axis counts:no seen<7d not tag:lab'. The fields are name, vendor, model,
    /// os, firmware, location, zone, tag, type, role, category, verdict, importance, counts, random, managed, ip, mac,
    /// couplings, seen and first; other words are searched in all texts (docs/query.md)
    #[arg(long, visible_alias = "search", value_name = "QUERY")]
    query: Option<String>,
    /// The column to sort by, such as last_seen; prefix with '-' to sort descending
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    sort: Option<String>,
    /// The instant at which to count, RFC 3339 [default: now]
    #[arg(long, value_name = "RFC3339")]
    as_of: Option<Timestamp>,
}

impl Selection {
    /// What the options say, on top of the view that they name.
    pub(super) async fn filter(self, app: &App, may: &May<View>) -> Result<Filter, Failure> {
        let base = match &self.view {
            Some(name) => views::filter_of(app, may, name).await?,
            None => Filter::default(),
        };
        Ok(self.on(base))
    }

    fn on(self, base: Filter) -> Filter {
        Filter {
            category: self.category.or(base.category),
            verdict: self.verdict.or(base.verdict),
            zone: self.zone.or(base.zone),
            kind: self.kind.or(base.kind),
            vendor: self.vendor.or(base.vendor),
            tag: self.tag.or(base.tag),
            importance: self.importance.or(base.importance),
            managed: self.managed.or(base.managed),
            q: both(base.q, self.query),
            sort: self.sort.or(base.sort),
            as_of: self.as_of.map(|at| at.to_string()).or(base.as_of),
            ..Filter::default()
        }
    }
}

/// A query for what matches both.
fn both(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first.filter(|q| !q.trim().is_empty()), second.filter(|q| !q.trim().is_empty())) {
        (Some(first), Some(second)) => Some(format!("({first}) ({second})")),
        (first, second) => first.or(second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_narrow_a_view_or_replace_what_it_says() {
        let view = Filter {
            category: Some("iot".to_owned()),
            q: Some("vendor:axis or vendor:bosch".to_owned()),
            sort: Some("name".to_owned()),
            ..Filter::default()
        };
        let options = Selection {
            query: Some("seen>7d".to_owned()),
            sort: Some("-last_seen".to_owned()),
            ..Selection::default()
        };
        let both = options.on(view.clone());
        assert_eq!(both.q.as_deref(), Some("(vendor:axis or vendor:bosch) (seen>7d)"));
        assert_eq!((both.category.as_deref(), both.sort.as_deref()), (Some("iot"), Some("-last_seen")));
        assert_eq!(Selection::default().on(view.clone()).q, view.q);
    }
}
