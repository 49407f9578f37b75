//! Patterns that are about no package at all: a name that was misspelled selects nothing, and says nothing.

use std::collections::HashSet;

use super::pattern::{Kind, Pattern};

/// Those of `patterns` that are about none of `names`, package names in lower case. Patterns that cannot be understood
/// are not among them: they are refused elsewhere.
#[must_use]
pub fn unmatched<'p>(patterns: &'p [String], names: &HashSet<String>) -> Vec<&'p str> {
    let is_about_none = |pattern: &&String| {
        Pattern::parse(pattern).is_ok_and(|pattern| match pattern.kind {
            Kind::All => false,
            Kind::Name(name) => !names.contains(&name),
            Kind::Glob(glob) => {
                let glob = glob.compile_matcher();
                !names.iter().any(|name| glob.is_match(name))
            }
            Kind::Condition(condition) => !names.iter().any(|name| condition.names.contain(name)),
        })
    };
    let unmatched = patterns.iter().filter(is_about_none);
    unmatched.map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_pattern_that_is_about_no_name_is_found() {
        let names = ["zlib", "python", "xz"].map(str::to_owned).into();
        let good = [
            "zlib",
            "ZLIB",
            "py*",
            "all",
            "*",
            "zlib@9",
            "x*@1",
            "python >=3",
            "*[license=MIT]",
            "^x.$",
            "[bad",
        ];
        let bad = ["zlip", "q*", "zlip@1", "q*@1", "pyton >=3", "^y.$"];
        let patterns: Vec<String> = good
            .iter()
            .chain(&bad)
            .map(|text| (*text).to_owned())
            .collect();
        assert_eq!(unmatched(&patterns, &names), bad);
    }
}
