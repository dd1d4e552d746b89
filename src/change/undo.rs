//! Whether a change can be undone.

use super::refusal::ChangeRefusal;

/// Checks that `change` can be undone. `later` are the changes after it that altered one of its objects, in order, each
/// with the change that it undid. A later change that is itself undone does not stand in the way.
///
/// # Errors
/// [`ChangeRefusal::Touched`], [`ChangeRefusal::Undone`] or [`ChangeRefusal::BroughtBack`].
pub(crate) fn ensure_undoable(change: u64, later: &[(u64, Option<u64>)]) -> Result<(), ChangeRefusal> {
    // The change that undid `change`, the change that undid that one, and so on.
    let chain: Vec<u64> = std::iter::successors(Some(change), |head| {
        later.iter().find(|(_, undoes)| *undoes == Some(*head)).map(|(number, _)| *number)
    })
    .collect();
    let mut undone: Vec<u64> = Vec::new();
    for (number, undoes) in later.iter().rev().filter(|(number, _)| !chain.contains(number)) {
        match undoes {
            _ if undone.contains(number) => {}
            Some(known) if *known > change => undone.push(*known),
            _ => return Err(ChangeRefusal::Touched { change, later: *number }),
        }
    }
    match chain.as_slice() {
        [_, .., by] if chain.len().is_multiple_of(2) => Err(ChangeRefusal::Undone { change, by: *by }),
        [_, .., by] => Err(ChangeRefusal::BroughtBack { change, by: *by }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_and_what_undid_it_are_not_in_the_way() {
        assert_eq!(ensure_undoable(5, &[]), Ok(()));
        assert_eq!(ensure_undoable(5, &[(6, None)]), Err(ChangeRefusal::Touched { change: 5, later: 6 }));
        assert_eq!(ensure_undoable(5, &[(6, None), (7, Some(6))]), Ok(()));
        assert_eq!(ensure_undoable(5, &[(6, Some(5))]), Err(ChangeRefusal::Undone { change: 5, by: 6 }));
        let back = [(6, Some(5)), (7, Some(6))];
        assert_eq!(ensure_undoable(5, &back), Err(ChangeRefusal::BroughtBack { change: 5, by: 7 }));
        let gone = [(6, Some(5)), (7, Some(6)), (8, Some(7))];
        assert_eq!(ensure_undoable(5, &gone), Err(ChangeRefusal::Undone { change: 5, by: 8 }));
        let again = [(6, None), (7, Some(6)), (8, Some(7))];
        assert_eq!(ensure_undoable(5, &again), Err(ChangeRefusal::Touched { change: 5, later: 6 }));
        assert_eq!(
            ensure_undoable(5, &[(6, None), (7, Some(6)), (9, None)]),
            Err(ChangeRefusal::Touched { change: 5, later: 9 })
        );
    }
}
