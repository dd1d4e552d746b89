//! The person's choice of what to see, and the keys that change it.

use std::cmp::Reverse;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::scene::{Row, Scene};
use crate::census::Category;

/// Maximum length of the text to find.
const FIND_CHARS: usize = 40;
/// Rows that Page Up and Page Down move by.
const PAGE: usize = 10;

/// The order of the devices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Sort {
    /// By first sighting, newest first.
    #[default]
    Newest,
    /// By last sighting, newest first.
    Heard,
    Address,
    Category,
}

impl Sort {
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Newest => "newest first",
            Self::Heard => "last heard first",
            Self::Address => "by address",
            Self::Category => "by category",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Newest => Self::Heard,
            Self::Heard => Self::Address,
            Self::Address => Self::Category,
            Self::Category => Self::Newest,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct TopState {
    pub(super) scene: Scene,
    /// Why the scene is not current, if it is not.
    pub(super) problem: Option<String>,
    pub(super) sort: Sort,
    /// Show only this category.
    pub(super) category: Option<Category>,
    /// Show only devices with this text; in lower case.
    pub(super) find: String,
    /// Whether keys go into `find`.
    pub(super) typing: bool,
    pub(super) paused: bool,
    pub(super) colour: bool,
    /// Index of the selected device among those shown.
    pub(super) selected: usize,
}

impl TopState {
    /// Shows a new scene; the selected device stays selected.
    pub(super) fn show(&mut self, scene: Scene) {
        self.problem = None;
        if self.paused {
            return;
        }
        let chosen = self.shown().get(self.selected).map(|r| (r.ip, r.mac)).filter(|_| self.selected > 0);
        self.scene = scene;
        let place = chosen.and_then(|key| self.shown().iter().position(|r| (r.ip, r.mac) == key));
        self.selected = place.unwrap_or(self.selected);
        self.hold();
    }

    /// The devices to show, in order.
    pub(super) fn shown(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.scene.rows.iter().filter(|r| self.wants(r)).collect();
        // Rows are newest first already; sorting is stable.
        match self.sort {
            Sort::Newest => {}
            Sort::Heard => rows.sort_by_key(|r| Reverse(r.last_seen)),
            Sort::Address => rows.sort_by_key(|r| (r.ip, r.mac)),
            Sort::Category => rows.sort_by(|a, b| (a.category, &a.kind).cmp(&(b.category, &b.kind))),
        }
        rows
    }

    fn wants(&self, row: &Row) -> bool {
        let holds = |text: &str| text.to_lowercase().contains(&self.find);
        self.category.is_none_or(|c| c == row.category)
            && (self.find.is_empty()
                || [&row.kind, &row.maker, &row.name].into_iter().any(|t| holds(t))
                || holds(&row.ip.to_string())
                || holds(&row.mac.to_string()))
    }

    /// Handles a key; returns whether it quits.
    pub(super) fn key(&mut self, key: KeyEvent) -> bool {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return matches!(key.code, KeyCode::Char('c' | 'd'));
        }
        if self.typing {
            self.type_in(key.code);
            return false;
        }
        match key.code {
            KeyCode::Char('q') => return true,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('c') => self.category = next(self.category),
            KeyCode::Char('p') => self.paused = !self.paused,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Esc => {
                self.find.clear();
                self.category = None;
            }
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.selected += 1,
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(PAGE),
            KeyCode::PageDown => self.selected += PAGE,
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = usize::MAX - PAGE,
            _ => {}
        }
        self.hold();
        false
    }

    fn type_in(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.find.clear();
            }
            KeyCode::Backspace => {
                self.find.pop();
            }
            KeyCode::Char(c) if self.find.chars().count() < FIND_CHARS => self.find.extend(c.to_lowercase()),
            _ => {}
        }
        self.hold();
    }

    /// Keeps the selection on a device.
    fn hold(&mut self) {
        self.selected = self.selected.min(self.shown().len().saturating_sub(1));
    }
}

fn next(category: Option<Category>) -> Option<Category> {
    match category {
        None => Some(Category::Network),
        Some(Category::Network) => Some(Category::Iot),
        Some(Category::Iot) => Some(Category::ComputerMobile),
        Some(Category::ComputerMobile) => Some(Category::Unclassified),
        Some(Category::Unclassified) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::{Timestamp, Verdict};

    fn row(last: u8, category: Category, name: &str) -> Row {
        Row {
            ip: [10, 0, 0, last].into(),
            mac: "02:00:00:00:00:01".parse().unwrap(),
            category,
            kind: "k".to_owned(),
            maker: String::new(),
            name: name.to_owned(),
            verdict: Verdict::CountedIot,
            first_seen: Timestamp(100 - i64::from(last)),
            last_seen: Timestamp(last.into()),
            reasons: Vec::new(),
        }
    }

    fn state() -> TopState {
        let rows = vec![
            row(1, Category::Iot, "Cam"),
            row(2, Category::Network, "switch"),
            row(3, Category::Iot, "printer"),
        ];
        TopState { scene: Scene { rows, ..Scene::default() }, ..TopState::default() }
    }

    fn press(state: &mut TopState, keys: &str) -> bool {
        keys.chars().any(|c| {
            let code = match c {
                '\n' => KeyCode::Enter,
                '^' => KeyCode::Esc,
                c => KeyCode::Char(c),
            };
            state.key(KeyEvent::new(code, KeyModifiers::NONE))
        })
    }

    fn shown(state: &TopState) -> Vec<u8> {
        let last = |r: &&Row| match r.ip {
            std::net::IpAddr::V4(ip) => ip.octets()[3],
            std::net::IpAddr::V6(_) => 0,
        };
        state.shown().iter().map(last).collect()
    }

    #[test]
    fn keys_sort_and_filter() {
        let mut s = state();
        assert_eq!(shown(&s), [1, 2, 3]);
        assert!(!press(&mut s, "s"));
        assert_eq!(shown(&s), [3, 2, 1]);
        press(&mut s, "cc");
        assert_eq!(shown(&s), [3, 1]);
        press(&mut s, "/CAM\n");
        assert_eq!((shown(&s), s.typing), (vec![1], false));
        press(&mut s, "^");
        assert_eq!(shown(&s).len(), 3);
        // While text is typed, its letters are not commands.
        assert!(!press(&mut s, "/q^"));
        assert!(press(&mut s, "q"));
        assert!(s.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    }

    #[test]
    fn the_selected_device_stays_selected_when_others_come() {
        let mut s = state();
        press(&mut s, "jjjjj");
        assert_eq!(s.selected, 2);
        let mut scene = s.scene.clone();
        scene.rows.insert(0, row(9, Category::Iot, "new"));
        s.show(scene.clone());
        assert_eq!(s.selected, 3);
        press(&mut s, "p");
        s.show(Scene::default());
        assert_eq!(s.scene.rows.len(), 4);
        press(&mut s, "p");
        s.show(Scene::default());
        assert_eq!((s.selected, shown(&s).len()), (0, 0));
        assert!(!press(&mut s, "jk"));
    }
}
