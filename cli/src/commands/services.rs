//! `osctl services start|stop|restart`.

use anyhow::Result;
use api::v1alpha1::machine_service_client::MachineServiceClient;
use api::v1alpha1::{OrderServiceRequest, ServiceOrder};
use clap::Subcommand;
use serde::Serialize;

use crate::fleet::Session;
use crate::output::{self, Format};

/// What there is to order.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a service, at once even if it waits for its next try
    Start(Service),
    /// Stop a service until it is started by this command, or the node starts again
    Stop(Service),
    /// Stop a service and start it again
    Restart(Service),
}

/// Which service.
#[derive(Debug, clap::Args)]
pub(crate) struct Service {
    /// Its id, as `osctl services` lists it
    #[arg(value_name = "SERVICE")]
    id: String,
}

/// What became of an order.
#[derive(Serialize)]
struct Done<'a> {
    service: &'a str,
    result: &'static str,
}

/// Gives an order to nodes. It holds whatever becomes of this program.
pub(crate) async fn run(session: &Session, command: &Command, format: Format) -> Result<()> {
    let (service, order, result) = match command {
        Command::Start(service) => (service, ServiceOrder::Start, "starts"),
        Command::Stop(service) => (service, ServiceOrder::Stop, "stops"),
        Command::Restart(service) => (service, ServiceOrder::Restart, "restarts"),
    };
    let service = service.id.as_str();
    let answers = session
        .each_changed(|channel| async move {
            let request = OrderServiceRequest {
                service: service.to_owned(),
                order: order.into(),
            };
            MachineServiceClient::new(channel)
                .order_service(request)
                .await?;
            Ok(Done { service, result })
        })
        .await?;
    if format == Format::Table {
        for (node, done) in &answers.good {
            output::line(&format!("{node}: {service} {}", done.result))?;
        }
    } else {
        output::values_per_node(format, &answers.good)?;
    }
    answers.finish()
}
