#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mirror_hostile::packages::check_tar_bz2(data));
