//! Input that tries to end the real binary, or to keep it from answering the next question.
//!
//! Each table has a row for each input: what is sent or put on disk, and what becomes of it. After
//! each the next good question is answered. `-- --nocapture` prints the rows with their times.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod client;
#[cfg(test)]
mod deciding;
#[cfg(test)]
mod http;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod palisade;
#[cfg(test)]
mod shapes;
#[cfg(test)]
mod sources;
