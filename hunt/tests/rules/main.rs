//! Tests of the rules through the public interface: whole sessions and whole hunt files.

mod clues;
mod examples;
mod game_masters;
mod golden;
mod guesses;
mod limits;
mod mistakes;
mod people;
mod random;
mod receipts;
mod scoreboard;
mod session;
mod snapshots;
mod story;
mod teams;
mod unlocks;
