//! One question or batch, one snapshot: parse, decide, count, record.
