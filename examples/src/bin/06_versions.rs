//! Two builds of one service meet, as they do in every rolling deploy.
//!
//! The old client knows nothing of `note` and `Status::Lost`; the new server does. They talk, and what the old side
//! cannot understand is an error that names it.

#![expect(clippy::print_stdout, reason = "a demo prints")]

use sinew::Mesh;

/// The service as it was built last month.
pub(crate) mod old {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    pub enum State {
        Sent,
        Delivered,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub struct Parcel {
        pub id: u64,
        pub state: State,
    }

    #[sinew::service(name = "post.Parcels")]
    pub trait Parcels {
        async fn track(&self, id: u64) -> Parcel;
    }
}

/// The service of today.
pub(crate) mod new {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize)]
    pub enum State {
        Sent,
        Lost { since_days: u32 },
        Delivered,
    }

    #[derive(Debug, Serialize, Deserialize)]
    pub struct Parcel {
        pub state: State,
        pub id: u64,
        pub note: Option<String>,
    }

    #[sinew::service(name = "post.Parcels")]
    pub trait Parcels {
        async fn track(&self, id: u64, language: Option<String>) -> Parcel;
    }
}

struct Office;

impl new::Parcels for Office {
    async fn track(&self, id: u64, language: Option<String>) -> new::Parcel {
        let state = match id {
            13 => new::State::Lost { since_days: 9 },
            even if even % 2 == 0 => new::State::Sent,
            _ => new::State::Delivered,
        };
        new::Parcel { id, state, note: language.map(|language| format!("in {language}")) }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mesh = Mesh::from_env().await?;
    let server = mesh.server().serve(new::ParcelsServer::new(Office)).bind("127.0.0.1:0").await?;
    let target = format!("static:{}", server.local_addr());

    let today: new::ParcelsClient = mesh.client_at(&target)?;
    println!("new client: {:?}", today.track(7, Some("Breton".into())).await?);

    let last_month: old::ParcelsClient = mesh.client_at(&target)?;
    println!("old client: {:?}", last_month.track(7).await?);
    match last_month.track(13).await {
        Ok(parcel) => println!("old client: {parcel:?}"),
        Err(status) => println!("old client, of a lost parcel: {}", status.message()),
    }
    println!("{:?}", sinew::codec_counts());
    Ok(())
}
