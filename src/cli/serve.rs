//! `palisade serve`: load, listen, look for changes, and stop in good order.

use clap::Args;

use crate::config::ServeArgs;

use super::{Exit, Failure};

/// Answer questions over local HTTP, with policies that stay in force as their files change
///
/// Every flag can be given as the variable beside it, or as a key of the file that `--config`
/// names. A flag wins over a variable, and a variable over the file. SIGTERM and SIGINT drain:
/// `/readyz` says so for the grace period, then the listeners close and what is in flight ends.
/// A second signal ends at once.
#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    args: ServeArgs,
}

impl Serve {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let _config = self.args.resolve()?;
        Err(Failure::runtime("not wired yet"))
    }
}
