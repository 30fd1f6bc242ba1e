//! Every parser of outside bytes, given bytes that are nearly what it expects.
//!
//! `README.md` beside this says what each target holds, and how to run one for longer.

#[cfg(test)]
mod access;
#[cfg(test)]
mod compile;
#[cfg(test)]
mod files;
#[cfg(test)]
mod http;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod questions;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod searches;
#[cfg(test)]
mod served;
