//! Runnable examples of embedding autocall.
