//! The permission function against a table of every shipped rule, and against laws.

mod case;
mod clocks;
mod exact;
mod laws;
mod lint;
mod table;
mod words;
