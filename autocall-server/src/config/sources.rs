//! Where values come from.

use super::names::{NAMES, nearest};
use super::read::Wrong;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The flags that configure the server.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Flags {
    /// Settings file (TOML); `autocall.toml` in the working folder where it exists.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<String>,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// Folder for the embedded database, audio and generated secrets.
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// Any other setting, by its environment name; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The settings file.
    File(PathBuf),
    /// The environment.
    Environment,
    /// A flag.
    Flag,
    /// Nowhere: it is missing.
    Nowhere,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Environment => f.write_str("environment"),
            Source::Flag => f.write_str("flag"),
            Source::Nowhere => f.write_str("not set"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone)]
pub struct Value {
    /// The text as it was written.
    pub text: String,
    /// From where.
    pub source: Source,
}

/// All values that were given, by name; the winning source only.
#[derive(Clone, Default)]
pub struct Values(pub(super) BTreeMap<&'static str, Value>);

impl Values {
    /// Reads file, environment and flags, in the order of precedence. Also returns what could not
    /// be read.
    pub fn gather(flags: &Flags, environment: impl Fn(&str) -> Option<String>) -> (Values, Vec<Wrong>) {
        let mut values = Values::default();
        let mut wrong = Vec::new();
        values.file(flags, &environment, &mut wrong);
        for name in NAMES {
            // An empty variable means the same as none: shells and compose files set such.
            if let Some(text) = environment(name.name).filter(|text| !text.is_empty()) {
                values.0.insert(name.name, Value { text, source: Source::Environment });
            }
        }
        values.flags(flags, &mut wrong);
        (values, wrong)
    }

    fn file(&mut self, flags: &Flags, environment: &impl Fn(&str) -> Option<String>, wrong: &mut Vec<Wrong>) {
        let named = flags.config.clone().or_else(|| environment("AUTOCALL_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| PathBuf::from("autocall.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                return wrong.push(Wrong::new("--config", Source::Flag, format!("a file that can be read ({error})")));
            }
        };
        let source = Source::File(path);
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                // The library's message quotes the line, which may hold a secret.
                let line = error.span().map_or(0, |span| text[..span.start].lines().count().max(1));
                return wrong.push(Wrong::new("the file", source, format!("TOML (line {line} is not)")));
            }
        };
        for (key, value) in table {
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(n) => n.to_string(),
                toml::Value::Float(n) => n.to_string(),
                toml::Value::Boolean(b) => b.to_string(),
                toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                    items.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
                }
                _ => {
                    wrong.push(Wrong::new(&key, source.clone(), "a text, a number, true, false, or a list of texts"));
                    continue;
                }
            };
            self.put(&key.to_ascii_uppercase(), text, source.clone(), wrong);
        }
    }

    fn flags(&mut self, flags: &Flags, wrong: &mut Vec<Wrong>) {
        for pair in &flags.set {
            match pair.split_once('=') {
                Some((name, text)) => {
                    self.put(&name.trim().to_ascii_uppercase(), text.to_owned(), Source::Flag, wrong);
                }
                None => wrong.push(Wrong::new("--set", Source::Flag, "NAME=VALUE")),
            }
        }
        let named = [("HOST", &flags.host), ("PORT", &flags.port), ("DATA_DIR", &flags.data_dir)];
        for (name, text) in named {
            if let Some(text) = text {
                self.0.insert(name, Value { text: text.clone(), source: Source::Flag });
            }
        }
    }

    fn put(&mut self, name: &str, text: String, source: Source, wrong: &mut Vec<Wrong>) {
        match NAMES.iter().find(|known| known.name == name) {
            Some(known) => {
                self.0.insert(known.name, Value { text, source });
            }
            None => {
                let hint = nearest(name).map_or(String::from("a setting's name; `.env.example` lists them"), |near| {
                    format!("a setting's name; {near} is near")
                });
                wrong.push(Wrong::new(name, source, hint));
            }
        }
    }
}
