//! `rts admin drain`

use std::process::ExitCode;

use anyhow::bail;
use rts_server::cluster::NodeName;
use serde_json::Value;

use super::client::Client;
use super::cluster::Cluster;
use crate::out::say;

#[derive(Debug, clap::Args)]
pub(super) struct DrainArgs {
    /// The name of the node; the server at --url must be this one [default: that server]
    #[arg(long, value_name = "NAME", value_parser = |name: &str| NodeName::new(name))]
    node: Option<NodeName>,
    /// Take the order back: the node takes links and homes again
    #[arg(long)]
    cancel: bool,
}

impl DrainArgs {
    pub(super) async fn run(self, client: &Client, as_json: bool) -> anyhow::Result<ExitCode> {
        let path = if self.cancel { "/cluster/reopen" } else { "/cluster/drain" };
        let query = self.node.map(|node| format!("node={node}"));
        let answer: Value = client.order(path, query.as_deref()).await?;
        if let Some(problem) = answer["problems"][0].as_str() {
            bail!("the server refused: {problem}");
        }
        if as_json {
            say(&answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let node = Cluster::read(&answer)?.node;
        let what = match self.cancel {
            true => "takes links and homes again",
            false => "drains; `rts admin cluster` shows how far it is",
        };
        say(format_args!("node {node} {what}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
