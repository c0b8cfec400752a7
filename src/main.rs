//! The binary of atex, which only calls the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    atex::cli::main()
}
