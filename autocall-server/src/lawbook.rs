//! The law that a node dials by: the shipped rules, a user's own over them, and the do-not-call
//! registries that the node serves.
//!
//! * `RULES_DIR` holds packs (`*.toml`), each over the shipped rules; a campaign names one by its
//!   `id`. A pack with a mistake keeps the server from starting.
//! * `DNC_DIR` holds a file `<registry>.set` for each registry, made by `autocall dnc`. It is put
//!   there by rename and taken up within a minute; a file that is not whole is refused and the old
//!   set stays in force. A registry that is not there, or older than its law allows, denies every
//!   call that must ask it.

use crate::config::Config;
use autocall_core::engine::{Lawful, Registry};
use autocall_core::permission::rule::{Kind, List, Pack};
use autocall_core::permission::{CompiledRules, presets};
use autocall_core::{Millis, Timestamp};
use autocall_dnc::Served;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The rules and registries of a node.
pub struct LawBook {
    lawful: Arc<Lawful>,
    registries: Vec<Shelf>,
}

type Written = (SystemTime, u64);

/// One registry's place.
struct Shelf {
    served: Arc<Served>,
    /// The shortest age that any rule allows its copy.
    age_max: Millis,
    /// When the file was last written, as far as it was looked at.
    seen: Mutex<Option<Written>>,
    problem: Mutex<Option<String>>,
}

/// How a registry is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Serving {
    /// The registry, as rules call it.
    pub name: String,
    /// The version in force; `None` if there has never been a whole copy.
    pub version: Option<Arc<str>>,
    /// When the registry made it.
    pub as_of: Option<Timestamp>,
    /// How many numbers it lists.
    pub numbers: u64,
    /// The age at which the law ends its use.
    pub age_max: Millis,
    /// Whether calls that must ask it are denied: no copy, or one that is too old.
    pub closed: bool,
    /// Why the newest file was refused.
    pub problem: Option<String>,
}

impl LawBook {
    /// Reads the rules and opens the registries.
    pub fn open(config: &Config) -> Result<LawBook, String> {
        let overlays = overlays(&config.rules_dir())?;
        let mut wanted: BTreeMap<String, Millis> = BTreeMap::new();
        let shipped = presets::names().filter_map(|name| presets::compile(name, Vec::new())?.ok());
        for rules in shipped.collect::<Vec<_>>().iter().chain(overlays.iter().map(|(_, rules)| rules)) {
            for (name, age) in registries(rules) {
                let known = wanted.entry(name).or_insert(age);
                *known = (*known).min(age);
            }
        }
        let shelf = |(name, age_max): (String, Millis)| {
            let (served, opened) = Served::open(&name, &config.dnc_dir().join(format!("{name}.set")));
            let there = served.path().exists();
            let shelf = Shelf {
                seen: Mutex::new(written(served.path())),
                served: Arc::new(served),
                age_max,
                problem: Mutex::new(None),
            };
            shelf.note(opened.map_err(|e| e.to_string()), there);
            shelf
        };
        let registries: Vec<Shelf> = wanted.into_iter().map(shelf).collect();
        let served = registries.iter().map(|s| s.served.clone() as Arc<dyn Registry>).collect();
        let mut lawful = Lawful::shipped(served);
        for (name, rules) in overlays {
            for warning in rules.warnings() {
                tracing::warn!(rules = %name, "{warning}");
            }
            lawful = lawful.with(&name, rules);
        }
        Ok(LawBook { lawful: Arc::new(lawful), registries })
    }

    /// The permission of the engine.
    pub fn permission(&self) -> Arc<Lawful> {
        self.lawful.clone()
    }

    /// How each registry is served now.
    pub fn serving(&self, now: Timestamp) -> Vec<Serving> {
        self.registries.iter().map(|shelf| shelf.serving(now)).collect()
    }

    /// Looks at the files until the server stops, and takes new ones up.
    pub async fn watch(self: Arc<Self>, app: crate::app::App) {
        let mut pause = tokio::time::interval(LOOK_EVERY);
        // A copy may have come while nothing ran.
        let served = self.serving(app.clock.now()).into_iter().filter(|s| !s.closed).map(|s| s.name);
        let mut fresh: std::collections::BTreeSet<String> = served.collect();
        loop {
            tokio::select! {
                () = app.stopping.cancelled() => return,
                _ = pause.tick() => {}
            }
            let (book, now) = (self.clone(), app.clock.now());
            // Checking every block of a file is work for a thread of its own.
            let took = tokio::task::spawn_blocking(move || book.look(now)).await.unwrap_or_default();
            fresh.extend(took);
            // Leads that waited for a lawful copy are looked at again; what fails is done next time.
            while let Some(name) = fresh.pop_first() {
                if let Err(problem) = crate::jobs::refile::copy_came(&app, &self.waiting_rules(&name)).await {
                    tracing::warn!(problem = %problem.title, "re-dating leads that waited for a registry");
                    fresh.insert(name);
                    break;
                }
            }
        }
    }

    /// The names under which rules deny for want of a lawful copy of a registry.
    fn waiting_rules(&self, registry: &str) -> Vec<String> {
        let sets = self.lawful.names().filter_map(|name| self.lawful.rules(name));
        let asks = |rule: &&autocall_core::permission::rule::Rule| matches!(&rule.is, Kind::Suppression(List::Registry { name, .. }) if name == registry);
        let mut names: Vec<String> =
            sets.flat_map(|set| set.rules().filter(asks).map(|rule| format!("{}/copy", rule.id))).collect();
        names.sort();
        names.dedup();
        names
    }

    /// What the rules of this node are, in a line: it changes with every pack and overlay.
    pub fn print(&self) -> String {
        let one = |name: &str| {
            let packs = self.lawful.rules(name).map(|r| r.packs().iter().map(|p| format!("{p:?}")).collect::<Vec<_>>());
            format!("{name}={}", packs.unwrap_or_default().join(","))
        };
        self.lawful.names().map(one).collect::<Vec<_>>().join(";")
    }

    /// Takes up the files that changed; which registries have a new copy in force.
    pub fn look(&self, now: Timestamp) -> Vec<String> {
        let mut fresh = Vec::new();
        for shelf in &self.registries {
            if shelf.look() {
                fresh.push(shelf.served.name().to_owned());
            }
            let serving = shelf.serving(now);
            let age = serving.as_of.map_or(-1.0, |at| (now - at).ms() as f64 / 1000.0);
            crate::ops::metrics::registry(&serving.name, age, serving.closed);
        }
        fresh
    }
}

impl Shelf {
    fn look(&self) -> bool {
        let written = written(self.served.path());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_none() || *seen == written {
            return false;
        }
        let opened = self.served.reload();
        // A file that could not be read is tried again; one that was judged is not.
        if !matches!(opened, Err(autocall_dnc::OpenError::Io(_))) {
            *seen = written;
        }
        let fresh = opened.is_ok();
        self.note(opened.map_err(|e| e.to_string()), true);
        fresh
    }

    fn note(&self, opened: Result<(), String>, there: bool) {
        let name = self.served.name();
        let problem = match opened {
            Ok(()) => {
                tracing::info!(registry = name, version = %self.served.version().0, "serving a registry");
                None
            }
            Err(_) if !there => None,
            Err(why) => {
                tracing::error!(registry = name, problem = %why, "a registry's file was refused");
                Some(why)
            }
        };
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    fn serving(&self, now: Timestamp) -> Serving {
        let set = self.served.now();
        let as_of = set.as_ref().map(|s| s.about().as_of);
        Serving {
            name: self.served.name().to_owned(),
            version: set.as_ref().map(|s| s.about().version.as_str().into()),
            as_of,
            numbers: set.as_ref().map_or(0, |s| s.len()),
            age_max: self.age_max,
            closed: as_of.is_none_or(|at| now - at > self.age_max),
            problem: self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// What tells one file from another: when it was written, and its length.
fn written(path: &Path) -> Option<Written> {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// The registries that rules ask, each with the age that they allow its copy.
fn registries(rules: &CompiledRules) -> impl Iterator<Item = (String, Millis)> {
    rules.rules().filter(|rule| rule.is_on()).filter_map(|rule| match &rule.is {
        Kind::Suppression(List::Registry { name, age_max }) => Some((name.clone(), age_max.0)),
        _ => None,
    })
}

/// The sets of rules in a folder: each pack over every shipped one, by the pack's id. A folder that
/// is not there holds none.
pub fn overlays(folder: &Path) -> Result<Vec<(String, CompiledRules)>, String> {
    let mut out = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(out),
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    };
    let mut paths: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "toml"));
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let pack = Pack::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = pack.id.clone();
        if presets::names().any(|known| known == name) || out.iter().any(|(known, _)| *known == name) {
            return Err(format!("{}: the id {name:?} is taken; give the pack another one", path.display()));
        }
        let compiled = presets::compile("default", vec![pack]).ok_or("the shipped rules are missing")?;
        let rules = compiled.map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(|p| format!("{}: {p}", path.display())).collect();
            lines.join("\n")
        })?;
        out.push((name, rules));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use autocall_core::Phone;
    use autocall_dnc::{About, Builder};

    fn config(dir: &Path) -> Config {
        let flags =
            crate::config::Flags { data_dir: Some(dir.display().to_string()), ..crate::config::Flags::default() };
        Config::load(&flags).expect("a configuration")
    }
    fn build(path: &Path, version: &str, as_of: Timestamp, numbers: &[u64]) {
        let mut builder = Builder::new();
        numbers.iter().filter_map(|n| Phone::from_digits(*n)).for_each(|p| builder.insert(p));
        builder.write(path, About { name: "us-national".into(), version: version.into(), as_of }).expect("written");
    }
    fn us(book: &LawBook, now: Timestamp) -> Serving {
        book.serving(now).into_iter().find(|s| s.name == "us-national").expect("a rule asks it")
    }

    #[test]
    fn a_registry_is_served_replaced_and_closed_when_too_old() {
        let dir = tempfile::tempdir().expect("a folder");
        let config = config(dir.path());
        std::fs::create_dir_all(config.dnc_dir()).expect("made");
        let path = config.dnc_dir().join("us-national.set");
        let day = |n| Timestamp::from_secs(1_790_000_000) + Millis::from_days(n);
        let book = LawBook::open(&config).expect("opens without a registry");
        assert!(us(&book, day(0)).closed && us(&book, day(0)).version.is_none(), "nothing there: nobody is called");

        build(&path, "1", day(0), &[14_155_550_100]);
        book.look(day(0));
        let first = us(&book, day(31));
        assert_eq!((first.version.as_deref(), first.numbers, first.closed), (Some("1"), 1, false));
        assert_eq!(first.age_max, Millis::from_days(31));
        assert!(us(&book, day(31) + Millis::from_ms(1)).closed, "one day too old");

        std::fs::write(dir.path().join("half"), b"half a file").expect("written");
        std::fs::rename(dir.path().join("half"), &path).expect("renamed");
        *book.registries.iter().find(|s| s.served.name() == "us-national").expect("it").seen.lock().expect("fine") =
            None;
        book.look(day(1));
        let kept = us(&book, day(1));
        assert!(kept.problem.is_some() && kept.version.as_deref() == Some("1"), "{kept:?}");
    }

    #[test]
    fn overlays_are_named_by_their_packs_and_mistakes_are_explained() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(overlays(&dir.path().join("none")).expect("no folder is no overlay").is_empty());
        let pack = "id = \"mine\"\nversion = \"1\"\ntitle = \"Ours\"\n[[rule]]\nid = \"mine.noon\"\n\
                    title = \"Not at noon\"\njurisdiction = \"*\"\ncitation = \"house\"\nstatus = \"confirmed\"\n\
                    verified_on = \"2026-11-22\"\nis = { hours = { week = \"daily 13:00-20:00\" } }\n";
        std::fs::write(dir.path().join("mine.toml"), pack).expect("written");
        let found = overlays(dir.path()).expect("reads");
        assert_eq!(found[0].0, "mine");
        assert!(found[0].1.rules().any(|r| r.id == "mine.noon") && found[0].1.rules().any(|r| r.id == "us.tsr.hours"));
        std::fs::write(dir.path().join("mine.toml"), pack.replace("daily 13:00-20:00", "funday 13:00"))
            .expect("written");
        let wrong = overlays(dir.path()).expect_err("refused");
        assert!(wrong.contains("mine.toml") && wrong.contains("mine.noon"), "{wrong}");
        std::fs::write(dir.path().join("mine.toml"), pack.replace("\"mine\"", "\"default\"")).expect("written");
        assert!(overlays(dir.path()).expect_err("refused").contains("taken"));
    }
}
