//! How much work one message may cause.

/// What a message may cost, in units of some ten nanoseconds: 64 words of 16 bytes, or fewer words and many items.
const ALL: u32 = 1_792;
/// Items of a message that are read: records, labels, options, entries of a list. The longest sound messages, of a busy
/// Bonjour host, have some five hundred. Words are always left for what was read.
const ITEMS: u32 = 600;
/// What a word costs beside its bytes.
const WORD: u32 = 24;
/// Bytes of a word that cost one more.
const BYTES: usize = 4;

/// The work that is left for a message. Dissectors spend it on what a sender may repeat; once it is spent, they stop and
/// what was read so far counts. It depends on the message alone, so that every sensor reads the same of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    left: u32,
    items: u32,
    is_spent: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: ALL, items: ITEMS, is_spent: false }
    }
}

impl Budget {
    /// Takes one item; returns whether there was one left.
    #[must_use]
    pub fn item(&mut self) -> bool {
        self.items(1)
    }

    /// Takes that many items at once, for one that costs more than others.
    #[must_use]
    pub(super) fn items(&mut self, n: u32) -> bool {
        let items = self.items.checked_sub(n);
        let left = self.left.checked_sub(n);
        self.items = items.unwrap_or(0);
        self.left = left.filter(|_| items.is_some()).unwrap_or(self.left);
        self.spend(items.is_some() && left.is_some())
    }

    /// Takes a word of that many bytes; returns whether it may be said. After one that may not, none may.
    #[must_use]
    pub fn word(&mut self, bytes: usize) -> bool {
        let cost = WORD.saturating_add(u32::try_from(bytes / BYTES).unwrap_or(u32::MAX));
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or(0);
        self.spend(left.is_some())
    }

    /// Whether no further word may be said. A dissector that asks has one to say.
    pub(super) const fn is_silent(&mut self) -> bool {
        !self.spend(self.left >= WORD)
    }

    /// Whether a part of the message was left out.
    pub const fn is_spent(&self) -> bool {
        self.is_spent
    }

    const fn spend(&mut self, granted: bool) -> bool {
        self.is_spent |= !granted;
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_given_out_up_to_the_bound_and_leave_words() {
        let mut budget = Budget::default();
        assert_eq!((0..9_999).take_while(|_| budget.item()).count(), 600);
        assert!(budget.is_spent() && !budget.is_silent());
        assert_eq!((0..999).take_while(|_| budget.word(16)).count(), 42);
        assert!(budget.is_silent());
    }

    #[test]
    fn long_words_cost_more_and_none_follows_one_that_was_too_dear() {
        let words = |bytes| {
            let mut budget = Budget::default();
            (0..1_000).filter(|_| budget.word(bytes)).count()
        };
        assert_eq!((words(16), words(256)), (64, 20));
        let mut budget = Budget::default();
        while budget.word(256) {}
        assert!(!budget.word(0) && !budget.item() && budget.is_spent());
    }
}
