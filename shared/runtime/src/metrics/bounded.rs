//! Values of labels that come from outside: the first some keep their names, all others share one, so that nobody can
//! fill the memory of whoever collects them.

use std::collections::HashSet;
use std::sync::Mutex;

/// What all later ones are called.
pub(super) const OTHER: &str = "other";
/// More hosts or subdirs than any mirror has.
const MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Bounded(Mutex<HashSet<String>>);

impl Bounded {
    pub(super) fn name(&self, value: &str) -> String {
        let mut known = self.0.lock().expect("no panic under this lock");
        if known.contains(value) {
            return value.to_owned();
        }
        if known.len() >= MOST {
            return OTHER.to_owned();
        }
        known.insert(value.to_owned());
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keep_their_names_and_the_rest_share_one() {
        let bounded = Bounded::default();
        let names: HashSet<String> = (0..1000)
            .map(|number| bounded.name(&format!("host-{number}")))
            .collect();
        assert_eq!(names.len(), MOST + 1);
        assert_eq!(bounded.name("host-3"), "host-3");
        assert_eq!(bounded.name("host-999"), OTHER);
    }
}
