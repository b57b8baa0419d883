//! `rollcast replay` asked through the program itself: a simulated rollout replayed from its own series, the place where
//! another decision makes the series invalid, and what is refused.

mod errors;
mod simulated;
mod support;
