//! The census rules as pages, rendered from `docs/rules.md`, and rule ids as links to them.

use std::ops::Range;

use askama::Template;
use axum::response::Response;
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd, html};

use super::page::{Frame, PageError, render};
use crate::plan::app::Refusal;
use crate::plan::http::extract::Path;
use crate::rulebook::{self, Rule};

#[derive(Template)]
#[template(path = "rule.html")]
struct RulePage {
    frame: Frame,
    rule: &'static Rule,
    html: String,
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    frame: Frame,
    sections: Vec<Section>,
}

struct Section {
    rule: &'static Rule,
    html: String,
    rules: Vec<&'static Rule>,
}

/// All rules, section by section.
pub(super) async fn list() -> Response {
    let sections = rulebook::rules().iter().filter(|r| r.is_section()).map(|rule| Section {
        rule,
        html: rendered(rule.summary()),
        rules: rulebook::rules().iter().filter(|r| r.section == rule.id && !r.is_section()).collect(),
    });
    render(&RulesPage { frame: Frame::plain("Census rules", ""), sections: sections.collect() })
}

/// One rule, or one section.
pub(super) async fn show(Path(id): Path<String>) -> Result<Response, PageError> {
    let rule = rulebook::find(&id).map_err(|_| Refusal::hidden("rule", &id))?;
    let title = if rule.is_section() { rule.title.to_owned() } else { format!("{} {}", rule.id, rule.title) };
    Ok(render(&RulePage { frame: Frame::plain(&title, ""), rule, html: rendered(rule.text) }))
}

/// HTML of a text, escaped, in which each rule id is a link.
pub(super) fn linked(text: impl AsRef<str>) -> String {
    let mut out = String::new();
    html::push_html(&mut out, with_links(text.as_ref()).into_iter());
    out
}

/// HTML of a rule's Markdown. Raw HTML in it is escaped, and links to files are left out: their text stays.
fn rendered(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).flat_map(|event| -> Vec<Event<'_>> {
        match event {
            Event::Text(text) => with_links(&text),
            Event::Html(text) | Event::InlineHtml(text) => vec![Event::Text(text)],
            Event::Start(Tag::Link { .. }) | Event::End(TagEnd::Link) => vec![],
            Event::Start(Tag::Table(_)) => vec![Event::Html(SCROLL.into()), event],
            Event::End(TagEnd::Table) => vec![event, Event::Html("</div>".into())],
            other => vec![other],
        }
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

/// A table scrolls by itself on a narrow screen.
const SCROLL: &str = "<div class=\"scroll\" role=\"region\" aria-label=\"Table\" tabindex=\"0\">";

/// A text cut into what stands between rule ids, and links around the ids.
fn with_links(text: &str) -> Vec<Event<'static>> {
    let part = |range: Range<usize>| Event::Text(text.get(range).unwrap_or_default().to_owned().into());
    let mut events = Vec::new();
    let mut end = 0;
    for (place, rule) in rulebook::citations(text) {
        let link = Tag::Link {
            link_type: LinkType::Inline,
            dest_url: format!("/rules/{}", rule.id).into(),
            title: "".into(),
            id: "".into(),
        };
        events.extend([part(end..place.start), Event::Start(link), part(place.clone())]);
        events.push(Event::End(TagEnd::Link));
        end = place.end;
    }
    events.push(part(end..text.len()));
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_a_text_become_links_and_all_else_is_escaped() {
        let html = linked("<b>held</b> (I11), X-CM & \"more\"");
        let expected = "&lt;b&gt;held&lt;/b&gt; (<a href=\"/rules/I11\">I11</a>), \
                        <a href=\"/rules/X-CM\">X-CM</a> &amp; \"more\"";
        assert_eq!(html, expected);
    }

    #[test]
    fn every_rule_renders_without_markup_that_the_policy_forbids() {
        for rule in rulebook::rules() {
            let html = rendered(rule.text);
            for forbidden in ["style=", "<script", "<h1", "**", "| ---", "english.md"] {
                assert!(!html.contains(forbidden), "{}: {forbidden} in {html}", rule.id);
            }
        }
        assert!(rendered("<script>x</script>\n\na [b](c.md) `d`").contains("&lt;script&gt;"));
    }
}
