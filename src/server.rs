//! Listeners, limits, deadlines, drain.
