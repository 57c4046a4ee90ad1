//! The `autocall` command.

fn main() -> std::process::ExitCode {
    autocall_server::cli::main()
}
