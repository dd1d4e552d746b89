//! How much work one message may cause.

/// Items of a message that are read: records, labels, options, entries of a list. The longest sound messages, of a busy
/// Bonjour host, have some five hundred.
const ITEMS: u32 = 640;
/// What may be said of a message, counted in sixteenths of a short word. The longest sound messages say some eighty words.
const SPEECH: u32 = 96 * 16;
/// What a word costs beside its bytes.
const WORD: u32 = 12;
/// Bytes of a word that cost one more.
const BYTES: usize = 4;

/// The work that is left for a message. Dissectors spend it on what a sender may repeat; once it is spent, they stop and
/// what was read so far counts. It depends on the message alone, so that every sensor reads the same of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    items: u32,
    speech: u32,
    is_spent: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self { items: ITEMS, speech: SPEECH, is_spent: false }
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
        let left = self.items.checked_sub(n);
        self.items = left.unwrap_or(0);
        self.is_spent |= left.is_none();
        left.is_some()
    }

    /// Takes a word of that many bytes; returns whether it may be said. After one that may not, none may.
    #[must_use]
    pub fn word(&mut self, bytes: usize) -> bool {
        let cost = WORD + u32::try_from(bytes / BYTES).unwrap_or(u32::MAX);
        let left = self.speech.checked_sub(cost);
        self.speech = left.unwrap_or(0);
        self.is_spent |= left.is_none();
        left.is_some()
    }

    /// Whether no further word may be said. A dissector that asks wants to say one.
    pub(super) const fn is_silent(&mut self) -> bool {
        let silent = self.speech < WORD;
        self.is_spent |= silent;
        silent
    }

    /// Whether a part of the message was left out.
    pub const fn is_spent(&self) -> bool {
        self.is_spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_and_words_are_given_out_up_to_the_bound_and_then_the_budget_is_spent() {
        let mut budget = Budget::default();
        assert_eq!((0..ITEMS).filter(|_| budget.item()).count(), 640);
        assert!(!budget.is_spent() && budget.word(0), "words have a budget of their own");
        assert!(!budget.item() && budget.is_spent());
    }

    #[test]
    fn long_words_cost_more_and_none_follows_one_that_was_too_dear() {
        let words = |bytes| {
            let mut budget = Budget::default();
            (0..1_000).filter(|_| budget.word(bytes)).count()
        };
        assert_eq!((words(16), words(256)), (96, 20));
        let mut budget = Budget::default();
        while budget.word(256) {}
        assert!(!budget.word(0) && budget.is_spent());
    }
}
