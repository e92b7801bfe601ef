//! The service in this process: the client, the encoding and the deadlines are those of production,
//! only the network is left out.

use std::time::Duration;

use sinew::{CallError, CallOptions, Code};

use new_service::*;

#[tokio::test]
async fn people_are_greeted_by_name() {
    let greeter = GreeterClient::local(Polite::default());
    let greeting = greeter.greet("Ada".to_owned()).await.unwrap();
    assert_eq!(greeting.text, "Good day, Ada!");
    assert_eq!(greeting.number, 1);
}

#[tokio::test]
async fn nobody_is_greeted_without_a_name() {
    let greeter = GreeterClient::local(Polite::default());
    let refused = greeter.greet(String::new()).await;
    assert!(matches!(refused, Err(CallError::App(GreetError::Nameless))));
}

/// A mock is one more implementation.
struct Speechless;

impl Greeter for Speechless {
    async fn greet(&self, _name: String) -> Result<Greeting, GreetError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_call_ends_in_time_when_the_server_hangs() {
    let hurry = CallOptions::new().timeout(Duration::from_millis(50));
    let greeter = GreeterClient::local(Speechless).with(hurry);
    let late = greeter.greet("Ada".to_owned()).await.unwrap_err();
    assert_eq!(late.status().unwrap().code(), Code::DeadlineExceeded);
}
