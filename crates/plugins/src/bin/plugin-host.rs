//! The child process by itself: what tests start in the place of the whole program.

fn main() -> std::process::ExitCode {
    plugins::child::main().into()
}
