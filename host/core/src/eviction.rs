//! What goes when there is more than there may be.

/// Which of these go, the oldest first, so that those that are left have at most `bytes_max` bytes together, or nothing
/// is left that may go. Each comes with when it was used, and its bytes.
pub fn oldest_beyond<When: Ord, What: Ord>(
    mut all: Vec<(When, u64, What)>,
    stays: impl Fn(&What) -> bool,
    bytes_max: u64,
) -> Vec<What> {
    all.sort_unstable();
    let mut bytes: u64 = all.iter().map(|(_, size, _)| size).sum();
    let may_go = all.into_iter().filter(|(_, _, what)| !stays(what));
    let go = may_go.take_while(|(_, size, _)| {
        let is_too_much = bytes > bytes_max;
        bytes -= if is_too_much { *size } else { 0 };
        is_too_much
    });
    go.map(|(_, _, what)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_until_the_rest_fits() {
        let all = vec![(3, 4, 'c'), (1, 4, 'a'), (2, 4, 'b')];
        assert_eq!(oldest_beyond(all.clone(), |_| false, 8), ['a']);
        assert_eq!(oldest_beyond(all.clone(), |what| *what == 'a', 8), ['b']);
        assert_eq!(oldest_beyond(all.clone(), |what| *what == 'c', 0), ['a', 'b']);
        assert!(oldest_beyond(all, |_| false, 12).is_empty());
    }
}
