#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mirror_hostile::names::check(data));
