//! What callers see, checked on a real server in this process, at ports the system chooses.

#[cfg(test)]
mod access;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod authzen;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cedar;
#[cfg(test)]
mod certification;
#[cfg(test)]
mod certs;
#[cfg(test)]
mod client;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod corpora;
#[cfg(test)]
mod decision_log;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod page;
#[cfg(test)]
mod process;
#[cfg(test)]
mod proving;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod search;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod tracing;
#[cfg(test)]
mod transport;
