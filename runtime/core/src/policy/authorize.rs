//! Who may call what: rules that allow, and nothing else.
//!
//! # Why
//! A list of what is allowed has one reading: what no rule allows is denied, and no order of rules changes that. Rules
//! that deny are what a forgotten case slips past.
//!
//! ```text
//!   caller   spiffe://prod.example/checkout     that one        method   shop.Inventory/stock    that one
//!            spiffe://prod.example/batch/*      all below                shop.Inventory/*        all of the service
//!            *                                  whoever is verified      *                       all
//! ```
//!
//! # Invariants
//! 1. A caller is who its certificate proves, a method is what dispatch resolved: both are compared whole, byte for byte.
//! 2. A pattern matches by its beginning up to a `/`, and never in the middle of a name.

use std::collections::BTreeSet;

use crate::spiffe::{SpiffeId, is_service_name};

/// Which identities a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callers {
    /// Every one that was verified.
    All,
    /// One.
    One(SpiffeId),
    /// Those whose id begins like this, which ends in a slash.
    Below(Box<str>),
}

/// Which methods a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Methods {
    /// Every one.
    All,
    /// Those of a service.
    Of(Box<str>),
    /// One: `service/method`.
    One(Box<str>),
}

/// Lets callers call methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Who may.
    pub callers: Callers,
    /// What.
    pub methods: Methods,
}

/// Who may call one method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    all: bool,
    one: BTreeSet<SpiffeId>,
    below: Vec<Box<str>>,
}

impl Callers {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and what is accepted.
    pub fn new(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::All);
        }
        let wrong = |why: &dyn std::fmt::Display| {
            format!(
                "`{text}` is no caller: {why}; write `spiffe://<trust domain>/<path>`, the same with `/*` at its end for \
                 all below, or `*` for whoever is verified"
            )
        };
        match text.strip_suffix("/*") {
            // A trust domain alone is a beginning too.
            Some(above) => match SpiffeId::new(&format!("{above}/x")) {
                Ok(_) => Ok(Self::Below(format!("{above}/").into())),
                Err(why) => Err(wrong(&why)),
            },
            None => SpiffeId::new(text).map(Self::One).map_err(|why| wrong(&why)),
        }
    }

    /// Whether it is about this one.
    pub fn has(&self, caller: &SpiffeId) -> bool {
        match self {
            Self::All => true,
            Self::One(id) => id == caller,
            Self::Below(above) => caller.as_str().starts_with(&**above),
        }
    }
}

impl Methods {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, and what is accepted.
    pub fn new(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| is_service_name(name);
        match text.split_once('/') {
            None if text == "*" => Ok(Self::All),
            Some((service, "*")) if is_name(service) => Ok(Self::Of(service.into())),
            Some((service, method)) if is_name(service) && is_name(method) => {
                Ok(Self::One(text.into()))
            }
            _ => Err(format!(
                "`{text}` is no method: write `Service/method`, `Service/*` for all of a service, or `*`"
            )),
        }
    }

    /// Whether it is about this method of this service; `path` is `service/method`.
    fn has(&self, service: &str, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Of(of) => **of == *service,
            Self::One(one) => **one == *path,
        }
    }
}

impl Allow {
    /// Whether it lets this caller call a method; `path` is `service/method`.
    pub fn lets(&self, caller: &SpiffeId, service: &str, path: &str) -> bool {
        self.methods.has(service, path) && self.callers.has(caller)
    }
}

impl Allowed {
    /// Who may call a method; `path` is `service/method`.
    pub fn for_method(rules: &[Allow], service: &str, path: &str) -> Self {
        let mut allowed = Self::default();
        for rule in rules.iter().filter(|rule| rule.methods.has(service, path)) {
            match &rule.callers {
                Callers::All => allowed.all = true,
                Callers::One(id) => _ = allowed.one.insert(id.clone()),
                Callers::Below(above) => allowed.below.push(above.clone()),
            }
        }
        allowed
    }

    /// Whether this caller may.
    pub fn has(&self, caller: &SpiffeId) -> bool {
        self.all
            || self.one.contains(caller)
            || self.below.iter().any(|above| caller.as_str().starts_with(&**above))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(path: &str) -> SpiffeId {
        SpiffeId::new(&format!("spiffe://prod.example/{path}")).unwrap()
    }

    fn rule(caller: &str, method: &str) -> Allow {
        Allow { callers: Callers::new(caller).unwrap(), methods: Methods::new(method).unwrap() }
    }

    /// Which of the callers may call which method, under each rule alone.
    #[test]
    fn a_rule_allows_what_it_names_and_nothing_beside() {
        let callers = ["a", "ab", "a/b", "a/b/c"];
        let methods = ["S/m", "S/mm", "SS/m"];
        for (caller, method, expected) in [
            ("spiffe://prod.example/a", "S/m", "a S/m"),
            ("spiffe://prod.example/a", "*", "a S/m, a S/mm, a SS/m"),
            ("spiffe://prod.example/a/*", "S/*", "a/b S/m, a/b S/mm, a/b/c S/m, a/b/c S/mm"),
            ("spiffe://prod.example/a/b/*", "SS/m", "a/b/c SS/m"),
            ("spiffe://prod.example/*", "S/mm", "a S/mm, ab S/mm, a/b S/mm, a/b/c S/mm"),
            ("*", "SS/*", "a SS/m, ab SS/m, a/b SS/m, a/b/c SS/m"),
            ("spiffe://other.example/*", "*", ""),
            ("spiffe://prod.example/A", "S/m", ""),
        ] {
            let rules = [rule(caller, method)];
            let allowed: Vec<String> = callers
                .iter()
                .flat_map(|caller| methods.iter().map(move |method| (caller, method)))
                .filter(|(caller, method)| {
                    let service = method.split('/').next().unwrap_or_default();
                    Allowed::for_method(&rules, service, method).has(&id(caller))
                })
                .map(|(caller, method)| format!("{caller} {method}"))
                .collect();
            assert_eq!(allowed.join(", "), expected, "{caller} {method}");
        }
    }

    #[test]
    fn without_a_rule_nobody_may() {
        assert!(!Allowed::for_method(&[], "S", "S/m").has(&id("a")));
    }

    #[test]
    fn rules_add_up() {
        let rules =
            [rule("spiffe://prod.example/a", "S/m"), rule("spiffe://prod.example/b/*", "S/*")];
        let allowed = Allowed::for_method(&rules, "S", "S/m");
        assert!(allowed.has(&id("a")) && allowed.has(&id("b/c")) && !allowed.has(&id("b")));
        assert!(!Allowed::for_method(&rules, "S", "S/n").has(&id("a")));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_what_is_one() {
        for text in [
            "",
            "prod.example/a",
            "spiffe://prod.example",
            "spiffe://prod.example/a*",
            "spiffe://prod.example/*/a",
            "spiffe://PROD/a",
            "**",
            "/*",
            "spiffe:///*",
        ] {
            let why = Callers::new(text).unwrap_err();
            assert!(why.contains("`/*` at its end"), "{text}: {why}");
        }
        for text in ["", "S", "S/", "/m", "S/m/n", "*/m", "S/m*", "S /m"] {
            let why = Methods::new(text).unwrap_err();
            assert!(why.contains("`Service/*`"), "{text}: {why}");
        }
    }
}
