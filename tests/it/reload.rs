//! Everything that happens to policy folders, done to a server under load: what is whole and good
//! is in force in time, what is not never is, and every page tells the truth of it.
//! `--nocapture` prints a line for each case.

mod files;
mod line;
mod load;
mod plan;
mod refusing;
mod saving;
mod stage;
mod storming;
mod strange;
mod swapping;
mod told;
mod turn;
mod watching;
mod world;
