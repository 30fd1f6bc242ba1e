//! The file of what gateways ask.

use std::path::PathBuf;

use super::{GatewayArgs, file::File};

impl GatewayArgs {
    /// `None` is asked by no gateway.
    pub(super) fn over(self, file: &mut File) -> Option<PathBuf> {
        self.gateway.or_else(|| file.gateway.take())
    }
}
