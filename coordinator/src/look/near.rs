//! What somebody probably meant.

/// Names that are offered.
const OFFERED: usize = 3;
/// How alike a name must be to be offered, from 0 to 1.
const ALIKE: f64 = 0.8;

/// The names most like one that there is not, found among any number of them.
pub(super) struct Nearest<'a> {
    wanted: &'a str,
    found: Vec<(f64, String)>,
}

impl<'a> Nearest<'a> {
    pub(super) fn to(wanted: &'a str) -> Self {
        Self {
            wanted,
            found: Vec::with_capacity(OFFERED + 1),
        }
    }

    /// Looks at one more.
    pub(super) fn look_at(&mut self, name: &str) {
        let alike = match name.starts_with(self.wanted) {
            // A name alone, without version and build.
            true => 1.0,
            false => strsim::jaro_winkler(self.wanted, name),
        };
        if alike < ALIKE || self.found.iter().any(|(_, known)| known == name) {
            return;
        }
        self.found.push((alike, name.to_owned()));
        self.found.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.found.truncate(OFFERED);
    }

    /// The names, the nearest first.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|(_, name)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Nearest;

    #[test]
    fn the_nearest_names_are_offered_and_strange_ones_are_not() {
        let offered = |wanted| {
            let mut nearest = Nearest::to(wanted);
            for name in [
                "python-3.12.1-h0_0.conda",
                "zlib-1.3.1-h0_0.conda",
                "zlib-1.3.1-h0_1.conda",
                "zlib-1.3.1-h0_0.tar.bz2",
                "zlib-1.2.0-h0_0.conda",
                "zlib-1.3.1-h0_0.conda",
            ] {
                nearest.look_at(name);
            }
            nearest.names().map(str::to_owned).collect::<Vec<_>>()
        };
        let near = offered("zlib-1.3.1-h0_2.conda");
        assert_eq!(near.len(), 3);
        assert!(near.iter().all(|name| name.starts_with("zlib")), "{near:?}");
        assert!(near[0].starts_with("zlib-1.3.1-h0_"), "{near:?}");
        assert_eq!(offered("python"), ["python-3.12.1-h0_0.conda"]);
        assert!(offered("xyz").is_empty());
    }
}
