//! Those who use the airline with curl: they know nothing of sinew, and reach its gateway over plain HTTP.

use std::{net::SocketAddr, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use fastrand::Rng;
use serde_json::{Value, json};
use sinew::Mesh;
use sinew_bridge::ingress::Listening;
use tokio::{process::Command, sync::watch, task::JoinSet};

use crate::{
    Problem,
    api::{BookingId, FlightId, GatewayClient, Seat},
    tally::Tally,
    world::World,
};

/// So many of them. Each starts a process for each call, which is most of what that takes: it is no latency of ours, and is
/// not among those.
const TRAVELLERS: u32 = 2;
const THINKS: Duration = Duration::from_millis(300);
/// Their bookings have numbers that no other traveller has.
const FIRST: u32 = 1 << 24;

/// The way in for plain HTTP, and the program that comes in by it.
pub(crate) struct Door {
    http: Listening,
    /// None where this machine has no curl.
    curl: Option<PathBuf>,
}

impl Door {
    /// Opens it, in this process: the gateway's servers are found by name, like by anybody else.
    pub(crate) async fn open(mesh: &Mesh) -> Result<Self, Problem> {
        let described = sinew::describe::<GatewayClient>();
        let gateway = described.service("Gateway").ok_or("the gateway is not described")?;
        let ingress = sinew_bridge::ingress_to(mesh).title("The airline");
        let ingress = ingress.reach(gateway.clone(), mesh.dynamic("Gateway")).trusted();
        let http = ingress.bind("127.0.0.1:0").await?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let curl = std::env::split_paths(&path).map(|at| at.join("curl")).find(|at| at.is_file());
        Ok(Self { http, curl })
    }

    /// Lets them travel until `end` holds `true`; how many calls they made.
    pub(crate) async fn travel(
        &self,
        world: &Arc<World>,
        end: watch::Receiver<bool>,
        tally: &Tally,
    ) -> u64 {
        let Some(curl) = &self.curl else { return 0 };
        let mut travellers = JoinSet::new();
        for number in FIRST..FIRST + TRAVELLERS {
            let traveller = Traveller {
                number,
                calls: 0,
                bookings: 0,
                curl: curl.clone(),
                at: self.http.local_addr(),
                world: Arc::clone(world),
                tally: tally.clone(),
                rng: Rng::new(),
                end: end.clone(),
            };
            travellers.spawn(traveller.travel());
        }
        let mut calls = 0;
        while let Some(ended) = travellers.join_next().await {
            match ended {
                Ok(made) => calls += made,
                Err(error) => {
                    tally.wrong("a traveller with curl panicked".to_owned(), || error.to_string());
                }
            }
        }
        calls
    }
}

struct Traveller {
    number: u32,
    calls: u64,
    bookings: u64,
    curl: PathBuf,
    at: SocketAddr,
    world: Arc<World>,
    tally: Tally,
    rng: Rng,
    end: watch::Receiver<bool>,
}

/// What curl was answered.
struct Said {
    status: u16,
    /// Whether the call was processed: `yes`, `no`, `maybe`; empty where it succeeded.
    processed: String,
    body: Value,
}

impl Traveller {
    async fn travel(mut self) -> u64 {
        while self.think().await {
            let Some(flight) = self.plan().await else { continue };
            if self.think().await {
                self.book(flight).await;
            }
        }
        self.calls
    }

    async fn think(&mut self) -> bool {
        let thought = THINKS.mul_f64(2.0 * self.rng.f64());
        tokio::select! {
            () = tokio::time::sleep(thought) => true,
            _ = self.end.wait_for(|&end| end) => false,
        }
    }

    /// Runs curl; none where it could not even say why.
    async fn post(&mut self, method: &str, body: Value) -> Result<Said, String> {
        self.calls += 1;
        let url = format!("http://{}/Gateway/{method}", self.at);
        let mut command = Command::new(&self.curl);
        command.args(["-s", "--max-time", "12", "-H", "content-type: application/json"]);
        command.args(["-w", "\n%{http_code} %header{x-sinew-processed}"]);
        command.args(["--data-binary", &body.to_string(), &url]);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(|why| why.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, told) = text.rsplit_once('\n').ok_or("curl printed nothing")?;
        let (status, processed) = told.split_once(' ').unwrap_or((told, ""));
        Ok(Said {
            status: status.parse().map_err(|_| format!("`{told}` is no status"))?,
            processed: processed.to_owned(),
            body: serde_json::from_str(body).unwrap_or(Value::Null),
        })
    }

    async fn plan(&mut self) -> Option<FlightId> {
        let number = self.rng.u16(0..self.world.flights_a_day());
        let route = self.world.way_of(number).map(|way| way.route.clone())?;
        let wish = json!({ "wish": { "route": route, "day": 1, "pricing": "Tariff" } });
        let said = self.post("plan_trip", wish).await;
        match said {
            Ok(Said { status: 200, body, .. }) => {
                serde_json::from_value(body["flights"][0]["id"].clone()).ok()
            }
            Ok(said) => self.wrong("plan_trip", &said),
            Err(why) => self.broken(&why),
        }
    }

    async fn book(&mut self, flight: FlightId) -> Option<()> {
        let booking = BookingId(u64::from(self.number) << 32 | self.bookings);
        self.bookings += 1;
        let said = self.post("book", json!({ "booking": booking, "flight": flight })).await;
        match said {
            Ok(Said { status: 200, body, .. }) => {
                let seat: Seat = serde_json::from_value(body).ok()?;
                self.tally.booked(flight, seat);
            }
            Ok(Said { status: 422, body, .. }) if body == "SoldOut" => {
                self.tally.numbers().sold_out += 1;
            }
            Ok(said) if said.processed == "no" => {
                self.tally.numbers().not_run.push(booking);
                self.wrong::<()>("book", &said);
            }
            // The books tell.
            Ok(_) => self.tally.numbers().in_doubt.push(booking),
            Err(why) => {
                self.tally.numbers().in_doubt.push(booking);
                self.broken::<()>(&why);
            }
        }
        Some(())
    }

    fn wrong<T>(&self, method: &str, said: &Said) -> Option<T> {
        let cause = format!("curl was answered {} by {method}", said.status);
        self.tally.wrong(cause, || said.body.to_string());
        None
    }

    fn broken<T>(&self, why: &str) -> Option<T> {
        self.tally.wrong("curl failed".to_owned(), || why.to_owned());
        None
    }
}
