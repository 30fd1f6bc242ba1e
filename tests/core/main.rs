//! The core by itself: compile sources, parse questions, decide. No HTTP, no files but fixtures.

#[cfg(test)]
mod authzen_questions;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod cedar_questions;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod details;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod findings;
#[cfg(test)]
mod lifted;
#[cfg(test)]
mod policy_names;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod search_cases;
#[cfg(test)]
mod searches;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod stored_data;
#[cfg(test)]
mod tables;
