//! Prints what each program costs the verifier: `cargo run -p peregrine-probe --example verifier`.

use probe::{Backend, verifier_costs};

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), probe::Error> {
    let backend = match std::env::args().nth(1).as_deref() {
        Some("tracepoint") => Backend::Tracepoint,
        Some("fexit") => Backend::Fexit,
        _ => Backend::Dispatch,
    };
    for cost in verifier_costs(backend)? {
        println!(
            "{:24} {:6} {:8}",
            cost.name, cost.instructions, cost.verified
        );
    }
    Ok(())
}
