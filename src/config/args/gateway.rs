//! The flag of what gateways ask.

use std::path::PathBuf;

use clap::Args;

/// What the requests mean that gateways ask about.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Decisions")]
pub struct GatewayArgs {
    /// Answer nginx, Traefik and Envoy below `/proxy/`: this TOML file says what the requests that they
    /// ask about mean; read again when it changes
    #[arg(long, env = "PALISADE_GATEWAY", value_name = "FILE")]
    pub gateway: Option<PathBuf>,
}
