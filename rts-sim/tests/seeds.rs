//! The simulator as an ordinary test: a few seeds. The command `rts-sim` plays many.

#[test]
fn a_few_seeds_break_no_law() {
    let batch = rts_sim::batch(0..12, 2, |_, _| true);
    // To make one small takes hundreds of runs.
    if let Some((seed, _)) = batch.failures.first() {
        println!("{}", rts_sim::explain(*seed));
    }
    assert_eq!(batch.failures, []);
    assert_eq!(batch.seeds, 12);
}

#[test]
fn a_seed_plays_the_same_way_twice_and_another_one_does_not() {
    let (first, again, other) = (rts_sim::run(3), rts_sim::run(3), rts_sim::run(4));
    assert_eq!((first.trace_hash, first.lines), (again.trace_hash, again.lines));
    assert_ne!(first.trace_hash, other.trace_hash);
}
