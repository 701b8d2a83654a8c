#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| inkling_fuzz::data_set(data));
