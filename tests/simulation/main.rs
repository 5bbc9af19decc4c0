//! Deterministic simulation: the real actor, delivery and rules on a simulated journal and clock, on one
//! thread with paused time. A seed determines a run; a reference model is compared after every step.
//!
//! `world` is one node whose journal fails. `fleet` is several nodes that compete for one session on a
//! shared store, which `against_postgres` compares with a real one.
//!
//! `CLUECAST_SIMULATION_SEED=n` runs one seed and prints its steps;
//! `CLUECAST_SIMULATION_SEEDS=n` runs that many seeds instead of the default number.

mod against_postgres;
mod archive;
mod client;
mod dice;
mod fleet;
mod freezer;
mod journal;
mod link;
mod model;
mod oracle;
mod spectator;
mod states;
mod store;
mod stuck;
mod world;

use std::panic::AssertUnwindSafe;

use cluecast::session::InjectedFault;
use fleet::{Defect, Fleet};
use store::Fence;
use tokio::runtime::Runtime;
use world::World;

const SEEDS: u64 = 3_000;
/// Seeds within which an injected fault must be detected.
const SEEDS_TO_DETECT: u64 = 200;

/// A runtime with one thread, whose time advances only when all tasks wait.
fn paused_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without IO")
}

/// Runs one simulation on its own runtime with paused time. Returns its steps if a check failed.
fn violation<W>(
    begin: impl AsyncFnOnce() -> W,
    run: impl AsyncFnOnce(&mut W),
    log: impl FnOnce(W) -> Vec<String>,
) -> Option<Vec<String>> {
    paused_runtime().block_on(async {
        let mut world = begin().await;
        let run = AssertUnwindSafe(run(&mut world));
        let outcome = futures_util::FutureExt::catch_unwind(run).await;
        outcome.err().map(|_panic| log(world))
    })
}

fn violation_alone(seed: u64, fault: InjectedFault) -> Option<Vec<String>> {
    let begin = async || World::new(seed, fault).await;
    violation(begin, async |world| world.run().await, |world| world.log)
}

fn violation_in_fleet(seed: u64, defect: Defect) -> Option<Vec<String>> {
    let begin = async || Fleet::new(seed, defect);
    violation(begin, async |fleet| fleet.run().await, |fleet| fleet.log)
}

const NO_DEFECT: Defect = Defect {
    in_node: InjectedFault::None,
    in_store: Fence::RowLock,
};

#[expect(clippy::disallowed_methods, reason = "chooses the seeds of this test")]
fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs many seeds, or the one that the environment names.
fn assert_no_violation(test: &str, run: impl Fn(u64) -> Option<Vec<String>>) {
    if let Some(seed) = number_from_environment("CLUECAST_SIMULATION_SEED") {
        if let Some(log) = run(seed) {
            panic!("seed {seed}:\n{}", log.join("\n"));
        }
        return;
    }
    let seeds = number_from_environment("CLUECAST_SIMULATION_SEEDS").unwrap_or(SEEDS);
    for seed in 0..seeds {
        assert!(
            run(seed).is_none(),
            "seed {seed} fails; run it again with\n  \
             CLUECAST_SIMULATION_SEED={seed} cargo test --test simulation {test}"
        );
    }
    println!("{seeds} seeds without a violation");
}

#[test]
fn nothing_is_lost_duplicated_or_released_early() {
    assert_no_violation("nothing_is_lost_duplicated", |seed| {
        violation_alone(seed, InjectedFault::None)
    });
}

#[test]
fn a_fleet_loses_and_duplicates_nothing() {
    assert_no_violation("a_fleet_loses", |seed| violation_in_fleet(seed, NO_DEFECT));
}

/// Asserts that a fault is detected by a seed; otherwise the simulation would prove nothing.
fn assert_detected(what: impl std::fmt::Debug, run: impl Fn(u64) -> Option<Vec<String>>) {
    let detected = (0..SEEDS_TO_DETECT).find(|seed| run(*seed).is_some());
    let seed = detected.unwrap_or_else(|| panic!("{what:?} was not detected"));
    println!("{what:?} is detected by seed {seed}");
}

fn assert_detected_alone(fault: InjectedFault) {
    assert_detected(fault, |seed| violation_alone(seed, fault));
}

fn assert_detected_in_fleet(defect: Defect) {
    assert_detected(defect, |seed| violation_in_fleet(seed, defect));
}

#[test]
fn an_ack_before_it_is_durable_is_detected() {
    assert_detected_alone(InjectedFault::AckBeforeDurable);
}

#[test]
fn an_eventless_output_before_the_gate_is_detected() {
    assert_detected_alone(InjectedFault::EventlessOutputUngated);
}

#[test]
fn a_receipt_missing_after_recovery_is_detected() {
    assert_detected_alone(InjectedFault::ReceiptsForgotten);
}

#[test]
fn an_append_without_the_row_lock_is_detected() {
    assert_detected_in_fleet(Defect {
        in_store: Fence::SnapshotOnly,
        ..NO_DEFECT
    });
}

#[test]
fn a_truncation_before_the_archive_has_the_batches_is_detected() {
    assert_detected_alone(InjectedFault::TruncatedBeforeArchived);
    assert_detected_in_fleet(Defect {
        in_node: InjectedFault::TruncatedBeforeArchived,
        ..NO_DEFECT
    });
}

#[test]
fn a_truncation_too_far_is_detected() {
    assert_detected_alone(InjectedFault::TruncatedTooFar);
    assert_detected_in_fleet(Defect {
        in_node: InjectedFault::TruncatedTooFar,
        ..NO_DEFECT
    });
}

#[test]
fn reopening_without_a_claim_is_detected() {
    assert_detected_in_fleet(Defect {
        in_node: InjectedFault::ReopenedWithoutClaim,
        ..NO_DEFECT
    });
}

#[test]
fn a_snapshot_ahead_of_the_journal_is_detected() {
    assert_detected_in_fleet(Defect {
        in_node: InjectedFault::SnapshotBeforeDurable,
        ..NO_DEFECT
    });
}

#[test]
fn a_tail_read_before_the_claim_is_detected() {
    assert_detected_in_fleet(Defect {
        in_node: InjectedFault::TailBeforeClaim,
        ..NO_DEFECT
    });
}
