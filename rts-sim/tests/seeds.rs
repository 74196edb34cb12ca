//! The simulator as an ordinary test, with a few seeds. The command `rts-sim` plays many.

use rts_sim::Size;

#[test]
fn few_seeds_break_no_law() {
    let batch = rts_sim::batch(0..12, Size::default(), 2, |_, _| true);
    // A small failing plan takes hundreds of runs, so one failure is explained.
    if let Some((seed, _)) = batch.failures.first() {
        println!("{}", rts_sim::explain(*seed, Size::default()));
    }
    assert_eq!(batch.failures, []);
    assert_eq!(batch.seeds, 12);
}

#[test]
fn seed_alone_decides_the_run() {
    let (first, again, other) = (
        rts_sim::run(3, Size::default()),
        rts_sim::run(3, Size::default()),
        rts_sim::run(4, Size::default()),
    );
    assert_eq!((first.trace_hash, first.lines), (again.trace_hash, again.lines));
    assert_ne!(first.trace_hash, other.trace_hash);
}
