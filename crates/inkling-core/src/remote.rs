//! Where a server is that trains for a tab, and how to get in: the link that `inkling serve` prints.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::message;

/// A server, written as `<relay>/<id>/<token>`: `http://localhost:3340/5f…c2/8ab…`.
///
/// A tab reaches the server through the relay, which only passes on what the two encrypt.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerLink {
    relay: String,
    id: String,
    token: String,
}

/// Why a text is no link to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// It is not of this form.
    #[error("{}", FORM)]
    Form,
    /// The relay's address has a path, a user, a query or spaces.
    #[error("{}", RELAY)]
    Relay,
}

const FORM: &str = message!(
    "This is not the link of a server, which begins with http and ends with two long keys. `inkling serve` prints it."
);
const RELAY: &str =
    message!("The link's address is not one that a browser can open. Copy the whole link that `inkling serve` prints.");

/// Digits of a server's id, which is a public key of 32 bytes.
const ID: usize = 64;
/// So many of them are shown.
const SHORT: usize = 8;
/// A shorter token could be guessed.
const MIN_TOKEN: usize = 16;

impl ServerLink {
    /// The link to the server `id`, which lets in who has the `token`, behind the relay at the address `relay`.
    ///
    /// # Errors
    /// The parts do not make a link.
    pub fn new(relay: &str, id: &str, token: &str) -> Result<Self, LinkError> {
        format!("{}/{id}/{token}", relay.trim_end_matches('/')).parse()
    }

    /// The relay's address, without a slash at the end.
    pub fn relay(&self) -> &str {
        &self.relay
    }

    /// The server's id, in hexadecimal.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The first digits of its id, for the visitor to compare.
    pub fn short_id(&self) -> &str {
        &self.id[..SHORT]
    }

    /// What lets a visitor in.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The relay's address for a client that it should let in.
    pub fn way_in(&self) -> String {
        format!("{}/?token={}", self.relay, pass(&self.token))
    }

    /// The relay's host and port, for the visitor.
    pub fn host(&self) -> &str {
        self.relay.split_once("://").map_or("", |parts| parts.1)
    }
}

/// The part of a server's token that lets into its relay. An address has it, and so may a web server's log: the other half still keeps the server
/// closed.
pub fn pass(token: &str) -> &str {
    &token[..token.len() / 2]
}

impl FromStr for ServerLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let mut parts = text.trim().rsplitn(3, '/');
        let (Some(token), Some(id), Some(relay)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(LinkError::Form);
        };
        let is_id = id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_token = token.len() >= MIN_TOKEN && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let host = relay.strip_prefix("https://").or_else(|| relay.strip_prefix("http://")).ok_or(LinkError::Form)?;
        if !is_id || !is_token || host.is_empty() || host.starts_with('/') {
            return Err(LinkError::Form);
        }
        // A client goes to the path /relay, whatever path the address has.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        match host.chars().all(plain) {
            true => Ok(ServerLink { relay: relay.into(), id: id.into(), token: token.into() }),
            false => Err(LinkError::Relay),
        }
    }
}

impl fmt::Display for ServerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.relay, self.id, self.token)
    }
}

/// Without the token, which a log must not have.
impl fmt::Debug for ServerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerLink({}/{}/…)", self.relay, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5f0123456789abcdef5f0123456789abcdef5f0123456789abcdef5f01234567";
    const TOKEN: &str = "0123456789abcdef0123";

    #[test]
    fn a_link_is_read_as_it_was_written() {
        for relay in ["http://localhost:3340", "https://example.org", "http://[::1]:80"] {
            let link = ServerLink::new(relay, ID, TOKEN).unwrap();
            assert_eq!((link.relay(), link.id(), link.token()), (relay, ID, TOKEN));
            assert_eq!(link.to_string().parse(), Ok(link.clone()));
            assert_eq!(format!(" {link}\n").parse(), Ok(link));
        }
        let slash = ServerLink::new("http://localhost:3340/", ID, TOKEN).unwrap();
        assert_eq!(
            (slash.relay(), slash.host(), slash.short_id()),
            ("http://localhost:3340", "localhost:3340", "5f012345")
        );
    }

    #[test]
    fn half_of_the_token_lets_into_the_relay() {
        let link = ServerLink::new("http://localhost:3340", ID, TOKEN).unwrap();
        assert_eq!(link.way_in(), "http://localhost:3340/?token=0123456789");
    }

    #[test]
    fn nothing_else_is_a_link() {
        let whole = format!("http://localhost:3340/{ID}/{TOKEN}");
        assert!(whole.parse::<ServerLink>().is_ok());
        for end in 0..whole.len() {
            let part = &whole[..end];
            assert!(part.parse::<ServerLink>().is_err() || end > whole.len() - TOKEN.len() + 15, "{part}");
        }
        for relay in [
            "",
            "ftp://a",
            "javascript:a",
            "http://",
            "http:///a",
            "http://a b",
            "http://me@a",
            "http://a?b",
            "http://a/b",
        ] {
            assert!(ServerLink::new(relay, ID, TOKEN).is_err(), "{relay}");
        }
        assert_eq!(ServerLink::new("http://a?b", ID, TOKEN), Err(LinkError::Relay));
    }

    #[test]
    fn a_log_has_no_token() {
        let link = ServerLink::new("http://localhost:3340", ID, TOKEN).unwrap();
        assert!(!format!("{link:?}").contains(TOKEN));
    }
}
