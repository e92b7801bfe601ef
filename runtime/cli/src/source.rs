//! Where a descriptor comes from: a file, standard input, a running server.

use std::io::Read as _;

use sinew::{CallOptions, Mesh, MeshError, descriptor::Descriptor, dynamic::DynamicClient};

use sinew_codegen::generate::openapi;

use crate::output::{self, Failure};

/// How long a server may take to say what it is.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// A descriptor out of what was named on the command line, and the name of the service where one was named.
pub(crate) async fn descriptor(source: &str) -> Result<Descriptor, Failure> {
    let text = if source == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|why| Failure::cannot(format!("standard input: {why}")))?;
        text
    } else if is_file(source) {
        std::fs::read_to_string(source)
            .map_err(|why| Failure::cannot(format!("{source}: {why}")))?
    } else {
        let (service, target) = split(source);
        let described = describe(&client(service, target).await?).await?;
        let one = described.service(service).cloned().ok_or_else(|| {
            Failure::cannot(format!("the server that answered has no service `{service}`"))
        })?;
        return Ok(Descriptor::new(vec![one]));
    };
    if openapi::is_openapi(&text) {
        let imported = openapi::import(&text, None)
            .map_err(|why| Failure::cannot(format!("{source} is no OpenAPI document:\n{why}")))?;
        for refusal in &imported.refused {
            output::note(&format!("not read: {refusal}"));
        }
        return Ok(imported.descriptor);
    }
    sinew_codegen::generate::read(&text)
        .map_err(|why| Failure::cannot(format!("{source} is no descriptor:\n{why}")))
}

fn is_file(source: &str) -> bool {
    source.ends_with(".json")
        || source.contains('/') && !source.contains('@')
        || std::path::Path::new(source).is_file()
}

fn split(source: &str) -> (&str, Option<&str>) {
    match source.split_once('@') {
        Some((service, target)) => (service, Some(target)),
        None => (source, None),
    }
}

/// A client of a service at a target, or wherever it is found.
pub(crate) async fn client(service: &str, target: Option<&str>) -> Result<DynamicClient, Failure> {
    let mesh = mesh().await?;
    match target {
        None => Ok(mesh.dynamic(service)),
        Some(target) => mesh.dynamic_at(service, target).map_err(of_mesh),
    }
}

/// The mesh of this user, or of the certificates that the environment names.
pub(crate) async fn mesh() -> Result<Mesh, Failure> {
    Mesh::from_env().await.map_err(|why| Failure::cannot(why.to_string()))
}

/// What the mesh does not do: a target that is none was typed wrong.
pub(crate) fn of_mesh(why: MeshError) -> Failure {
    match why {
        MeshError::Target { .. } => Failure::usage(why.to_string()),
        _ => Failure::cannot(why.to_string()),
    }
}

/// What a server says of itself.
pub(crate) async fn describe(client: &DynamicClient) -> Result<Descriptor, Failure> {
    let client = client.with(CallOptions::new().timeout(PATIENCE));
    client.describe().await.map_err(|status| Failure::cannot(status.to_string()))
}
