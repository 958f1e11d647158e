//! Whom a command asks: `--address` before RAYW_ADDRESS before what runs here.

use std::path::{Path, PathBuf};

use super::parse;
use crate::env::{self, Environment};
use crate::failure::Failure;

/// Ray's word for what runs here, as if nobody had been named.
const AUTO: &str = "auto";

/// Somebody who was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The head at this `host:port`.
    Head(String),
    /// The session in this directory, or at this socket.
    Session(PathBuf),
}

/// Who was named; nobody when what runs here is meant.
pub(super) fn named(flag: Option<&Path>, environment: &Environment) -> Result<Option<Named>, Failure> {
    let (text, origin) = match (flag, environment.address.as_deref()) {
        (Some(flag), _) => (flag, "`--address`".to_owned()),
        (None, Some(variable)) => (variable, format!("the variable {}", env::RAYW_ADDRESS)),
        (None, None) => return Ok(None),
    };
    read(text).map_err(|why| Failure::usage(format!("invalid value '{}' of {origin}: {why}", text.display())))
}

fn read(said: &Path) -> Result<Option<Named>, String> {
    let text = said.to_string_lossy();
    if text == AUTO {
        return Ok(None);
    }
    // A path is one even where nothing is any more: the session may have ended.
    if said.exists() || (text.contains('/') && !text.contains("://")) {
        return Ok(Some(Named::Session(said.to_owned())));
    }
    parse::host_port(&text).map(|address| Some(Named::Head(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(address: &str) -> Environment {
        Environment { address: Some(address.into()), ..Environment::default() }
    }

    #[test]
    fn an_address_is_a_head_a_session_or_what_runs_here() {
        let named_by = |flag: &str| named(Some(Path::new(flag)), &there("other:1")).unwrap();
        assert_eq!(named_by("head.local:6379"), Some(Named::Head("head.local:6379".into())));
        assert_eq!(named_by("[::1]:6379"), Some(Named::Head("[::1]:6379".into())));
        assert_eq!(named_by("/proc/self"), Some(Named::Session("/proc/self".into())));
        assert_eq!(named_by("./ended"), Some(Named::Session("./ended".into())));
        assert_eq!(named_by("auto"), None, "the flag beats the variable");
    }

    #[test]
    fn the_variable_counts_where_no_flag_says_more() {
        assert_eq!(named(None, &there("h:1")), Ok(Some(Named::Head("h:1".into()))));
        assert_eq!(named(None, &there("auto")), Ok(None));
        assert_eq!(named(None, &Environment::default()), Ok(None));
    }

    #[test]
    fn a_wrong_address_is_named_with_where_it_was_said() {
        let flag = named(Some(Path::new("localhost")), &there("h:1")).unwrap_err();
        assert_eq!(flag.status.code(), 64);
        insta::assert_snapshot!(flag.render(), @"error: invalid value 'localhost' of `--address`: the port is missing: write `HOST:PORT`, such as `127.0.0.1:6379`");
        let variable = named(None, &there("http://127.0.0.1:6379")).unwrap_err();
        assert_eq!(variable.status.code(), 64);
        insta::assert_snapshot!(variable.render(), @"error: invalid value 'http://127.0.0.1:6379' of the variable RAYW_ADDRESS: rayw speaks no http: write `HOST:PORT`, such as `127.0.0.1:6379`");
    }
}
