//! `serve`: tabs train on this machine's device, through Burn's remote backend.
//!
//! A browser reaches the server only through a relay, which passes on what the two encrypt. Both are in this process.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use burn::{
    remote::IrohRelays,
    server::{IrohIdentity, IrohTransport, RemoteServer, TokenAuthorizer},
};
use clap::ArgMatches;
use inkling_core::remote::{ServerLink, pass};
use inkling_train::device::Backend;
use iroh_relay::server::{Access, AccessControl, ClientRequest, RelayConfig, Server, ServerConfig};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::{runtime::Runtime, signal::ctrl_c};

use crate::{
    backend,
    error::CliError,
    options,
    report::{print, put},
};

/// A line for programs.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Serving { address: &'a str, link: &'a str },
}

/// Serves until Ctrl-C.
pub fn serve(matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let backend = backend::open(options::backend_choice(matches)?)?;
    let identity = match matches.get_one::<PathBuf>("key") {
        None => IrohIdentity::random(),
        Some(path) => {
            IrohIdentity::load_or_create(path).map_err(|source| CliError::Read { path: path.clone(), source })?
        }
    };
    let runtime = Runtime::new().map_err(|error| CliError::Failed(format!("no thread could be started: {error}")))?;
    runtime.block_on(run(backend, identity, matches))
}

async fn run(backend: Backend, identity: IrohIdentity, matches: &ArgMatches) -> Result<ExitCode, CliError> {
    let listen = matches.get_one("listen").copied().unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
    let token = token(&identity);
    let relay = relay(listen, &token).await?;
    let own = format!("http://{}", reachable(relay.http_addr().unwrap_or(listen)));
    let public = matches.get_one::<String>("address").unwrap_or(&own);
    let through = |relay: &str| {
        ServerLink::new(relay, &identity.id().to_string(), &token)
            .map_err(|error| CliError::Usage(format!("--address {relay}: {error}")))
    };
    let link = through(public)?;
    let id = link.short_id().to_string();
    let url = through(&own)?.way_in().parse().map_err(|error| CliError::Failed(format!("{own}: {error}")))?;
    let server = RemoteServer::new([backend.device])
        .with_authorizer(TokenAuthorizer::new(token).map_err(|error| CliError::Failed(error.to_string()))?);
    let transport = IrohTransport::new(identity).with_relays(IrohRelays::Private { url });
    let page = matches.get_one::<String>("page").map_or("", |page| page);
    let link = format!("{page}?backend=remote#server={link}");
    if matches.get_flag("json") {
        print(&Line::Serving { address: public, link: &link });
    } else {
        put(&format!(
            "{} trains for whoever opens this link:\n\n  {link}\n\nThe page shows {id}, this server's first digits. Ctrl-C ends it.",
            backend.info.adapter
        ));
    }
    tokio::select! {
        served = server.serve_async(transport) => served.map_err(|error| CliError::Failed(format!("the server ended: {error}")))?,
        _ = ctrl_c() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Who may use the relay: whoever has the link.
struct Guests {
    pass: String,
}

/// Without the pass, which a log must not have.
impl fmt::Debug for Guests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guests")
    }
}

impl AccessControl for Guests {
    async fn on_connect(&self, request: &ClientRequest) -> Access {
        match request.auth_token().is_some_and(|pass| pass == self.pass) {
            true => Access::Allow,
            false => Access::Deny { reason: None },
        }
    }
}

/// A relay that listens on `listen`, without TLS: it is for this machine, or stands behind a web server that has a certificate.
async fn relay(listen: SocketAddr, token: &str) -> Result<Server, CliError> {
    let mut relay = RelayConfig::new(listen);
    relay.access = Arc::new(Guests { pass: pass(token).into() });
    let mut config: ServerConfig = ServerConfig::default();
    config.relay = Some(relay);
    Server::spawn(config)
        .await
        .map_err(|error| CliError::Failed(format!("nothing can listen on {listen}: {error}; choose another --listen")))
}

/// An address at which this process itself reaches what listens on `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => (IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()).into(),
        _ => address,
    }
}

/// What lets a tab in. It follows from the server's secret key, so a server that starts again with its key has the same link.
fn token(identity: &IrohIdentity) -> String {
    let digest = Sha256::new().chain_update(b"inkling serve").chain_update(identity.to_bytes()).finalize();
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
