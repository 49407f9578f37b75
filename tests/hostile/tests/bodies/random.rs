//! Random bytes: few get past the first look, but that look is the most exposed.

use mirror_hostile::BODIES;
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_bytes_break_a_promise(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for body in BODIES {
            (body.check)(&bytes);
        }
    }

    #[test]
    fn no_text_breaks_a_promise(text in r#"[ -~\n"\\{}\[\]:,=/é]{0,200}"#) {
        for body in BODIES {
            (body.check)(text.as_bytes());
        }
    }
}
