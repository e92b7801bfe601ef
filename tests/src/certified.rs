//! A process whose certificates are in files, as issuers of certificates write them.

use std::path::PathBuf;

use sinew::{Identity, Mesh, MeshBuilder};

use crate::{
    Must as _,
    authority::{Authority, Issued},
    probe::Counting,
    scene::{ANYWHERE, Running, mesh_of},
    scrape::Scrape,
    scratch::Scratch,
};

/// A process whose certificates are in files.
#[derive(Debug)]
pub struct Process {
    id: String,
    /// Where its files are.
    pub scratch: Scratch,
    /// Its mesh.
    pub mesh: Mesh,
}

impl Process {
    /// Its certificate is of one authority, and it trusts some.
    pub async fn new(path: &str, of: &Authority, trusts: &[&Authority]) -> Self {
        Self::with(path, of, trusts, |builder| builder).await
    }

    /// The same, with a mesh that is otherwise built.
    pub async fn with(
        path: &str,
        of: &Authority,
        trusts: &[&Authority],
        build: impl FnOnce(MeshBuilder) -> MeshBuilder,
    ) -> Self {
        let (id, scratch) = (format!("spiffe://prod.example/{path}"), Scratch::new());
        write(&scratch, &of.issue(&id), trusts);
        let [cert, key, bundle] = files(&scratch);
        let identity = Identity::from_files(cert, key, bundle).must("an identity");
        let mesh = mesh_of(identity, build).await;
        Self { id, scratch, mesh }
    }

    /// Has a new certificate, and trusts others.
    pub fn renew(&self, of: &Authority, trusts: &[&Authority]) {
        write(&self.scratch, &of.issue(&self.id), trusts);
    }

    /// What its mesh counts.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        Scrape::of(&self.mesh).get(name, labels)
    }

    /// Connections that it has made.
    pub fn connected(&self) -> f64 {
        self.metric("sinew_client_connections_made_total", &[])
    }

    /// How often it has read new files.
    pub fn renewed(&self) -> f64 {
        self.metric("sinew_identity_loads_total", &[("result", "renewed")])
    }
}

/// Its certificate, its key and its bundle.
pub fn files(scratch: &Scratch) -> [PathBuf; 3] {
    ["cert.pem", "key.pem", "bundle.pem"].map(|name| scratch.join(name))
}

/// As issuers of certificates do it: one file after the other.
fn write(scratch: &Scratch, issued: &Issued, trusts: &[&Authority]) {
    let bundle: String = trusts.iter().map(|authority| authority.pem()).collect();
    let texts = [&issued.pem, &issued.key_pem, &bundle];
    for (file, text) in files(scratch).iter().zip(texts) {
        std::fs::write(file, text).must("a file");
    }
}

/// Serves a probe with its identity.
pub async fn serve(process: &Process, probe: &Counting) -> Running {
    let bound = process.mesh.server().serve(probe.server()).bind(ANYWHERE).await;
    Running::new(bound.must("a server"))
}
