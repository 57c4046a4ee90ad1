//! A small, safe language for choosing leads: `state == "TX" and priority >= high and age < 30`.
//!
//! It has no loops, no functions of the user's and no way out: an expression is compiled once,
//! with every mistake named by its place, and evaluated on the plain values of one lead in a
//! bounded number of steps.
//!
//! * Comparisons: `==` `!=` `<` `<=` `>` `>=`, `in ("TX", "FL")`, `contains "x"`, `starts "x"`,
//!   `is empty`, `is not empty`.
//! * Joined by `and`, `or`, `not` and brackets; `and` binds tighter than `or`.
//! * Text is compared without regard to case. Numbers are decimal. Priorities are `low`, `normal`,
//!   `high`, `urgent` and have that order. Instants are text such as `"2026-11-22"` or
//!   `"2026-11-22T15:00:00Z"`.
//! * Fields that a lead does not have make every comparison false, `!=` too; `is empty` finds them.
//! * Names that are not fields of a lead are free columns of the list; they are text, or numbers
//!   where they are compared with one.

mod eval;
mod lex;
mod parse;

pub use eval::{Value, Values};
pub use parse::{Field, Filter, FilterError, Kind};
