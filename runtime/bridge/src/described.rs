//! A method of a service that is known by its descriptor, and a client to call it by: what both ways of a gateway go through.

use std::sync::Arc;

use sinew::{
    AnswerMetadata, CallOptions, Code, Metadata, Status,
    descriptor::{Method, Service},
    dynamic::{DynamicClient, DynamicMethod},
};

/// A method that is called without its types.
#[derive(Debug)]
pub(crate) struct Described {
    client: DynamicClient,
    pub(crate) dynamic: DynamicMethod,
    pub(crate) service: Arc<Service>,
    at: usize,
}

impl Described {
    /// The method at this place of a service, called through this client.
    pub(crate) fn new(client: DynamicClient, service: Arc<Service>, at: usize) -> Self {
        let dynamic = DynamicMethod::new(&service, &service.methods[at]);
        Self { client, dynamic, service, at }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.service.methods[self.at]
    }

    /// The client of one call, with what its caller says beside the arguments; what its server says beside the answer is put
    /// into `told`.
    pub(crate) fn client(
        &self,
        told: &AnswerMetadata,
        has_deadline: bool,
        metadata: &Metadata,
    ) -> Result<DynamicClient, Status> {
        let mut options = CallOptions::new().answer_metadata(told);
        if !has_deadline {
            options = options.without_deadline_at_my_own_risk();
        }
        for (key, value) in metadata.iter() {
            options = options.metadata(key, value.clone()).map_err(|why| {
                Status::new(Code::InvalidArgument, format!("the metadata `{key}`: {why}"))
            })?;
        }
        Ok(self.client.with(options))
    }
}
