//! The targets that check a core, or all of them together, against a model. Proptest draws and
//! shrinks the inputs.

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn server_matches_its_model(script in prop::collection::vec(any::<u8>(), 0..1_500)) {
        rts_fuzz_bodies::server_session(&script);
    }

    #[test]
    fn client_matches_model_of_a_correct_server(script in prop::collection::vec(any::<u8>(), 0..1_500)) {
        rts_fuzz_bodies::client_session(&script);
    }

    #[test]
    fn engines_and_server_agree_over_breaking_links(script in prop::collection::vec(any::<u8>(), 0..500)) {
        rts_fuzz_bodies::link_pair(&script);
    }

    #[test]
    fn each_send_over_shards_has_one_result(script in prop::collection::vec(any::<u8>(), 0..1_500)) {
        rts_fuzz_bodies::server_shards(&script);
    }
}
