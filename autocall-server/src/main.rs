//! The `autocall` command.

/// Reports of calls are many small values that live briefly and change threads: the system's
/// allocator takes a fifth of the server's time for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    autocall_server::cli::main()
}
