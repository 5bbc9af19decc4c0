//! Tests of the rules through the public interface: whole sessions and whole hunt files.

mod audiences;
mod captains;
mod clues;
mod examples;
mod game_masters;
mod golden;
mod guesses;
mod instances;
mod limits;
mod mistakes;
mod people;
mod random;
mod receipts;
mod schedule;
mod scoreboard;
mod session;
mod snapshots;
mod story;
mod teams;
mod unlocks;
