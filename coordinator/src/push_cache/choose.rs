//! Which packages are pushed, decided from data alone.

use super::listed::Listed;

/// What becomes of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It is published already.
    Skip,
    /// It is pushed, and its record added.
    Add,
    /// It is pushed; the channel's record of it stays the one that is published.
    Again,
    /// The channel has another file under its name.
    Clash,
}

/// Decides from what lists a file of the name.
pub(super) fn choose(listed: Listed, all: bool, force: bool) -> Choice {
    match listed {
        Listed::Not | Listed::OwnOther => Choice::Add,
        Listed::Other if force => Choice::Add,
        Listed::Other => Choice::Clash,
        Listed::Same | Listed::OwnSame if !all => Choice::Skip,
        Listed::Same => Choice::Again,
        Listed::OwnSame => Choice::Add,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_pushed_only_on_demand_and_what_clashes_only_by_force() {
        use Choice::{Add, Again, Clash, Skip};
        for (listed, plain, all, force) in [
            (Listed::Not, Add, Add, Add),
            (Listed::Same, Skip, Again, Skip),
            (Listed::Other, Clash, Clash, Add),
            (Listed::OwnSame, Skip, Add, Skip),
            (Listed::OwnOther, Add, Add, Add),
        ] {
            assert_eq!(choose(listed, false, false), plain, "{listed:?}");
            assert_eq!(choose(listed, true, false), all, "{listed:?}");
            assert_eq!(choose(listed, false, true), force, "{listed:?}");
        }
    }
}
