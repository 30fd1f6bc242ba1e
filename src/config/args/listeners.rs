//! The flags of the two listeners: the same for both, those of the second begin with `admin-`.

use std::path::PathBuf;

use clap::Args;

use crate::config::{
    Address,
    listener::{Said, SocketMode},
};

/// Where decisions are answered, and for whom.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Listeners")]
pub struct DecisionsArgs {
    /// Answer decisions here [default: 127.0.0.1:8180]
    #[arg(
        long, env = "PALISADE_LISTEN", value_name = "ADDR|unix:PATH",
        num_args = 1.., value_delimiter = ','
    )]
    pub listen: Vec<Address>,
    /// The mode of socket files, in octal [default: 0660]
    #[arg(long, env = "PALISADE_SOCKET_MODE", value_name = "MODE")]
    pub socket_mode: Option<SocketMode>,
    /// Let only these users connect to socket files [default: whom the mode lets in]
    #[arg(
        long, env = "PALISADE_ALLOW_UID", value_name = "UID",
        num_args = 1.., value_delimiter = ','
    )]
    pub allow_uid: Vec<u32>,
    /// Speak TLS on TCP addresses with the certificate in this PEM file; read again when it changes
    #[arg(
        long,
        env = "PALISADE_TLS_CERT",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub tls_cert: Option<PathBuf>,
    /// The private key of the certificate, a PEM file
    #[arg(
        long,
        env = "PALISADE_TLS_KEY",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub tls_key: Option<PathBuf>,
    /// Demand a certificate of the caller, from one of the authorities in this PEM file
    #[arg(
        long,
        env = "PALISADE_TLS_CLIENT_CA",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub tls_client_ca: Option<PathBuf>,
    /// Demand one of the credentials in this TOML file; read again when it changes
    #[arg(
        long,
        env = "PALISADE_CREDENTIALS",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub credentials: Option<PathBuf>,
}

/// Where the admin pages are, and for whom.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Admin listener")]
pub struct AdminArgs {
    /// Serve metrics, health and status here [default: 127.0.0.1:9180]
    #[arg(long, env = "PALISADE_ADMIN_LISTEN", value_name = "ADDR|unix:PATH")]
    pub admin_listen: Option<Address>,
    /// As `--socket-mode`
    #[arg(long, env = "PALISADE_ADMIN_SOCKET_MODE", value_name = "MODE")]
    pub admin_socket_mode: Option<SocketMode>,
    /// As `--allow-uid`
    #[arg(
        long, env = "PALISADE_ADMIN_ALLOW_UID", value_name = "UID",
        num_args = 1.., value_delimiter = ','
    )]
    pub admin_allow_uid: Vec<u32>,
    /// As `--tls-cert`
    #[arg(
        long,
        env = "PALISADE_ADMIN_TLS_CERT",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub admin_tls_cert: Option<PathBuf>,
    /// As `--tls-key`
    #[arg(
        long,
        env = "PALISADE_ADMIN_TLS_KEY",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub admin_tls_key: Option<PathBuf>,
    /// As `--tls-client-ca`
    #[arg(
        long,
        env = "PALISADE_ADMIN_TLS_CLIENT_CA",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub admin_tls_client_ca: Option<PathBuf>,
    /// As `--credentials`, for all but `/livez` and `/readyz`
    #[arg(
        long,
        env = "PALISADE_ADMIN_CREDENTIALS",
        value_name = "FILE",
        allow_hyphen_values = true
    )]
    pub admin_credentials: Option<PathBuf>,
}

impl From<DecisionsArgs> for Said {
    fn from(args: DecisionsArgs) -> Self {
        Self {
            addresses: args.listen,
            socket_mode: args.socket_mode,
            allow_uid: args.allow_uid,
            tls_cert: args.tls_cert,
            tls_key: args.tls_key,
            tls_client_ca: args.tls_client_ca,
            credentials: args.credentials,
        }
    }
}

impl From<AdminArgs> for Said {
    fn from(args: AdminArgs) -> Self {
        Self {
            addresses: args.admin_listen.into_iter().collect(),
            socket_mode: args.admin_socket_mode,
            allow_uid: args.admin_allow_uid,
            tls_cert: args.admin_tls_cert,
            tls_key: args.admin_tls_key,
            tls_client_ca: args.admin_tls_client_ca,
            credentials: args.admin_credentials,
        }
    }
}
