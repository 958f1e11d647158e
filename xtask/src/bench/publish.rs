//! Copies the last comparison into README.md, between two marks, and its plot beside it; and the growth of
//! costs, the cluster's table and the profiles, where those were measured too.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::cluster;
use super::profile::REPORT;
use crate::tree;

const BEGIN: &str = "<!-- what `cargo xtask bench --publish` writes begins here -->";
const END: &str = "<!-- and ends here -->";

/// Where the plot lies in the checkout.
const PLOT: &str = "tests/benches/vs-ray.svg";

/// Where all reports but the table lie in the checkout.
const PUBLISHED: &str = "tests/benches";

/// The curves of growth and their plot, and what nodes as processes made.
const OTHERS: [&str; 3] = ["growth.md", "growth.svg", cluster::REPORT];

/// The flame graphs of the profiles.
const FLAMES: &str = "flames";

pub(super) fn run(folder: &Path) -> Result<()> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .with_context(|| format!("failed to read `{}`: `cargo xtask bench --vs-ray` makes it", tree::shown(path)))
    };
    let (table, plot) = (read(&folder.join("vs-ray.md"))?, read(&folder.join("vs-ray.svg"))?);
    let readme = tree::root().join("README.md");
    let text = read(&readme)?;
    let Some(text) = replaced(&text, &format!("{table}\n![rayw beside Ray]({PLOT})\n")) else {
        bail!("README.md has no place for the table: a line `{BEGIN}` and, below it, a line `{END}`");
    };
    let published = tree::root().join(PUBLISHED);
    for report in OTHERS {
        let measured = folder.join(report);
        if measured.is_file() {
            super::write(&published.join(report), &read(&measured)?)?;
        }
    }
    let profile = folder.join(REPORT);
    if profile.is_file() {
        let profile = read(&profile)?;
        super::emptied(&published.join(FLAMES))?;
        for picture in pictures(&profile) {
            super::write(&published.join(picture), &read(&folder.join(picture))?)?;
        }
        super::write(&published.join(REPORT), &profile)?;
    }
    super::write(&tree::root().join(PLOT), &plot)?;
    super::write(&readme, &text)
}

/// The flame graphs that a report shows.
fn pictures(report: &str) -> impl Iterator<Item = &str> {
    report.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(path, _)| path))
}

/// The text with something else between the marks.
fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(replaced(&text, "new\n").unwrap(), format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert_eq!(replaced("a\nb\n", "new\n"), None);
    }

    #[test]
    fn the_pictures_of_a_report_are_found() {
        let report = "## a\n\n3 samples, [flame graph](flames/a.svg).\n## b\n[flame graph](flames/b.svg)\n";
        assert_eq!(pictures(report).collect::<Vec<_>>(), ["flames/a.svg", "flames/b.svg"]);
    }
}
