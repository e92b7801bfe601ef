//! The services of the numbered examples. Each is a program that begins and ends with what it shows, so its file is compiled
//! here once more, as a module, and its traits are served by handlers that answer at once.

use std::time::Duration;

use sinew::{CallError, ServerBuilder, Status, Streaming};

macro_rules! example {
    ($name:ident, $file:literal) => {
        #[path = $file]
        #[expect(dead_code, reason = "a program, of which the services are taken")]
        mod $name;
    };
}

example!(hello, "../../../examples/src/bin/01_hello.rs");
example!(deadline, "../../../examples/src/bin/02_deadline.rs");
example!(streaming, "../../../examples/src/bin/03_streaming.rs");
example!(errors, "../../../examples/src/bin/04_errors.rs");
example!(inventory, "../../../examples/src/bin/05_test_your_service.rs");
example!(versions, "../../../examples/src/bin/06_versions.rs");

/// Answers.
struct Stand;

impl hello::Greeter for Stand {
    async fn greet(&self, name: String) -> String {
        name
    }
}

impl deadline::Station for Stand {
    async fn visit(&self, work: Duration) -> Result<Vec<String>, Status> {
        Ok(vec![format!("{work:?}")])
    }
}

impl streaming::Weather for Stand {
    async fn temperatures(
        &self,
        until: streaming::Until,
    ) -> Result<Streaming<f64>, streaming::SensorError> {
        match until {
            streaming::Until::Done => Ok(Streaming::iter([3.0, 2.5])),
            streaming::Until::Broken | streaming::Until::Gone => {
                Err(streaming::SensorError::Frozen)
            }
        }
    }

    async fn average(
        &self,
        mut readings: Streaming<f64>,
    ) -> Result<f64, CallError<streaming::SensorError>> {
        let mut sum = 0.0;
        while let Some(reading) = readings.next().await {
            sum += reading?;
        }
        Ok(sum)
    }

    async fn in_fahrenheit(
        &self,
        celsius: Streaming<f64>,
    ) -> Result<Streaming<f64>, streaming::SensorError> {
        Ok(celsius)
    }

    async fn photographs(&self) -> Result<Streaming<Vec<u8>>, streaming::SensorError> {
        Ok(Streaming::iter([vec![7; 32]]))
    }
}

impl errors::Bank for Stand {
    async fn withdraw(&self, _: String, cents: u64) -> Result<u64, errors::BankError> {
        Err(errors::BankError::TooLittle { cents })
    }
}

impl errors::Shop for Stand {
    async fn buy(&self, _: u64) -> Result<String, CallError<errors::ShopError>> {
        Err(CallError::App(errors::ShopError::Unpaid))
    }
}

impl inventory::Inventory for Stand {
    async fn take(&self, _: String, count: u32) -> Result<u32, inventory::StockError> {
        Err(inventory::StockError::Only(count))
    }
}

impl inventory::Shop for Stand {
    async fn order(&self, item: String, count: u32) -> Result<String, Status> {
        Ok(format!("{count} of {item}"))
    }
}

impl versions::new::Parcels for Stand {
    async fn track(&self, id: u64, note: Option<String>) -> versions::new::Parcel {
        versions::new::Parcel { id, state: versions::new::State::Delivered, note }
    }
}

/// All of them.
pub(super) fn serve(server: ServerBuilder) -> ServerBuilder {
    server
        .serve(hello::GreeterServer::new(Stand))
        .serve(deadline::StationServer::new(Stand))
        .serve(streaming::WeatherServer::new(Stand))
        .serve(errors::BankServer::new(Stand))
        .serve(errors::ShopServer::new(Stand))
        .serve(inventory::InventoryServer::new(Stand))
        .serve(inventory::ShopServer::new(Stand))
        .serve(versions::new::ParcelsServer::new(Stand))
}
