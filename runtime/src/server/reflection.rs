//! What a server says of itself to callers that do not have its crate: its services as data.
//!
//! # Why
//! Whoever may call a service may know what it takes. The answer is made when it is asked for first, off the threads that
//! serve: to learn each type closely takes too long for the way of a call.
//!
//! # Not here
//! Who may ask: whoever may call. `ServerBuilder::without_reflection` turns it off.

use std::sync::{Arc, OnceLock};

use sinew_core::codes::{Code, Reason};
use sinew_descriptor::Descriptor;

use super::{Handler, Service};
use crate::{codec, error::Status, reflect, transport::Reply};

/// The service that answers for these.
pub(super) fn service(services: &[Service]) -> Service {
    let served: Vec<_> = services.iter().map(|service| (service.name(), service.types())).collect();
    let known: Arc<OnceLock<Descriptor>> = Arc::default();
    let served = Arc::new(served);
    let handler = Handler::new(reflect::reflection(), move |_, request| {
        let (served, known) = (Arc::clone(&served), Arc::clone(&known));
        Box::pin(async move {
            let answer = tokio::task::spawn_blocking(move || {
                let all = known.get_or_init(|| {
                    let services = served.iter();
                    Descriptor::new(
                        services.map(|(name, types)| reflect::service(name, types)).collect(),
                    )
                });
                answer(all, &request.body)
            });
            answer.await.unwrap_or_else(|_| {
                Reply::Status(Status::new(Code::Internal, "a type panicked as it was learnt"))
            })
        })
    });
    Service::new(reflect::REFLECTION, vec![handler])
}

fn answer(all: &Descriptor, asked: &[u8]) -> Reply {
    let name = String::from_utf8_lossy(asked);
    let mut body = Vec::new();
    let written = match (name.is_empty(), all.service(&name)) {
        (true, _) => codec::encode(codec::MESSAGEPACK, all, &mut body),
        (false, Some(one)) => {
            codec::encode(codec::MESSAGEPACK, &Descriptor::new(vec![one.clone()]), &mut body)
        }
        (false, None) => {
            let names: Vec<_> = all.services.iter().map(|service| &*service.name).collect();
            return Reply::Status(Status::rejected(
                Code::NotFound,
                Reason::None,
                format!("there is no service `{name}` here; there is {}", names.join(", ")),
            ));
        }
    };
    match written {
        Ok(()) => Reply::Value { codec: codec::RAW, body },
        Err(error) => Reply::Status(Status::new(Code::Internal, error.to_string())),
    }
}
