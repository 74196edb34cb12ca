#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rts_fuzz_bodies::bus_packet(data));
