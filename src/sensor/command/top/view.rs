//! Draws a state: a pure function. Every text from outside goes through [`harmless`].

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row as Cells, Table, TableState};

use super::scene::{Row, Scene};
use super::state::TopState;
use crate::census::{Category, Timestamp, Verdict};
use crate::cli::terminal::safe;

/// The longest text that is drawn, in characters.
const CHARS: usize = 200;
/// The widest column of addresses; the line of the selected device shows a longer one whole.
const ADDRESS: usize = 25;
/// Lines that tell why the selected device is what it is.
const WHY: u16 = 5;

pub(super) fn view(state: &TopState, frame: &mut Frame<'_>) {
    let warnings = warnings(state);
    let height = u16::try_from(warnings.len()).unwrap_or(u16::MAX);
    let [head, warn, title, table, why, help] = Layout::vertical([
        Constraint::Length(5),
        Constraint::Length(height),
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(WHY),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(numbers(state)), head);
    frame.render_widget(Paragraph::new(warnings), warn);
    devices(state, frame, title, table, why);
    frame.render_widget(Paragraph::new(keys(state)), help);
}

/// The lines of a drawn page as plain text.
pub(super) fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width).max(1);
    buffer
        .content
        .chunks(width)
        .map(|row| {
            // The cell after a wide character is empty.
            let mut skip = 0;
            let mut line = String::new();
            for cell in row {
                if skip == 0 {
                    line.push_str(cell.symbol());
                    skip = Span::raw(cell.symbol()).width().max(1);
                }
                skip -= 1;
            }
            line.trim_end().to_owned()
        })
        .collect()
}

fn numbers(state: &TopState) -> Vec<Line<'static>> {
    let Scene { census, capture, .. } = &state.scene;
    let scene = &state.scene;
    let zones = scene.zones.join(", ");
    let what = format!("netcensus  zone {}  {}", harmless(&zones), harmless(&scene.source));
    let billable = Line::from(vec![
        bold(format!("{} billable", grouped(census.billable))),
        Span::raw("  = network "),
        paint(state, grouped(census.network), Category::Network),
        Span::raw(" + IoT "),
        paint(state, grouped(census.iot), Category::Iot),
        Span::raw("   commitment "),
        bold(grouped(census.commitment)),
    ]);
    let excluded = format!(
        "not counted: computers & mobile {}, unclassified {}, tentative {}, idle {}",
        grouped(scene.excluded(Verdict::ComputerMobile)),
        grouped(scene.excluded(Verdict::Unclassified)),
        grouped(scene.excluded(Verdict::Tentative)),
        grouped(scene.excluded(Verdict::Idle)),
    );
    let rate = scene.rate.map_or_else(|| "-".to_owned(), grouped);
    let traffic = format!(
        "{rate} frames/s, {} frames, {} dropped, {} malformed, {} duplicates",
        grouped(capture.frames),
        grouped(capture.dropped),
        grouped(capture.malformed),
        grouped(capture.duplicates),
    );
    let heard: Vec<String> = scene.heard.iter().map(|(p, n)| format!("{p} {}", grouped(*n))).collect();
    let heard = if heard.is_empty() { "nothing yet".to_owned() } else { heard.join("  ") };
    vec![
        Line::from(vec![bold(what), Span::raw(format!("  {}", moment(scene.as_of)))]),
        billable,
        Line::raw(excluded),
        Line::raw(traffic),
        Line::raw(format!("heard: {heard}{}", watched(scene))),
    ]
}

/// What the sensor watches for; empty if for nothing.
fn watched(scene: &Scene) -> String {
    let Some(indicators) = &scene.indicators else { return String::new() };
    let set = indicators.digest.as_deref().and_then(|digest| digest.get(..12));
    let set = set.map(|digest| format!(" (set {})", harmless(digest))).unwrap_or_default();
    format!("; watching for {} indicators{set}", grouped(indicators.total))
}

fn warnings(state: &TopState) -> Vec<Line<'static>> {
    let scene = &state.scene;
    let bound = (scene.refused > 0).then(|| {
        format!("the census is a lower bound: {} sightings refused; see doctor", grouped(scene.refused))
    });
    let dropped = (scene.capture.dropped > 0)
        .then(|| format!("{} frames dropped, so devices may be missing", grouped(scene.capture.dropped)));
    let style = if state.colour { Style::new().fg(Color::Red) } else { Style::new() };
    let style = style.add_modifier(Modifier::BOLD);
    state
        .problem
        .iter()
        .chain(&scene.problems)
        .cloned()
        .chain(bound)
        .chain(dropped)
        .take(4)
        .map(|text| Line::styled(format!("! {}", harmless(&text)), style))
        .collect()
}

fn devices(state: &TopState, frame: &mut Frame<'_>, title: Rect, table: Rect, why: Rect) {
    let rows = state.shown();
    let category = state.category.map_or("all", Category::title);
    let find =
        if state.find.is_empty() { String::new() } else { format!(", with '{}'", harmless(&state.find)) };
    let held = match state.scene.devices - state.scene.rows.len().min(state.scene.devices) {
        0 => String::new(),
        more => format!(", {} older ones not shown", grouped(more as u64)),
    };
    let text = format!(
        "-- {} of {} devices: {category}{find}, {}{held} ",
        grouped(rows.len() as u64),
        grouped(state.scene.devices as u64),
        state.sort.title()
    );
    let rule = "-".repeat(usize::from(title.width).saturating_sub(text.chars().count()));
    frame.render_widget(Paragraph::new(bold(text + &rule)), title);

    // Escape and draw only visible rows.
    let visible = usize::from(table.height).saturating_sub(1).max(1);
    let first = (state.selected + 1).saturating_sub(visible);
    let rows_seen = || rows.iter().skip(first).take(visible);
    let address = rows_seen().map(|r| r.ip.to_string().len()).max().unwrap_or(0).clamp(15, ADDRESS);
    let cells = rows_seen().map(|r| {
        let style = if state.colour { Style::new().fg(colour(r.category)) } else { Style::new() };
        Cells::new([
            r.ip.to_string(),
            harmless(&r.kind),
            harmless(&r.maker),
            harmless(&r.name),
            r.verdict.id().to_owned(),
            clock(r.first_seen),
        ])
        .style(style)
    });
    let widths = [
        Constraint::Length(u16::try_from(address).unwrap_or(0)),
        Constraint::Length(17),
        Constraint::Fill(4),
        Constraint::Fill(3),
        Constraint::Length(9),
        Constraint::Length(8),
    ];
    let header = Cells::new(["IP", "TYPE", "MAKER AND MODEL", "NAME", "VERDICT", "SINCE"]);
    let header = header.style(Style::new().add_modifier(Modifier::UNDERLINED));
    let widget = Table::new(cells, widths)
        .header(header)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut place = TableState::new().with_selected(Some(state.selected - first));
    frame.render_stateful_widget(widget, table, &mut place);
    frame.render_widget(Paragraph::new(reasons(rows.get(state.selected).copied())), why);
}

fn reasons(row: Option<&Row>) -> Vec<Line<'static>> {
    let Some(row) = row else { return vec![Line::raw(""), Line::raw("no device to show")] };
    let (ip, mac, title) = (row.ip, row.mac, row.verdict.title());
    let mut out = vec![bold(format!("{ip} {mac} {title}")).into()];
    if row.reasons.is_empty() {
        out.push(Line::raw("  no rule matches what it said"));
    }
    out.extend(row.reasons.iter().map(|r| Line::raw(format!("  {}", harmless(r)))));
    out
}

fn keys(state: &TopState) -> Line<'static> {
    if state.typing {
        return Line::raw(format!("find: {}_   Enter keep   Esc clear", harmless(&state.find)));
    }
    let pause = if state.paused { "p continue (paused)" } else { "p pause" };
    Line::raw(format!("q quit  s sort  c category  / find  Esc all  up/down select  {pause}"))
}

/// Text from the network or a file that a terminal can show: without characters that move the cursor, change the
/// direction of writing, or have no width.
fn harmless(text: &str) -> String {
    let shown = safe(text);
    let mut buffer = [0; 4];
    shown.chars().filter(|c| Span::raw(&*c.encode_utf8(&mut buffer)).width() > 0).take(CHARS).collect()
}

fn bold(text: String) -> Span<'static> {
    Span::styled(text, Style::new().add_modifier(Modifier::BOLD))
}

fn paint(state: &TopState, text: String, category: Category) -> Span<'static> {
    if state.colour { Span::styled(text, Style::new().fg(colour(category))) } else { Span::raw(text) }
}

const fn colour(category: Category) -> Color {
    match category {
        Category::Network => Color::Cyan,
        Category::Iot => Color::Green,
        Category::ComputerMobile => Color::Reset,
        Category::Unclassified => Color::Yellow,
    }
}

/// `12,345`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Date and time to the second.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    seconds.trim_end_matches('Z').replace('T', " ") + "Z"
}

/// The time of the day.
fn clock(at: Timestamp) -> String {
    moment(at).trim_end_matches('Z').chars().skip(11).collect()
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::census::Census;
    use crate::wire::CaptureSummary;

    const SECOND: i64 = 1_000_000_000;
    const NOON: i64 = 1_767_614_400 * SECOND;

    fn row(last: u8, category: Category, kind: &str, maker: &str, name: &str, verdict: Verdict) -> Row {
        let at = Timestamp(NOON - i64::from(last) * 61 * SECOND);
        Row {
            ip: [10, 2, 0, last].into(),
            mac: "00:40:8c:12:34:56".parse().unwrap(),
            category,
            kind: kind.to_owned(),
            maker: maker.to_owned(),
            name: name.to_owned(),
            verdict,
            first_seen: at,
            last_seen: at,
            reasons: vec!["It names itself a camera (90 %): mdns.service=_axis-video._tcp".to_owned()],
        }
    }

    fn scene() -> Scene {
        let excluded =
            [(Verdict::ComputerMobile, 1_204), (Verdict::Unclassified, 12), (Verdict::Tentative, 3)];
        Scene {
            source: "the running sensor".to_owned(),
            zones: vec!["office".to_owned()],
            as_of: Timestamp(NOON),
            census: Census {
                network: 131,
                iot: 1_548,
                billable: 1_679,
                commitment: 1_700,
                strict_couplings: 4_000,
                excluded: excluded.into_iter().map(|(v, n)| (v.id().to_owned(), n)).collect(),
                lower_bound: true,
            },
            capture: CaptureSummary {
                frames: 98_765_432,
                dropped: 17,
                malformed: 4,
                ..CaptureSummary::default()
            },
            rate: Some(12_345),
            refused: 2_001,
            indicators: None,
            problems: vec!["eth1: link down".to_owned()],
            heard: vec![("dhcp", 1_310), ("mdns", 400), ("lldp", 131)],
            devices: 2_898,
            rows: vec![
                row(1, Category::Iot, "camera", "Axis P3245-LV", "axis-accc8e123456", Verdict::CountedIot),
                row(2, Category::Network, "switch", "Cisco", "sw-2-1", Verdict::CountedNetwork),
                row(
                    3,
                    Category::ComputerMobile,
                    "laptop",
                    "Apple MacBook Pro",
                    "anna",
                    Verdict::ComputerMobile,
                ),
                row(
                    4,
                    Category::Unclassified,
                    "unclassified",
                    "",
                    "a\u{1b}]0;own\u{7}\u{202e}ed\u{301}",
                    Verdict::Unclassified,
                ),
                row(
                    5,
                    Category::Iot,
                    "printer",
                    "\u{6771}\u{829d} e-STUDIO",
                    "\u{30d7}\u{30ea}",
                    Verdict::CountedIot,
                ),
            ],
        }
    }

    fn draw(state: &TopState, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view(state, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    #[test]
    fn a_page_of_80_columns_and_24_lines() {
        let state = TopState { scene: scene(), colour: true, ..TopState::default() };
        insta::assert_snapshot!(lines(&draw(&state, 80, 24)).join("\n"));
    }

    #[test]
    fn hostile_texts_leave_nothing_that_a_terminal_obeys() {
        let mut scene = scene();
        scene.zones = vec!["z\u{1b}[2J\r\n".to_owned()];
        scene.problems = vec!["\u{9b}31m".to_owned()];
        let state = TopState { scene, find: "".to_owned(), ..TopState::default() };
        for (width, height) in [(80, 24), (20, 8), (1, 1), (200, 60)] {
            let buffer = draw(&state, width, height);
            for cell in &buffer.content {
                assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
                assert!(cell.symbol().chars().count() <= 1, "{:?}", cell.symbol());
            }
        }
    }

    #[test]
    fn without_colour_no_cell_has_one() {
        let state = TopState { scene: scene(), colour: false, ..TopState::default() };
        let buffer = draw(&state, 80, 24);
        assert!(buffer.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
        let coloured = draw(&TopState { scene: scene(), colour: true, ..TopState::default() }, 80, 24);
        assert!(coloured.content.iter().any(|c| c.fg == Color::Red));
    }

    #[test]
    fn numbers_have_their_thousands_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(n), text);
        }
        assert_eq!(
            (moment(Timestamp(NOON)).as_str(), clock(Timestamp(NOON)).as_str()),
            ("2026-01-05 12:00:00Z", "12:00:00")
        );
    }
}
