//! One module per subcommand.

pub mod admin;
pub mod check;
pub mod dnc;
pub mod fake_twilio;
pub mod import;
pub mod migrate;
pub mod serve;

use crate::config::{Config, Flags};

/// The configuration, or every wrong value as one text.
pub(crate) fn configure(flags: &Flags) -> Result<Config, String> {
    Config::load(flags).map_err(|wrong| {
        let mut text = format!("{} setting(s) must be mended before anything starts:", wrong.len());
        for one in &wrong {
            text.push_str(&format!("\n  {one}"));
        }
        text
    })
}
