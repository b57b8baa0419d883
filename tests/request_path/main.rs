//! The request path from outside: what arrives is counted once, where and when it should be, whatever the world does.

mod attempts;
mod counters;
mod given;
mod load;
mod pods;
mod runs;
mod statistics;
