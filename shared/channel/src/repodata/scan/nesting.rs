//! Which kinds of brackets are open, however many.

/// A stack of open brackets, one bit a level. The first 64 levels need no memory beside it.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: u32,
    /// The innermost 1 to 64 levels: 1 for an object, the innermost lowest.
    objects: u64,
    /// The levels outside of those, 64 each.
    outer: Vec<u64>,
}

impl Nesting {
    pub(super) const fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether the innermost bracket is an object's.
    pub(super) const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    #[inline]
    pub(super) fn open(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(std::mem::take(&mut self.objects));
        }
        self.objects = self.objects << 1 | u64::from(object);
        self.depth += 1;
    }

    /// Closes the innermost; there must be one.
    #[inline]
    pub(super) fn close(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.objects = self.outer.pop().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_knows_the_innermost_bracket_as_a_list_does(steps in prop::collection::vec(any::<(bool, bool)>(), 0..600)) {
            let (mut nesting, mut list) = (Nesting::default(), Vec::new());
            for (close, object) in steps {
                // Seldom closing, so that it gets deep.
                if close && object && !list.is_empty() {
                    nesting.close();
                    list.pop();
                } else {
                    nesting.open(object);
                    list.push(object);
                }
                prop_assert_eq!(nesting.depth() as usize, list.len());
                prop_assert_eq!(list.last().copied().unwrap_or(nesting.in_object()), nesting.in_object());
            }
            while let Some(object) = list.pop() {
                prop_assert_eq!(nesting.in_object(), object);
                nesting.close();
            }
            prop_assert_eq!(nesting.depth(), 0);
        }
    }
}
