//! Seeds, damaged.

use mirror_hostile::named;
use proptest::prelude::*;
use proptest::sample::select;

use crate::damage::damaged;
use crate::seeds;

fn damaged_seed(body: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds: Vec<Vec<u8>> = seeds::of(body)
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    select(seeds).prop_flat_map(damaged)
}

macro_rules! bodies {
    ($($body:ident)*) => { $(
        proptest! {
            #[test]
            fn $body(bytes in damaged_seed(stringify!($body))) {
                (named(stringify!($body)).check)(&bytes);
            }
        }
    )* };
}

bodies!(challenge location token patience manifest repodata published shards conda tar_bz2 info_tar names task);
