// SPDX-License-Identifier: MIT

//! filch-bench-rayon: the fork-join workloads by Rayon. Speaks as the other programs of the bench do:
//! --one workload system workers n rounds.

mod arrays;
mod trees;
mod uts;

use std::time::{Duration, Instant};

/// What a workload does: something before each round, the round, and the checksum after it; only the round is timed.
pub trait Work: Send {
    fn prepare(&mut self) {}
    fn round(&mut self);
    fn checksum(&self) -> u64;
}

/// After this long no further round is begun.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

fn work(name: &str, n: i64) -> Box<dyn Work> {
    match name {
        "fib" => Box::new(trees::Fib::new(n)),
        "nqueens" => Box::new(trees::Queens::new(n)),
        "skynet-fork" => Box::new(trees::Skynet::new(n)),
        "uts-t1" => Box::new(uts::Uts::geometric(n)),
        "uts-t3" => Box::new(uts::Uts::binomial(n)),
        "matmul" => Box::new(arrays::Matmul::new(n)),
        "sort" => Box::new(arrays::Sort::new(n)),
        "flat-fork" => Box::new(arrays::Flat::new(n, false)),
        "flat-for" => Box::new(arrays::Flat::new(n, true)),
        _ => panic!("rayon does not do {name}"),
    }
}

fn one_round(work: &mut dyn Work) -> (u64, u128) {
    work.prepare();
    let begin = Instant::now();
    work.round();
    let took = begin.elapsed().as_nanos();
    (work.checksum(), took)
}

fn measure(work: &mut dyn Work, rounds: usize) -> (u64, Vec<String>) {
    let (checksum, _) = one_round(work);
    let mut walls = Vec::new();
    let begin = Instant::now();
    while walls.len() < rounds && (walls.is_empty() || begin.elapsed() < LONG_ENOUGH) {
        let (again, took) = one_round(work);
        assert_eq!(again, checksum, "two rounds with different checksums");
        walls.push(took.to_string());
    }
    (checksum, walls)
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("VmHWM");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    assert!(
        arguments.len() == 7 && arguments[1] == "--one",
        "this program is started by filch-bench"
    );
    let workers: usize = arguments[4].parse().expect("workers");
    let n: i64 = arguments[5].parse().expect("n");
    let rounds: usize = arguments[6].parse().expect("rounds");
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .stack_size(1 << 28)
        .build()
        .expect("a pool");
    let (checksum, walls) = pool.install(|| measure(work(&arguments[2], n).as_mut(), rounds));
    let walls = walls.join(",");
    println!(
        "result workload={} system={} workers={} n={} checksum={} rss_kib={} charged_ns={} wall_ns={}",
        arguments[2], arguments[3], workers, n, checksum, peak_kib(), walls, walls
    );
}
