//! `cargo bench -p rts-benches`: the time that the core takes.

use rts_benches::Work;

fn main() {
    divan::main();
}

#[divan::bench(args = rts_benches::WORKS.map(|(name, _)| name))]
fn core(bencher: divan::Bencher<'_, '_>, name: &str) {
    let work: Work = name.parse().expect("the names are its own");
    let (run, count) = work.prepare();
    bencher.counter(divan::counter::ItemsCount::new(count)).bench_local(run);
}
