//! Who calls: by a certificate, by a token, by the word of a proxy that is trusted, or nobody knows.
//!
//! # Invariants
//! 1. An identity is never taken from what a stranger says: it is proved, or it is that of nobody.
//! 2. Where something proves who calls, whoever proves nothing is refused, unless the listener lets in anybody.

use http::{HeaderMap, header};
use sinew::{SpiffeId, TrustDomain};
use subtle::ConstantTimeEq as _;

use super::{IngressError, beside, refusal::Refusal};

/// Whom a listener believes.
#[derive(Debug, Clone)]
pub(super) struct Callers {
    nobody: SpiffeId,
    tokens: Vec<Token>,
    /// Certificates are asked for.
    pub(super) asks: bool,
    pub(super) lets_in_anybody: bool,
    /// Callers are within: what they say of themselves holds.
    pub(super) trusts: bool,
}

#[derive(Clone)]
struct Token {
    secret: String,
    identity: SpiffeId,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Token").field(&self.identity).finish()
    }
}

/// The shortest token that is taken: 128 bits in hexadecimal.
const TOKEN_MIN: usize = 32;

impl Callers {
    /// Those of a listener in this trust domain.
    pub(super) fn new(domain: &TrustDomain) -> Result<Self, IngressError> {
        let id = format!("spiffe://{}/http/anonymous", domain.as_str());
        let nobody = SpiffeId::new(&id)
            .map_err(|source| IngressError::Identity { id, problem: source.to_string() })?;
        Ok(Self { nobody, tokens: Vec::new(), asks: false, lets_in_anybody: false, trusts: false })
    }

    pub(super) fn add_token(&mut self, secret: String, identity: &str) -> Result<(), IngressError> {
        let wrong = |problem: String| IngressError::Identity { id: identity.to_owned(), problem };
        let id = SpiffeId::new(identity).map_err(|why| wrong(why.to_string()))?;
        if !id.is_in(&self.nobody.trust_domain()) {
            let domain = self.nobody.trust_domain_str();
            return Err(wrong(format!("it is not in the server's trust domain `{domain}`")));
        }
        if secret.len() < TOKEN_MIN || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong(format!(
                "its token is to have {TOKEN_MIN} printable characters or more (`openssl rand -hex 32`)"
            )));
        }
        if self.tokens.iter().any(|known| known.secret == secret) {
            return Err(wrong("its token is another's as well".to_owned()));
        }
        self.tokens.push(Token { secret, identity: id });
        Ok(())
    }

    /// Whether somebody may be whom a certificate under the client roots names: one of the server's trust domain.
    pub(super) fn knows(&self, certified: &SpiffeId) -> bool {
        certified.is_in(&self.nobody.trust_domain())
    }

    pub(super) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Who makes this request, on a connection that this certificate began.
    pub(super) fn who(
        &self,
        headers: &HeaderMap,
        certified: Option<&SpiffeId>,
    ) -> Result<SpiffeId, Refusal> {
        for name in [header::AUTHORIZATION.as_str(), beside::IDENTITY] {
            // A proxy that adds its own behind a stranger's says two things.
            if headers.get_all(name).iter().nth(1).is_some() {
                return Err(Refusal::malformed(format!("the header `{name}` stands there twice")));
            }
        }
        let said = headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
        if let Some(token) = said.and_then(bearer).filter(|_| self.has_tokens()) {
            // Each is compared, and in a time that does not tell how much of it was right.
            let mut found = None;
            for known in &self.tokens {
                if bool::from(known.secret.as_bytes().ct_eq(token)) {
                    found = Some(&known.identity);
                }
            }
            return found
                .cloned()
                .ok_or_else(|| Refusal::unauthenticated("the bearer token is not known here"));
        }
        if self.trusts
            && let Some(said) = headers.get(beside::IDENTITY)
        {
            let said = said.to_str().unwrap_or_default();
            return SpiffeId::new(said).map_err(|why| {
                Refusal::malformed(format!("the header `{}`: {why}", beside::IDENTITY))
            });
        }
        if let Some(certified) = certified {
            return Ok(certified.clone());
        }
        if (self.has_tokens() || self.asks) && !self.lets_in_anybody {
            return Err(Refusal::unauthenticated(
                "send `authorization: Bearer ..` with a token of this service",
            ));
        }
        Ok(self.nobody.clone())
    }
}

fn bearer(said: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = said.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    const ADA: &str = "spiffe://test/http/ada";

    fn callers() -> Callers {
        Callers::new(&TrustDomain::new("test").unwrap()).unwrap()
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn who(callers: &Callers, all: &[(&'static str, &str)]) -> Result<String, u16> {
        let who = callers.who(&headers(all), None);
        who.map(|id| id.to_string()).map_err(|refusal| refusal.http.as_u16())
    }

    #[test]
    fn nobody_is_whoever_proves_nothing() {
        let callers = callers();
        assert_eq!(who(&callers, &[]).unwrap(), "spiffe://test/http/anonymous");
        let said = [("x-sinew-identity", "spiffe://test/admin")];
        assert_eq!(who(&callers, &said).unwrap(), "spiffe://test/http/anonymous");
        // There are no tokens: what a client sends out of habit proves nothing.
        let token = [("authorization", "Bearer x")];
        assert_eq!(who(&callers, &token).unwrap(), "spiffe://test/http/anonymous");
    }

    #[test]
    fn a_token_is_an_identity_and_its_lack_is_refused() {
        let mut callers = callers();
        callers.add_token(TOKEN.to_owned(), ADA).unwrap();
        assert_eq!(who(&callers, &[("authorization", &format!("bearer {TOKEN}"))]).unwrap(), ADA);
        assert_eq!(who(&callers, &[("authorization", &format!("Bearer {TOKEN}0"))]), Err(401));
        assert_eq!(who(&callers, &[("authorization", &format!("Basic {TOKEN}"))]), Err(401));
        assert_eq!(who(&callers, &[]), Err(401));
        callers.lets_in_anybody = true;
        assert!(who(&callers, &[]).is_ok());
        assert_eq!(who(&callers, &[("authorization", "Bearer wrong")]), Err(401));
    }

    #[test]
    fn a_proxy_is_believed_only_where_the_listener_says_so() {
        let mut callers = callers();
        callers.trusts = true;
        let said = [("x-sinew-identity", "spiffe://test/admin")];
        assert_eq!(who(&callers, &said).unwrap(), "spiffe://test/admin");
        assert_eq!(who(&callers, &[("x-sinew-identity", "admin")]), Err(400));
    }

    #[test]
    fn a_token_that_proves_little_is_refused() {
        let mut callers = callers();
        assert!(callers.add_token("short".to_owned(), ADA).is_err());
        assert!(callers.add_token(format!("{TOKEN}\n"), ADA).is_err());
        assert!(callers.add_token(TOKEN.to_owned(), "spiffe://other/ada").is_err());
        assert!(callers.add_token(TOKEN.to_owned(), "ada").is_err());
        callers.add_token(TOKEN.to_owned(), ADA).unwrap();
        assert!(callers.add_token(TOKEN.to_owned(), "spiffe://test/http/bob").is_err());
    }

    #[test]
    fn where_certificates_are_asked_for_nobody_is_refused() {
        let mut callers = callers();
        callers.asks = true;
        assert_eq!(who(&callers, &[]), Err(401));
        let ada = SpiffeId::new(ADA).unwrap();
        assert_eq!(callers.who(&HeaderMap::new(), Some(&ada)).unwrap(), ada);
        assert!(callers.knows(&ada));
        assert!(!callers.knows(&SpiffeId::new("spiffe://other/ada").unwrap()));
    }

    #[test]
    fn what_is_said_twice_is_not_believed() {
        let mut callers = callers();
        callers.trusts = true;
        let mut headers = HeaderMap::new();
        headers.append("x-sinew-identity", "spiffe://test/admin".parse().unwrap());
        headers.append("x-sinew-identity", "spiffe://test/ada".parse().unwrap());
        assert_eq!(callers.who(&headers, None).unwrap_err().http.as_u16(), 400);
    }
}
