//! The shipped policies against the table they were written from: every cell in every situation its
//! scope calls for, and every mutated policy caught by some cell.
//!
//! What is expected is worked out here in plain Rust from the table's scope words, apart from the
//! policies and their specification.

#[cfg(test)]
mod annotations;
#[cfg(test)]
mod assumptions;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod editions;
#[cfg(test)]
mod expected;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod model;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod places;
#[cfg(test)]
mod question;
#[cfg(test)]
mod searches;
#[cfg(test)]
mod shipped_tables;
#[cfg(test)]
mod situations;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod without_row;
#[cfg(test)]
mod world;
