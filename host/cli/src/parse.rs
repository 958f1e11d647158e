//! The small languages of the command line: durations, grants of folders and variables, resources.
//!
//! Each function takes text and gives a value or the words for what is wrong with it.

use std::path::PathBuf;
use std::time::Duration;

use rayw_core::{Amount, parse_bytes};

/// A folder of the host that a program may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirGrant {
    /// The folder on this machine.
    pub host: PathBuf,
    /// Its name inside the program.
    pub guest: String,
    /// Whether the program may only read.
    pub read_only: bool,
}

/// Reads `HOST::GUEST` or `HOST::GUEST:ro`.
///
/// # Errors
/// When a part is missing.
pub fn dir(text: &str) -> Result<DirGrant, String> {
    let fail = |why: &str| format!("{why}: write `HOST::GUEST` or `HOST::GUEST:ro`, such as `/srv/data::/data:ro`");
    let (host, guest) = text.split_once("::").ok_or_else(|| fail("`::` is missing"))?;
    let (guest, read_only) = match guest.strip_suffix(":ro") {
        Some(guest) => (guest, true),
        None => (guest, false),
    };
    if host.is_empty() {
        return Err(fail("the folder on this machine is missing"));
    }
    if guest.is_empty() {
        return Err(fail("the name inside the program is missing"));
    }
    if guest.contains(':') {
        return Err(fail(&format!("`{guest}` is no name inside the program")));
    }
    Ok(DirGrant { host: host.into(), guest: guest.to_owned(), read_only })
}

/// Reads `KEY=VALUE`.
///
/// # Errors
/// When there is no `=` or no key.
pub fn variable(text: &str) -> Result<(String, String), String> {
    pair(text, "LANG=C")
}

/// Reads a label or a wish for one: `KEY=VALUE`.
///
/// # Errors
/// When there is no `=` or no key.
pub fn label(text: &str) -> Result<(String, String), String> {
    pair(text, "zone=a")
}

fn pair(text: &str, example: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) | None => Err(format!("write `KEY=VALUE`, such as `{example}`")),
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
    }
}

/// Reads `HOST:PORT`, and gives it as it was written.
///
/// # Errors
/// When a part is missing or is something else.
pub fn host_port(text: &str) -> Result<String, String> {
    let fail = |why: &str| format!("{why}: write `HOST:PORT`, such as `127.0.0.1:6379`");
    if text.contains("://") {
        return Err(fail("rayw speaks no http"));
    }
    // The colons of `[::1]` are those of the host.
    let parts = text.rsplit_once(':').filter(|_| !text.ends_with(']'));
    let (host, port) = parts.ok_or_else(|| fail("the port is missing"))?;
    if host.is_empty() {
        return Err(fail("the host is missing"));
    }
    if port.is_empty() {
        return Err(fail("the port is missing"));
    }
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    if host.contains(':') && !is_bracketed {
        return Err("an IPv6 address stands in brackets: write it as in `[::1]:6379`".to_owned());
    }
    if host.contains(|letter: char| letter == '/' || letter.is_whitespace()) {
        return Err(fail(&format!("`{host}` is no host")));
    }
    match port.parse::<u16>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(fail(&format!("`{port}` is no port"))),
    }
}

/// Reads a number of seconds, or a duration with units such as `1m30s` or `500ms`.
///
/// # Errors
/// When it is neither, or not above zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let duration = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok()),
    };
    match duration {
        Some(duration) if !duration.is_zero() => Ok(duration),
        Some(_) => Err("give more than no time".to_owned()),
        None => Err("write seconds, or a number with a unit such as `500ms`, `10s` or `1m30s`".to_owned()),
    }
}

/// Reads an amount of cpus.
///
/// # Errors
/// When it is not a number, negative, or smaller than what is counted.
pub fn cpus(text: &str) -> Result<f64, String> {
    let cpus: f64 = text.trim().parse().map_err(|_| "write a number of cpus, such as `4` or `0.5`".to_owned())?;
    amount(cpus).map(|()| cpus)
}

/// Reads an amount of memory.
///
/// # Errors
/// When it is none.
pub fn bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text).map_err(|error| error.to_string())
}

/// Reads which part of a disk may be full, in whole percents, rather one too few.
///
/// # Errors
/// When it is no part from 0.01 to 1.
pub fn disk_percent(text: &str) -> Result<u64, String> {
    let part: f64 = text.trim().parse().unwrap_or(f64::NAN);
    if (0.01..=1.0).contains(&part) {
        // A hundred times 0.29 is a little less than 29.
        Ok((part * 100.0 + 1e-9) as u64)
    } else {
        Err("write a part from 0.01 to 1, such as `0.95`".to_owned())
    }
}

/// Reads custom resources: a JSON object of numbers.
///
/// # Errors
/// When it is something else, or names a resource that has a flag of its own.
pub fn resources(text: &str) -> Result<Vec<(String, f64)>, String> {
    let map: std::collections::BTreeMap<String, f64> = serde_json::from_str(text)
        .map_err(|error| format!("write a JSON object of numbers, such as `{{\"slot\": 2}}`: {error}"))?;
    for (name, units) in &map {
        let flag = match name.as_str() {
            "CPU" => "--num-cpus",
            "memory" => "--memory",
            "object_store_memory" => "--object-store-memory",
            "" => return Err("a resource needs a name".to_owned()),
            _ => {
                amount(*units).map_err(|why| format!("`{name}` is {units}: {why}"))?;
                continue;
            }
        };
        return Err(format!("`{name}` has an option of its own: `{flag}`"));
    }
    Ok(map.into_iter().collect())
}

fn amount(units: f64) -> Result<(), String> {
    match Amount::from_units(units) {
        Some(_) => Ok(()),
        None => Err("an amount is 0, or between 0.0001 and 10^12".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_of_folders() {
        let grant = |host: &str, guest: &str, read_only| DirGrant { host: host.into(), guest: guest.into(), read_only };
        assert_eq!(dir("data::/data"), Ok(grant("data", "/data", false)));
        assert_eq!(dir("/a:b::/data:ro"), Ok(grant("/a:b", "/data", true)));
        assert_eq!(dir(".::."), Ok(grant(".", ".", false)));
        for wrong in ["data", "::/data", "data::", "data:::ro", "data::/data:rw", "data:/data"] {
            let why = dir(wrong).unwrap_err();
            assert!(why.contains("write `HOST::GUEST`"), "{wrong}: {why}");
        }
    }

    #[test]
    fn variables() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A="), Ok(("A".into(), String::new())));
        assert!(variable("A").is_err());
        assert!(variable("=b").is_err());
        insta::assert_snapshot!(variable("A").unwrap_err(), @"write `KEY=VALUE`, such as `LANG=C`");
    }

    #[test]
    fn labels() {
        assert_eq!(label("zone=a"), Ok(("zone".into(), "a".into())));
        insta::assert_snapshot!(label("zone").unwrap_err(), @"write `KEY=VALUE`, such as `zone=a`");
    }

    #[test]
    fn addresses() {
        for right in ["127.0.0.1:6379", "head.local:1", "[::1]:6379", "h:0"] {
            assert_eq!(host_port(right), Ok(right.to_owned()));
        }
        let wrong = [
            "localhost",
            "auto",
            "[::1]",
            "host:",
            ":6379",
            "::1:6379",
            "host:http",
            "host:65536",
            "host:-1",
            "a b:1",
            "~/run:1",
            "http://127.0.0.1:6379",
        ];
        let words = wrong.map(|text| format!("{text}: {}", host_port(text).unwrap_err()));
        insta::assert_snapshot!(words.join("\n"), @r"
        localhost: the port is missing: write `HOST:PORT`, such as `127.0.0.1:6379`
        auto: the port is missing: write `HOST:PORT`, such as `127.0.0.1:6379`
        [::1]: the port is missing: write `HOST:PORT`, such as `127.0.0.1:6379`
        host:: the port is missing: write `HOST:PORT`, such as `127.0.0.1:6379`
        :6379: the host is missing: write `HOST:PORT`, such as `127.0.0.1:6379`
        ::1:6379: an IPv6 address stands in brackets: write it as in `[::1]:6379`
        host:http: `http` is no port: write `HOST:PORT`, such as `127.0.0.1:6379`
        host:65536: `65536` is no port: write `HOST:PORT`, such as `127.0.0.1:6379`
        host:-1: `-1` is no port: write `HOST:PORT`, such as `127.0.0.1:6379`
        a b:1: `a b` is no host: write `HOST:PORT`, such as `127.0.0.1:6379`
        ~/run:1: `~/run` is no host: write `HOST:PORT`, such as `127.0.0.1:6379`
        http://127.0.0.1:6379: rayw speaks no http: write `HOST:PORT`, such as `127.0.0.1:6379`
        ");
    }

    #[test]
    fn durations() {
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "0", "-1", "-5s", "soon", "nan", "inf"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_of_cpus() {
        assert_eq!(cpus("0.5"), Ok(0.5));
        for wrong in ["-1", "0.00001", "four", "nan"] {
            assert!(cpus(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn custom_resources() {
        assert_eq!(resources(r#"{"b": 1, "a": 0.5}"#), Ok(vec![("a".into(), 0.5), ("b".into(), 1.0)]));
        assert!(resources(r#"{"CPU": 1}"#).unwrap_err().contains("`--num-cpus`"));
        assert!(resources(r#"{"a": -1}"#).unwrap_err().contains("`a` is -1"));
        assert!(resources("slot=2").unwrap_err().contains("JSON object"));
    }
}
