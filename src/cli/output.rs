//! What commands print. Whoever reads it may be gone or have no room, which must end nothing in a panic.

use std::fmt::Display;
use std::io::{self, Write};

/// A result on standard output, as a line.
pub(super) fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// What is wrong on standard error, as a line. There is nobody to tell if that fails.
pub(super) fn complain(line: impl Display) {
    let _nobody_reads = writeln!(io::stderr().lock(), "{line}");
}
