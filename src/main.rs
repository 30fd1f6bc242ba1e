//! The `palisade` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    palisade::cli::main()
}
