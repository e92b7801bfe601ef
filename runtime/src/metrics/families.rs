//! Every metric that there is: its name, its kind, its labels and what it says. docs/metrics.md has the same table.
//!
//! # Invariants
//! 1. A label's values come from a program's own text (services, methods), from a closed list (results, causes), or from
//!    the endpoints that a client knows, of which so many have series of their own as `limits.rs` says. No request can
//!    bring one.

/// What a metric's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, from zero when the process starts.
    Counter,
    /// It is as it is when somebody looks.
    Gauge,
    /// Counts of times by how long they were.
    Histogram,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! families {
    ($($family:ident $kind:ident $name:literal [$($label:literal),*] $help:literal)+) => {
        /// One metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Family { $($family),+ }

        impl Family {
            /// All of them, in the order in which they are written.
            pub(super) const ALL: &[Self] = &[$(Self::$family),+];

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$family => $name),+ }
            }

            pub(super) const fn kind(self) -> Kind {
                match self { $(Self::$family => Kind::$kind),+ }
            }

            pub(super) const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$family => &[$($label),*]),+ }
            }

            pub(super) const fn help(self) -> &'static str {
                match self { $(Self::$family => $help),+ }
            }
        }
    };
}

families! {
    Calls Counter "sinew_client_calls_total" ["service", "method", "result"]
        "Calls that ended, all attempts of one together, by what they came to."
    CallSeconds Histogram "sinew_client_call_duration_seconds" ["service", "method"]
        "What they took, from the first step until the answer was read; a stream's until it began."
    Attempts Counter "sinew_client_attempts_total" ["service", "method"]
        "Attempts of calls that ended."
    Retries Counter "sinew_client_retries_total" ["service", "method", "cause"]
        "Attempts after one that failed, by why that one failed."
    RetriesRefused Counter "sinew_client_retries_refused_total" ["service", "method", "why"]
        "Retries that were not made although the failure allowed one, by what was missing."
    Hedges Counter "sinew_client_hedges_total" ["service", "method"]
        "Attempts beside one that had not been answered yet."
    HedgesWon Counter "sinew_client_hedges_won_total" ["service", "method"]
        "Of those, the ones that answered first."
    HedgesWasted Counter "sinew_client_hedges_wasted_total" ["service", "method"]
        "Attempts that were taken back because another of the same call answered first."
    BulkheadWaits Counter "sinew_client_bulkhead_waits_total" ["service", "method"]
        "Calls that found no place among those that are out, and waited for one."
    BulkheadRefusals Counter "sinew_client_bulkhead_refusals_total" ["service", "method"]
        "Of those, the ones that got none."
    Throttled Counter "sinew_client_throttled_total" ["service", "method"]
        "Calls that the client held back because the servers refuse most."
    Mirrored Counter "sinew_client_mirrored_total" ["service", "method", "outcome"]
        "Copies of calls, by what became of them; they are counted nowhere else."
    RetryBudget Gauge "sinew_client_retry_budget" ["service"]
        "Retries that may be made now, over all clients of the service."
    Endpoints Gauge "sinew_client_endpoints" ["service", "state"]
        "Endpoints that are known, each in one state, over all clients of the service."
    Panic Gauge "sinew_client_panic" ["service"]
        "Clients of the service for which so many breakers are open that none counts."
    Clients Gauge "sinew_client_clients" ["service"]
        "Clients of the service that this process has."
    EndpointAttempts Counter "sinew_client_endpoint_attempts_total" ["service", "endpoint"]
        "Attempts sent there."
    EndpointFailures Counter "sinew_client_endpoint_failures_total" ["service", "endpoint", "kind"]
        "Of those, the ones that count against the endpoint."
    EndpointInFlight Gauge "sinew_client_endpoint_in_flight" ["service", "endpoint"]
        "Attempts at work there."
    EndpointBreaker Gauge "sinew_client_endpoint_breaker_state" ["service", "endpoint"]
        "0: closed, 1: just closed again, 2: one call tries, 3: open."
    EndpointEjections Counter "sinew_client_endpoint_ejections_total" ["service", "endpoint", "cause"]
        "How often its breaker opened, or would have if not too many others were out."
    EndpointLatency Gauge "sinew_client_endpoint_latency_seconds" ["service", "endpoint"]
        "What an answer from there is expected to take."
    ConnectionsMade Counter "sinew_client_connections_made_total" ["service", "endpoint"]
        "Connections that came about."
    ConnectionsFailed Counter "sinew_client_connections_failed_total" ["service", "endpoint"]
        "Attempts to connect that failed."
    ConnectionsLost Counter "sinew_client_connections_lost_total" ["service", "endpoint", "cause"]
        "Connections that take no more calls, by why."
    ServedCalls Counter "sinew_server_calls_total" ["service", "method", "result"]
        "Handlers that ended and were answered for, by what they came to."
    ServedSeconds Histogram "sinew_server_call_duration_seconds" ["service", "method"]
        "What handlers took, from their first poll until they were gone; those that were cancelled too."
    ServedCancelled Counter "sinew_server_cancelled_total" ["service", "method"]
        "Handlers that were dropped because nobody waited for them any more."
    ServedPanics Counter "sinew_server_panics_total" ["service", "method"]
        "Handlers that panicked; they are among the calls, as `Internal`."
    Refused Counter "sinew_server_refused_total" ["reason"]
        "Requests that never got to a handler, by why."
    ServerInFlight Gauge "sinew_server_in_flight" []
        "Calls that this process is serving."
    ServerWaiting Gauge "sinew_server_waiting" []
        "Calls that wait for their turn."
    ServerLimit Gauge "sinew_server_concurrency_limit" []
        "How many calls its servers work on at once at most, together; nothing where one has no limit."
    ServerAdmitted Gauge "sinew_server_admitted_ratio" []
        "The share of the levels of criticality and user that is admitted; below 1 calls are shed."
    ServerConnections Gauge "sinew_server_connections" []
        "Connections that its servers have, those in the handshake included."
    ServerAccepted Counter "sinew_server_connections_total" ["result"]
        "Connections that came, by what became of them."
    PolicyVersion Gauge "sinew_policy_version" []
        "How many documents of policy have been in force so far; 0 while there are only the defaults."
    PolicyLoads Counter "sinew_policy_loads_total" ["result"]
        "Documents of policy that came, by what became of them."
    PolicyRefused Gauge "sinew_policy_refused" []
        "1 while what came last is not in force."
    IdentityLoads Counter "sinew_identity_loads_total" ["result"]
        "Certificates that were found renewed in their files, by what became of them."
    IdentityRefused Gauge "sinew_identity_refused" []
        "1 while what is in the files is not what is shown and trusted."
    LostContexts Counter "sinew_lost_contexts_total" []
        "Calls made without the context of the call that they belong to, in a process that serves."
    Codecs Counter "sinew_codec_uses_total" ["codec"]
        "Attempts sent and requests served in each codec, by the whole process."
}
