//! The permission function against a table of every shipped rule, and against laws.

mod case;
mod laws;
mod lint;
mod table;
