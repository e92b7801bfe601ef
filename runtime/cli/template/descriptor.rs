//! Prints what the service looks like, to be checked in: `sinew check` tells later what changed.

use new_service::GreeterClient;

fn main() -> serde_json::Result<()> {
    let descriptor = sinew::describe::<GreeterClient>();
    println!("{}", serde_json::to_string_pretty(&descriptor)?);
    Ok(())
}
