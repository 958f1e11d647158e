//! Logical resources: cpus, memory and whatever a node's owner names.
//!
//! Amounts are counted in ten-thousandths, Ray's smallest step
//! (`num_cpus=0.0001`), so sums are exact and never drift.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in ten-thousandths of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(pub u64);

impl Amount {
    /// Ten-thousandths in one unit.
    pub const ONE: Self = Self(10_000);
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount nearest to `units`; `None` when it is negative, not a number or beyond 10^12.
    #[must_use]
    pub fn from_units(units: f64) -> Option<Self> {
        let scaled = (units * 10_000.0).round();
        // A request of 0.00001 cpu must not become 0 without a word.
        let vanished = units > 0.0 && scaled == 0.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        ((0.0..=1e16).contains(&scaled) && !vanished).then_some(Self(scaled as u64))
    }

    /// The amount in units.
    #[must_use]
    pub fn units(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "shown to people")]
        let units = self.0 as f64 / 10_000.0;
        units
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.units())
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.units())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let units = f64::deserialize(deserializer)?;
        Self::from_units(units).ok_or_else(|| serde::de::Error::custom(format!("`{units}` is not an amount")))
    }
}

/// A bundle of resources: what a node has, or what a task asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Resources {
    /// Logical cpus.
    pub cpu: Amount,
    /// Bytes of memory.
    pub memory: u64,
    /// Custom resources, sorted by name, without zeros.
    custom: Vec<(String, Amount)>,
}

impl Resources {
    /// That many cpus and nothing else.
    #[must_use]
    pub fn cpus(cpu: Amount) -> Self {
        Self { cpu, ..Self::default() }
    }

    /// The same with that many bytes of memory.
    #[must_use]
    pub fn with_memory(self, memory: u64) -> Self {
        Self { memory, ..self }
    }

    /// The same with an amount of a custom resource; an amount of 0 takes it away.
    #[must_use]
    pub fn with_custom(mut self, name: &str, amount: Amount) -> Self {
        self.custom.retain(|(known, _)| known != name);
        if amount > Amount::ZERO {
            let place = self.custom.partition_point(|(known, _)| known.as_str() < name);
            self.custom.insert(place, (name.to_owned(), amount));
        }
        self
    }

    /// The custom resources, sorted by name.
    pub fn custom(&self) -> impl Iterator<Item = (&str, Amount)> {
        self.custom.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// The amount of a custom resource, 0 when it is not there.
    #[must_use]
    pub fn custom_amount(&self, name: &str) -> Amount {
        self.custom().find(|(known, _)| *known == name).map_or(Amount::ZERO, |(_, amount)| amount)
    }

    /// Whether it is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cpu == Amount::ZERO && self.memory == 0 && self.custom.is_empty()
    }

    /// Whether only cpus are asked for.
    #[must_use]
    pub fn is_cpu_only(&self) -> bool {
        self.memory == 0 && self.custom.is_empty()
    }

    /// Raises each amount to that of the other, so that whatever holds this holds both.
    pub fn cover(&mut self, other: &Self) {
        self.cpu = self.cpu.max(other.cpu);
        self.memory = self.memory.max(other.memory);
        for (name, amount) in other.custom() {
            if amount > self.custom_amount(name) {
                *self = std::mem::take(self).with_custom(name, amount);
            }
        }
    }

    /// Whether both want some of the same resource.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        (self.cpu > Amount::ZERO && other.cpu > Amount::ZERO)
            || (self.memory > 0 && other.memory > 0)
            || self.custom.iter().any(|(name, _)| other.custom_amount(name) > Amount::ZERO)
    }

    /// Whether this has some of each resource of which the other one has some.
    #[must_use]
    pub fn has_kinds_of(&self, other: &Self) -> bool {
        (self.cpu > Amount::ZERO || other.cpu == Amount::ZERO)
            && (self.memory > 0 || other.memory == 0)
            && other.custom.iter().all(|(name, _)| self.custom_amount(name) > Amount::ZERO)
    }

    /// The same without its cpus: what a blocked task keeps.
    #[must_use]
    pub fn without_cpu(&self) -> Self {
        Self { cpu: Amount::ZERO, ..self.clone() }
    }

    /// How many times `need` fits into this; `u32::MAX` when `need` is nothing.
    #[must_use]
    pub fn fits(&self, need: &Self) -> u32 {
        let mut times = u64::from(u32::MAX);
        if need.cpu > Amount::ZERO {
            times = times.min(self.cpu.0 / need.cpu.0);
        }
        if let Some(memory) = self.memory.checked_div(need.memory) {
            times = times.min(memory);
        }
        for (name, amount) in need.custom() {
            times = times.min(self.custom_amount(name).0 / amount.0);
        }
        u32::try_from(times).unwrap_or(u32::MAX)
    }

    /// Takes `need` away `times` times. The caller has checked that it fits.
    pub fn take(&mut self, need: &Self, times: u32) {
        debug_assert!(times == 0 || self.fits(need) >= times, "{self} has no room for {need} times {times}");
        self.change(need, times, u64::saturating_sub);
    }

    /// Gives `need` back `times` times.
    pub fn give(&mut self, need: &Self, times: u32) {
        self.change(need, times, u64::saturating_add);
    }

    /// The same with another amount beside it; `None` where the sum is more than can be counted.
    #[must_use]
    pub fn checked_plus(mut self, other: &Self) -> Option<Self> {
        let sum = |have: Amount, more: Amount| have.0.checked_add(more.0).map(Amount);
        self.cpu = sum(self.cpu, other.cpu)?;
        self.memory = self.memory.checked_add(other.memory)?;
        for (name, amount) in &other.custom {
            let amount = sum(self.custom_amount(name), *amount)?;
            self = self.with_custom(name, amount);
        }
        Some(self)
    }

    fn change(&mut self, need: &Self, times: u32, op: fn(u64, u64) -> u64) {
        let times = u64::from(times);
        let apply = |have: u64, need: u64| op(have, need.saturating_mul(times));
        self.cpu = Amount(apply(self.cpu.0, need.cpu.0));
        self.memory = apply(self.memory, need.memory);
        for (name, amount) in &need.custom {
            let have = self.custom_amount(name);
            let changed = Amount(apply(have.0, amount.0));
            *self = std::mem::take(self).with_custom(name, changed);
        }
    }

    /// What `need` asks beyond what this has, in words, such as `4 CPU (2 here)`. Empty when it fits.
    #[must_use]
    pub fn shortage(&self, need: &Self) -> String {
        let mut words = Vec::new();
        if need.cpu > self.cpu {
            words.push(format!("{} CPU ({} here)", need.cpu, self.cpu));
        }
        if need.memory > self.memory {
            words.push(format!("{} bytes of memory ({} here)", need.memory, self.memory));
        }
        for (name, amount) in need.custom() {
            let have = self.custom_amount(name);
            if amount > have {
                words.push(format!("{amount} {name} ({have} here)"));
            }
        }
        words.join(", ")
    }
}

impl fmt::Display for Resources {
    /// Ray's form, such as `{'CPU': 1, 'memory': 1024, 'slot': 2}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.cpu > Amount::ZERO {
            words.push(format!("'CPU': {}", self.cpu));
        }
        if self.memory > 0 {
            words.push(format!("'memory': {}", self.memory));
        }
        words.extend(self.custom().map(|(name, amount)| format!("'{name}': {amount}")));
        write!(f, "{{{}}}", words.join(", "))
    }
}

/// Text that is no amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of memory: write bytes, or a number with KiB, MiB, GiB, kB, MB or GB")]
pub struct ParseResourcesError(pub String);

/// Reads an amount of memory: `1048576`, `64MiB`, `1.5 GiB`, `2GB`.
///
/// # Errors
/// When the number is missing, negative or too large, or the unit is unknown.
pub fn parse_bytes(text: &str) -> Result<u64, ParseResourcesError> {
    let fail = || ParseResourcesError(text.to_owned());
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "ki" | "kib" => 1024.0,
        "m" | "mi" | "mib" => 1024.0 * 1024.0,
        "g" | "gi" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "ti" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err(fail()),
    };
    let bytes = number.parse::<f64>().map_err(|_| fail())? * factor;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (bytes.is_finite() && (0.0..9e18).contains(&bytes)).then_some(bytes as u64).ok_or_else(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_go_down_to_a_ten_thousandth() {
        assert_eq!(Amount::from_units(0.0001), Some(Amount(1)));
        assert_eq!(Amount::from_units(0.000_01), None);
        assert_eq!(Amount::from_units(-1.0), None);
        assert_eq!(Amount::from_units(f64::NAN), None);
    }

    #[test]
    fn a_bundle_fits_as_often_as_its_scarcest_part() {
        let node = Resources { memory: 100, ..Resources::cpus(Amount(40_000)) }.with_custom("slot", Amount(30_000));
        let need = Resources { memory: 60, ..Resources::cpus(Amount::ONE) };
        assert_eq!(node.fits(&need), 1);
        assert_eq!(node.fits(&Resources::default().with_custom("slot", Amount(15_000))), 2);
        assert_eq!(node.fits(&Resources::default().with_custom("other", Amount(1))), 0);
        assert_eq!(node.fits(&Resources::default()), u32::MAX);
    }

    #[test]
    fn what_is_taken_and_given_back_leaves_no_trace() {
        let node = Resources::cpus(Amount(20_000)).with_custom("slot", Amount(5));
        let mut left = node.clone();
        let need = Resources::cpus(Amount(3_333)).with_custom("slot", Amount(1));
        left.take(&need, 5);
        assert_eq!(left.cpu, Amount(20_000 - 5 * 3_333));
        left.give(&need, 5);
        assert_eq!(left, node);
    }

    #[test]
    fn memory_is_read_in_the_usual_units() {
        assert_eq!(parse_bytes("64MiB").unwrap(), 64 << 20);
        assert_eq!(parse_bytes("1.5 GiB").unwrap(), 3 << 29);
        assert_eq!(parse_bytes("2GB").unwrap(), 2_000_000_000);
        assert!(parse_bytes("lots").unwrap_err().to_string().contains("`lots`"));
        assert!(parse_bytes("-1").is_err());
    }
}
