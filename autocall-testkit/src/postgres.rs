//! A Postgres server for tests, from the binaries that are installed: found on `PATH` or below
//! `/usr/lib/postgresql`, in a private folder, on a socket of its own. It goes when the process
//! that started the tests goes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A running server.
#[derive(Clone, Debug)]
pub struct Cluster {
    bin: PathBuf,
    dir: PathBuf,
    user: Option<&'static str>,
}

/// The folder with `initdb`, `pg_ctl` and the rest; the newest version where there are several.
pub fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|dir| dir.flatten().map(|e| e.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    places.extend(versions.into_iter().rev());
    // Some machines link only a few of them into a folder on the path.
    let needed = ["initdb", "pg_ctl", "createdb", "pg_isready", "pg_dump"];
    places.into_iter().find(|p| needed.iter().all(|name| p.join(name).exists()))
}

fn run(command: &mut Command) -> io::Result<()> {
    let out = command.stdin(Stdio::null()).output()?;
    if out.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&out.stderr);
    Err(io::Error::other(format!("{:?} failed: {}", command.get_program(), why.trim())))
}

impl Cluster {
    /// The one server of this test run, started by whichever test comes first. `None` where no
    /// binaries are installed.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn shared() -> Option<Cluster> {
        static SHARED: Mutex<Option<Cluster>> = Mutex::new(None);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.is_none() {
            let bin = binaries()?;
            // A test runner starts each test as a process of its own; all have one parent.
            let run = std::os::unix::process::parent_id();
            let dir = std::env::temp_dir().join(format!("autocall-pg-{run}"));
            let cluster = Cluster::at(bin, dir);
            cluster.start_once(run).unwrap_or_else(|e| panic!("Postgres for tests does not start: {e}"));
            *shared = Some(cluster);
        }
        shared.clone()
    }

    /// A server of one's own that writes through to the disk, for tests that kill it. It goes
    /// when this process goes.
    ///
    /// # Panics
    /// If the server does not start.
    pub fn own(name: &str) -> Option<Cluster> {
        let bin = binaries()?;
        let me = std::process::id();
        let cluster = Cluster::at(bin, std::env::temp_dir().join(format!("autocall-pg-{me}-{name}")));
        // A process of this number may have died here and left its folder behind.
        let _ = fs::remove_dir_all(&cluster.dir);
        cluster.make(true).and_then(|()| cluster.start()).unwrap_or_else(|e| panic!("Postgres does not start: {e}"));
        cluster.end_with(me).unwrap_or_else(|e| panic!("no guard for Postgres: {e}"));
        Some(cluster)
    }

    fn at(bin: PathBuf, dir: PathBuf) -> Cluster {
        // The server refuses to run as root.
        let root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
        let known = |name: &str| {
            let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
            users.lines().any(|l| l.starts_with(&format!("{name}:")))
        };
        let user = root.then(|| if known("postgres") { "postgres" } else { "nobody" });
        Cluster { bin, dir, user }
    }

    /// One of the server's programs, as the user that may run it.
    pub fn program(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir("/").env("PGHOST", &self.dir).env("PGUSER", "autocall");
        command
    }

    fn start_once(&self, run: u32) -> io::Result<()> {
        let lock = File::create(self.dir.with_extension("lock"))?;
        lock.lock()?;
        if self.data().join("postmaster.pid").exists() && self.is_up() {
            return Ok(());
        }
        let _ = fs::remove_dir_all(&self.dir);
        self.make(false)?;
        self.start()?;
        self.end_with(run)
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn make(&self, durable: bool) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        if let Some(user) = self.user {
            crate::postgres::run(Command::new("chown").arg(format!("{user}:")).arg(&self.dir))?;
        }
        let mut initdb = self.program("initdb");
        initdb.arg("-D").arg(self.data()).args([
            "-U",
            "autocall",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        crate::postgres::run(&mut initdb)?;
        let sync = if durable { "on" } else { "off" };
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 200\nfsync = {sync}\n\
             synchronous_commit = {sync}\nshared_buffers = 128MB\nmax_wal_size = 2GB\nlog_min_messages = fatal\n",
            self.dir.display()
        );
        let file = self.data().join("postgresql.auto.conf");
        fs::write(file, settings)
    }

    /// Starts it, and waits until it answers.
    pub fn start(&self) -> io::Result<()> {
        let mut start = self.program("pg_ctl");
        start.arg("-D").arg(self.data()).arg("-l").arg(self.dir.join("log")).args(["-w", "-t", "60", "start"]);
        // Its output must not be a pipe: the server would hold it open.
        let status = start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("pg_ctl start failed; see the log in its folder")) }
    }

    /// Stops it; `immediate` is a crash: nothing is written any more.
    pub fn stop(&self, immediate: bool) -> io::Result<()> {
        let mode = if immediate { "immediate" } else { "fast" };
        let mut stop = self.program("pg_ctl");
        stop.arg("-D").arg(self.data()).args(["-w", "-t", "60", "-m", mode, "stop"]);
        crate::postgres::run(&mut stop)
    }

    fn is_up(&self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if self.program("pg_isready").arg("-q").status().is_ok_and(|s| s.success()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }

    /// A small process that outlives this one: stops the server and removes its folder when the
    /// process `pid` is gone.
    fn end_with(&self, pid: u32) -> io::Result<()> {
        let script = "while kill -0 \"$1\" 2>/dev/null; do sleep 1; done; \
                      kill -QUIT \"$(head -1 \"$2/data/postmaster.pid\")\" 2>/dev/null; sleep 1; rm -rf \"$2\" \"$2.lock\"";
        let mut guard = Command::new("setsid");
        guard.args(["sh", "-c", script, "sh", &pid.to_string()]).arg(&self.dir);
        guard.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)
    }

    /// Makes a new database, and returns its address.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{n}", std::process::id());
        crate::postgres::run(self.program("createdb").arg(&name)).unwrap_or_else(|e| panic!("createdb: {e}"));
        self.url(&name)
    }

    /// Makes a new database of this name, and returns the name.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn database_named(&self, name: &str) -> String {
        crate::postgres::run(self.program("createdb").arg(name)).unwrap_or_else(|e| panic!("createdb: {e}"));
        name.to_owned()
    }

    /// Adds lines to the server's settings; they count from the next start on.
    pub fn set(&self, lines: &str) -> io::Result<()> {
        let mut file = File::options().append(true).open(self.data().join("postgresql.auto.conf"))?;
        io::Write::write_all(&mut file, format!("{lines}\n").as_bytes())
    }

    /// The address of a database.
    pub fn url(&self, name: &str) -> String {
        let host = self.dir.to_string_lossy().replace('/', "%2F");
        format!("postgres://autocall@{host}/{name}")
    }

    /// The server's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
