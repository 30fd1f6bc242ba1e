//! Flags over environment over file over default, parsed once.
