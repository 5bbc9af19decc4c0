//! The rules as stories: whole sessions and whole hunt files, driven from outside.

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
