//! Simulation: the real actor, delivery and rules on a simulated journal and clock, on one thread
//! with paused time. A seed decides everything; a reference model is compared after every step.
//!
//! `CLUECAST_SIMULATION_SEED=n` runs one seed and tells its steps;
//! `CLUECAST_SIMULATION_SEEDS=n` runs that many instead of the usual number.

mod client;
mod dice;
mod journal;
mod model;
mod oracle;
mod spectator;
mod world;

use std::panic::AssertUnwindSafe;

use cluecast::session::Planted;
use world::World;

const SEEDS: u64 = 3_000;
/// Seeds within which a planted defect must be noticed.
const SEEDS_TO_NOTICE: u64 = 200;

/// Runs one seed; gives its steps if something did not hold.
fn violation(seed: u64, planted: Planted) -> Option<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without IO");
    runtime.block_on(async {
        let mut world = World::new(seed, planted).await;
        let run = AssertUnwindSafe(world.run());
        let outcome = futures_util::FutureExt::catch_unwind(run).await;
        outcome.err().map(|_panic| std::mem::take(&mut world.log))
    })
}

#[expect(clippy::disallowed_methods, reason = "chooses the seeds of this test")]
fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_doubled_or_let_out_early() {
    if let Some(seed) = number_from_environment("CLUECAST_SIMULATION_SEED") {
        if let Some(log) = violation(seed, Planted::Nothing) {
            panic!("seed {seed}:\n{}", log.join("\n"));
        }
        return;
    }
    let seeds = number_from_environment("CLUECAST_SIMULATION_SEEDS").unwrap_or(SEEDS);
    for seed in 0..seeds {
        assert!(
            violation(seed, Planted::Nothing).is_none(),
            "seed {seed} fails; run it again with\n  \
             CLUECAST_SIMULATION_SEED={seed} cargo test --test simulation nothing_is_lost"
        );
    }
    println!("{seeds} seeds without a violation");
}

/// A defect that is planted on purpose must be noticed, or the simulation proves nothing.
fn assert_noticed(planted: Planted) {
    let noticed = (0..SEEDS_TO_NOTICE).find(|seed| violation(*seed, planted).is_some());
    let seed = noticed.unwrap_or_else(|| panic!("{planted:?} went unnoticed"));
    println!("{planted:?} is noticed by seed {seed}");
}

#[test]
fn an_ack_before_it_is_durable_is_noticed() {
    assert_noticed(Planted::AckBeforeDurable);
}

#[test]
fn an_eventless_output_before_the_gate_is_noticed() {
    assert_noticed(Planted::EventlessOutputUngated);
}

#[test]
fn a_receipt_missing_after_recovery_is_noticed() {
    assert_noticed(Planted::ReceiptsForgotten);
}
