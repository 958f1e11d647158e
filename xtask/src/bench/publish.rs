//! Copies the last comparison into README.md, between two marks, and its plot beside it; and what the
//! growth of costs was, where that was measured too.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::tree;

const BEGIN: &str = "<!-- what `cargo xtask bench --publish` writes begins here -->";
const END: &str = "<!-- and ends here -->";

/// Where the plot lies in the checkout.
const PLOT: &str = "tests/benches/vs-ray.svg";

/// Where the curves of growth lie in the checkout, and their plot.
const GROWTH: [(&str, &str); 2] =
    [("growth.md", "tests/benches/growth.md"), ("growth.svg", "tests/benches/growth.svg")];

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
    for (measured, published) in GROWTH {
        let measured = folder.join(measured);
        if measured.is_file() {
            super::write(&tree::root().join(published), &read(&measured)?)?;
        }
    }
    super::write(&tree::root().join(PLOT), &plot)?;
    super::write(&readme, &text)
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
}
