#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rts_fuzz_bodies::server_shards(data));
