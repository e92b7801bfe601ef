//! `sinew list`: where servers are, as a client would hear it.

use serde_json::{Value, json};
use sinew::{CallOptions, Listing, Mesh, dynamic::DynamicClient};
use tokio::task::JoinSet;

use crate::{
    args::List,
    output::{self, Failure},
    source,
};

/// How many servers are asked at a time what they serve.
const ASKED_AT_ONCE: usize = 16;

/// A server of a target: where it is, and the names of what it serves, or why they are not known.
type Asked = (Listing, Result<Vec<String>, String>);

pub(crate) async fn run(args: List, json: bool) -> Result<(), Failure> {
    let mesh = source::mesh().await?;
    match args.at {
        Some(target) => {
            let service = named(args.service, &target)?;
            at(&mesh, &service, &target, json).await
        }
        None => announced(&mesh, args.service.as_deref(), json),
    }
}

/// The service whose servers are asked: who may answer follows from its name.
fn named(service: Option<String>, target: &str) -> Result<String, Failure> {
    let of_target = || {
        let name = target.strip_prefix("sinew:").or_else(|| target.strip_prefix("etcd:"));
        name.map(str::to_owned)
    };
    service.or_else(of_target).ok_or_else(|| {
        Failure::usage(format!(
            "whose servers are at `{target}`? A server proves that it is the service that is asked for, so name one: \
             `sinew list SERVICE --at {target}`"
        ))
    })
}

fn announced(mesh: &Mesh, service: Option<&str>, json: bool) -> Result<(), Failure> {
    let mut listed = mesh.announced().map_err(|why| Failure::cannot(why.to_string()))?;
    if let Some(service) = service {
        listed.retain(|one| one.service == service);
        if listed.is_empty() {
            return Err(Failure::cannot(format!(
                "nobody announces `{service}` on this machine, or where `SINEW_DISCOVERY` says; `sinew list` shows who announces \
                 what"
            )));
        }
    }
    if json {
        return output::json(&listed.iter().map(as_json).collect::<Vec<_>>());
    }
    if listed.is_empty() {
        output::note(
            "no server of this user announces itself on this machine, or where `SINEW_DISCOVERY` says",
        );
        return Ok(());
    }
    let rows: Vec<_> = listed.iter().map(row).collect();
    output::table(&NAMES, &rows)
}

async fn at(mesh: &Mesh, service: &str, target: &str, json: bool) -> Result<(), Failure> {
    let listing = tokio::time::timeout(source::PATIENCE, mesh.listed(service, target));
    let late = || Failure::cannot(format!("`{target}` gave no list within {:?}", source::PATIENCE));
    let listed = listing.await.map_err(|_| late())?.map_err(source::of_mesh)?;
    if listed.is_empty() {
        return Err(Failure::cannot(format!("`{target}` lists no server of `{service}`")));
    }
    let mut asked = Vec::new();
    for some in listed.chunks(ASKED_AT_ONCE) {
        asked.append(&mut ask(mesh, some).await);
    }
    if json {
        return output::json(&asked.iter().map(asked_as_json).collect::<Vec<_>>());
    }
    let rows: Vec<_> = asked
        .iter()
        .map(|(listing, serves)| {
            let serves = match serves {
                Ok(services) => services.join(", "),
                Err(why) => format!("does not say: {why}"),
            };
            row(listing).into_iter().chain([serves]).collect()
        })
        .collect();
    let names: Vec<_> = NAMES.into_iter().chain(["SERVES"]).collect();
    output::table(&names, &rows)
}

/// Asks servers what they serve, side by side; they stay in their order.
async fn ask(mesh: &Mesh, some: &[Listing]) -> Vec<Asked> {
    let mut asking = JoinSet::new();
    for (at, listing) in some.iter().enumerate() {
        // Each alone, so that nobody answers in the place of another.
        let client = mesh.dynamic_at(&listing.service, format!("static:{}", listing.address));
        asking.spawn(async move {
            match client {
                Ok(client) => (at, serves(&client).await),
                Err(why) => (at, Err(why.to_string())),
            }
        });
    }
    let mut answers = asking.join_all().await;
    answers.sort_by_key(|(at, _)| *at);
    some.iter().cloned().zip(answers.into_iter().map(|(_, serves)| serves)).collect()
}

async fn serves(client: &DynamicClient) -> Result<Vec<String>, String> {
    let client = client.with(CallOptions::new().timeout(source::PATIENCE));
    let described = client.describe().await.map_err(|status| status.message().to_owned())?;
    Ok(described.services.into_iter().map(|service| service.name).collect())
}

const NAMES: [&str; 7] = ["SERVICE", "ENDPOINT", "PROCESS", "WEIGHT", "ZONE", "LABELS", "IDENTITY"];

/// A listing as cells; what it does not say is a dash, so that columns can be counted.
fn row(listing: &Listing) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let labels: Vec<_> =
        listing.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    vec![
        listing.service.clone(),
        listing.address.clone(),
        or_dash(listing.process.map(|process| process.to_string())),
        listing.weight.to_string(),
        or_dash(listing.zone.clone()),
        or_dash((!labels.is_empty()).then(|| labels.join(","))),
        or_dash(listing.identity.as_ref().map(ToString::to_string)),
    ]
}

fn as_json(listing: &Listing) -> Value {
    json!({
        "service": listing.service,
        "endpoint": listing.address,
        "process": listing.process,
        "weight": listing.weight,
        "zone": listing.zone,
        "labels": listing.labels,
        "identity": listing.identity.as_ref().map(ToString::to_string),
    })
}

fn asked_as_json((listing, serves): &Asked) -> Value {
    let mut value = as_json(listing);
    let (key, said) = match serves {
        Ok(services) => ("serves", json!(services)),
        Err(why) => ("problem", json!(why)),
    };
    value[key] = said;
    value
}
