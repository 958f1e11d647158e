//! Tables and documents: rows become text in Ray's layout.
//!
//! Values may come from guests, so nothing in them may steer the terminal: see [`printable`].

use std::borrow::Cow;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use crate::args::Format;
use crate::columns::Record;
use crate::failure::Failure;

/// When it is, and where: given by the caller, so that the same rows give the same text.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Now.
    pub now: Timestamp,
    /// The zone in which people read times.
    pub zone: TimeZone,
}

impl Clock {
    /// This machine's.
    #[must_use]
    pub fn system() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::system() }
    }

    pub(crate) fn header(&self, what: &str) -> String {
        let now = self.now.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.6f");
        format!("======== {what}: {now} ========")
    }

    /// A time in milliseconds as people read it.
    pub(crate) fn read(&self, milliseconds: i64) -> Option<String> {
        let time = Timestamp::from_millisecond(milliseconds).ok()?;
        Some(time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
    }
}

/// Text that cannot steer a terminal: control characters are spelled out.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let spell = |c: char| {
        if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
    };
    Cow::Owned(text.chars().map(spell).collect())
}

/// The text of `rayw list` or `rayw get`.
///
/// # Errors
/// When the rows cannot be written in that format.
pub fn list(records: &[Record], format: Format, clock: &Clock) -> Result<String, Failure> {
    match format {
        Format::Json => json(records),
        Format::Yaml => yaml(records),
        Format::Default | Format::Table if records.is_empty() => Ok("No resource in the cluster\n".to_owned()),
        Format::Default | Format::Table => Ok(format!(
            "\n{header}\nStats:\n{line}\nTotal: {total}\n\nTable:\n{line}\n{table}\n",
            header = clock.header("List"),
            line = "-".repeat(30),
            total = records.len(),
            table = plain(records, clock),
        )),
    }
}

/// A summary: numbers about the whole, and rows for its groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// What is counted, as in `Tasks`.
    #[serde(skip)]
    pub what: &'static str,
    /// By what it is grouped, as in `func_name`.
    #[serde(skip)]
    pub group: &'static str,
    /// Numbers about the whole, in order.
    #[serde(flatten)]
    pub stats: Record,
    /// One row a group.
    pub summary: Vec<Record>,
}

/// The text of `rayw summary`.
///
/// # Errors
/// When it cannot be written in that format.
pub fn summary(summary: &Summary, format: Format, clock: &Clock) -> Result<String, Failure> {
    let Summary { what, group, stats, summary: records } = summary;
    match format {
        Format::Json => json(summary),
        Format::Yaml => yaml(summary),
        Format::Default | Format::Table => {
            let stats: String = stats.0.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            Ok(format!(
                "\n{header}\nStats:\n{line}\n{stats}\n\nTable (group by {group}):\n{line}\n{table}\n",
                header = clock.header(&format!("{what} Summary")),
                line = "-".repeat(36),
                table = plain(records, clock),
            ))
        }
    }
}

pub(crate) fn json(value: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    let text = serde_json::to_string(value);
    text.map(|text| text + "\n").map_err(|error| Failure::system("failed to write json").caused_by(error))
}

/// One document with its marks, as Ray writes it.
pub(crate) fn yaml(value: &(impl Serialize + ?Sized)) -> Result<String, Failure> {
    let text = serde_yaml_ng::to_string(value);
    text.map(|text| format!("---\n{text}...\n"))
        .map_err(|error| Failure::system("failed to write yaml").caused_by(error))
}

/// A table without lines: upper-case columns, an index, numbers to the right.
fn plain(records: &[Record], clock: &Clock) -> String {
    let Some(Record(first)) = records.first() else {
        return String::new();
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let names = first.iter().map(|(name, _)| Cell::new(name.to_uppercase()));
    table.set_header([Cell::new("")].into_iter().chain(names));
    for (index, Record(values)) in records.iter().enumerate() {
        let cells = values.iter().map(|(name, value)| Cell::new(text(name, value, clock)));
        table.add_row([Cell::new(index)].into_iter().chain(cells));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let number = index > 0 && is_number_column(records, index - 1);
        if number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Whether a column stands to the right; times are text by then.
fn is_number_column(records: &[Record], index: usize) -> bool {
    let mut values =
        records.iter().filter_map(|Record(values)| values.get(index)).filter(|(_, value)| !value.is_null());
    let numbers = values.clone().all(|(name, value)| value.is_number() && !is_time(name));
    numbers && values.next().is_some()
}

fn is_time(column: &str) -> bool {
    column.ends_with("_time_ms")
}

/// A value as a cell shows it.
fn text(column: &str, value: &Value, clock: &Clock) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text).into_owned(),
        Value::Number(number) if is_time(column) => {
            number.as_i64().and_then(|time| clock.read(time)).unwrap_or_else(|| number.to_string())
        }
        // JSON would write a small fraction as `1e-6`.
        Value::Number(number) if number.is_f64() => number.as_f64().map_or_else(String::new, |units| units.to_string()),
        // Counts by state, one a line.
        Value::Object(counts) => {
            let lines = counts.iter().map(|(name, count)| format!("{}: {count}", printable(name)));
            lines.collect::<Vec<_>>().join("\n")
        }
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
