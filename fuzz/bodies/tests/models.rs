//! The targets that hold a core, or all of them together, against what is true, with inputs that
//! proptest draws and shrinks.

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_server_says_what_its_model_foresees(script in prop::collection::vec(any::<u8>(), 0..1_500)) {
        rts_fuzz_bodies::server_session(&script);
    }

    #[test]
    fn the_client_does_right_by_a_server_that_keeps_the_rules(script in prop::collection::vec(any::<u8>(), 0..1_500)) {
        rts_fuzz_bodies::client_session(&script);
    }

    #[test]
    fn two_engines_and_a_server_agree_over_links_that_break_anywhere(script in prop::collection::vec(any::<u8>(), 0..500)) {
        rts_fuzz_bodies::link_pair(&script);
    }
}
