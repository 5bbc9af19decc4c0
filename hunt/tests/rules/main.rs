//! The rules as stories: whole sessions and whole hunt files, driven from outside.

mod examples;
mod golden;
mod guesses;
mod limits;
mod mistakes;
mod random;
mod receipts;
mod scoreboard;
mod session;
mod story;
mod teams;
mod unlocks;
