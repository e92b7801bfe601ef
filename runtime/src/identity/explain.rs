//! What a failed handshake means, in words for the person who has to act.
//!
//! # Why
//! TLS tells the other side one number, and QUIC a short text with it. "error 48" sends people to a
//! search engine; the id that was shown and the file to look at are known right here.

use sinew_core::spiffe::SpiffeId;

/// How rustls prints an error that carries ours.
const OURS: &str = "Other(OtherError(";

/// The longest text of a peer that is repeated: two long ids and the advice.
const REPEATED_MAX: usize = 600;

/// Which side gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusedBy {
    /// This process refused its peer.
    Us,
    /// The peer refused this process.
    Peer,
}

/// A handshake that failed, as the transport tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandshakeFailure<'a> {
    /// Who gave up.
    pub(crate) by: RefusedBy,
    /// The code of the close: TLS alerts are `0x100` to `0x1ff`.
    pub(crate) code: u64,
    /// The text of the error, or of the peer's close.
    pub(crate) text: &'a str,
}

impl HandshakeFailure<'_> {
    /// One sentence. `peer` is what the other side is to us: "server", "client" or "peer"; `ours`
    /// is who we showed to be, where the caller knows.
    pub(crate) fn explain(&self, peer: &str, ours: Option<&SpiffeId>) -> String {
        let ours = ours
            .map_or_else(|| "our certificate".to_owned(), |id| format!("our certificate `{id}`"));
        match (self.by, self.refusal()) {
            (RefusedBy::Us, Some(refusal)) => refusal,
            (RefusedBy::Us, None) => {
                format!("the TLS handshake with the {peer} failed here: {}", bounded(self.text))
            }
            (RefusedBy::Peer, Some(refusal)) => {
                format!("the {peer} refused {ours} and says: {refusal}")
            }
            (RefusedBy::Peer, None) => {
                let meaning = meaning_of_alert(self.code, &ours);
                let said = match bounded(self.text) {
                    nothing if nothing.is_empty() => nothing,
                    text => format!(" (it says: {text})"),
                };
                format!("the {peer} ended the handshake: {meaning}{said}")
            }
        }
    }

    /// The sentence of ours that the text holds, from whichever side.
    fn refusal(&self) -> Option<String> {
        let (_, inside) = self.text.split_once(OURS)?;
        // A close that did not fit into its packet has lost its end.
        let inside = inside.strip_suffix("))").unwrap_or(inside);
        Some(match self.by {
            RefusedBy::Us => inside.to_owned(),
            RefusedBy::Peer => bounded(inside),
        })
    }
}

/// A peer's text: printable, and not longer than any honest one.
fn bounded(text: &str) -> String {
    let printable = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    let text: String = text.chars().take(REPEATED_MAX).map(printable).collect();
    text.trim().to_owned()
}

fn meaning_of_alert(code: u64, ours: &str) -> String {
    let meaning = match code.saturating_sub(0x100) {
        42 => "it finds {} malformed: issue it anew",
        43 => {
            "{} is not for this use: issue it with client and server authentication, or with no \
             extended key usage"
        }
        44 => "{} is revoked there: issue another",
        45 => "{} is over or has not begun there: renew it, or set the clocks",
        46 => "it does not accept {}: its log says why",
        48 => {
            "it trusts another authority than that of {}: give both sides the same bundle \
             (`SINEW_BUNDLE`)"
        }
        49 => "it does not let {} in: have one issued of the other side's trust domain",
        51 => "a signature of {} cannot be verified there: its key or chain is wrong",
        116 => "it requires a certificate and none was shown: what called is no client of ours",
        120 => "it does not speak `sinew/1`: check the address and the version",
        112 => "it serves nobody of the name that was asked for: check the address",
        40 | 70 => {
            "there is no version or cipher of TLS that both sides know: update the older one"
        }
        80 => "it failed inside: its log says why",
        other => return format!("TLS alert {other}"),
    };
    meaning.replacen("{}", ours, 1)
}
