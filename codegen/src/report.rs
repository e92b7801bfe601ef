//! Collected mistakes: each has a place and a message, and all of them are reported at once.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

use crate::messages::Message;

/// Where something stands in the user's source: its first and its last token.
///
/// Two spans, because stable Rust cannot join them; the compiler does when it prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    first: Span,
    last: Span,
}

impl Spot {
    /// The place that `tokens` cover. No tokens: the macro's own call.
    pub(crate) fn of(tokens: &impl ToTokens) -> Self {
        let mut trees = tokens.to_token_stream().into_iter();
        let Some(head) = trees.next() else {
            return Self::at(Span::call_site());
        };
        let tail = trees.last().unwrap_or_else(|| head.clone());
        Self { first: open(&head), last: close(&tail) }
    }

    /// A single span.
    pub(crate) fn at(span: Span) -> Self {
        Self { first: span, last: span }
    }

    /// The place as one span: that of its first token.
    pub(crate) fn start(self) -> Span {
        self.first
    }
}

fn open(tree: &TokenTree) -> Span {
    group(tree).map_or_else(|| tree.span(), Group::span_open)
}

fn close(tree: &TokenTree) -> Span {
    group(tree).map_or_else(|| tree.span(), Group::span_close)
}

fn group(tree: &TokenTree) -> Option<&Group> {
    match tree {
        TokenTree::Group(group) => Some(group),
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    }
}

/// The mistakes found so far, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    mistakes: Vec<(Spot, Message)>,
}

impl Report {
    /// Adds a mistake.
    pub(crate) fn push(&mut self, at: Spot, message: Message) {
        self.mistakes.push((at, message));
    }

    /// How many mistakes there are, to tell whether a step added any.
    pub(crate) fn len(&self) -> usize {
        self.mistakes.len()
    }

    /// What is wrong, without its place and without what to write instead: for who wrote no code.
    #[cfg(feature = "tools")]
    pub(crate) fn words(&self) -> Vec<String> {
        self.mistakes.iter().map(|(_, message)| message.what().to_owned()).collect()
    }
}

impl ToTokens for Report {
    /// One `compile_error!` per mistake. The compiler underlines from the span of the path to the
    /// span of the braces.
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for (at, message) in &self.mistakes {
            let text = message.to_string();
            let path = quote_spanned!(at.first=> ::core::compile_error!);
            let text = quote_spanned!(at.last=> { #text });
            tokens.extend(quote!(#path #text));
        }
    }
}
