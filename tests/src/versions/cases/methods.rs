//! Methods and their arguments, errors and streams.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::from([argument_optional_added::case()])
}

by_hand! {
    argument_optional_added "versions.argument_optional_added";
    v1 {
        #[sinew::service(name = "versions.argument_optional_added")]
        trait Api {
            async fn book(&self, room: u32) -> String;
        }
        impl Api for Handled {
            async fn book(&self, room: u32) -> String {
                self.ran(format!("{room}"))
            }
        }
    }
    calls(client) {
        Argument Fallback client.book(7) => sees("7 None");
    }
    v2 {
        #[sinew::service(name = "versions.argument_optional_added")]
        trait Api {
            async fn book(&self, room: u32, note: Option<String>) -> String;
        }
        impl Api for Handled {
            async fn book(&self, room: u32, note: Option<String>) -> String {
                self.ran(format!("{room} {note:?}"))
            }
        }
    }
    calls(client) {
        Argument Fallback client.book(7, None) => sees("7");
        Argument Fallback client.book(7, Some("x".into())) => sees("7");
    }
}
