//! The request path from outside: what arrives is counted once, where and when it should be, whatever the world does.

mod attempts;
mod choice;
mod counters;
mod given;
mod limits;
mod load;
mod oracle;
mod pods;
mod queueing;
mod runs;
mod statistics;
