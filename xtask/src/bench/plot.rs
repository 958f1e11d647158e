//! Plots as SVG: bars of ratios and curves, both with logarithmic axes, and flame graphs.

use std::fmt::Write as _;

use super::stacks::Part;

/// What is drawn; a name, and how many times.
pub(super) type Bar = (String, f64);

const ROW: f64 = 22.0;
const NAMES: f64 = 330.0;
const WIDTH: f64 = 900.0;
const INK: &str = "#333";
const FILL: &str = "#654ff0";
const GRID: &str = "#ddd";

/// Horizontal bars from 1 on.
pub(super) fn ratios(title: &str, bars: &[Bar]) -> String {
    let height = ROW * (bars.len() as f64 + 3.0);
    let most = bars.iter().map(|(_, ratio)| *ratio).fold(10.0, f64::max);
    let decades = most.log10().ceil();
    let at = |ratio: f64| NAMES + (WIDTH - NAMES - 70.0) * (ratio.max(0.1).log10() / decades).max(0.0);
    let mut body = String::new();
    for decade in 0..=decades as i32 {
        let (x, bottom) = (at(10_f64.powi(decade)), height - ROW);
        line(&mut body, (x, ROW * 1.5), (x, bottom), GRID);
        text(&mut body, (x, height - 6.0), "middle", &format!("{}×", 10_u64.pow(decade.unsigned_abs())));
    }
    for (index, (name, ratio)) in bars.iter().enumerate() {
        let top = ROW * (index as f64 + 1.75);
        let (left, width) = (at(1.0), at(*ratio) - at(1.0));
        text(&mut body, (NAMES - 8.0, top + 14.0), "end", name);
        // Writing to a string does not fail.
        let _ = writeln!(body, r#"<rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="16" fill="{FILL}"/>"#);
        text(&mut body, (left + width + 5.0, top + 14.0), "start", &super::measured::shown(*ratio));
    }
    document(WIDTH, height, title, &body)
}

/// A curve: its title, what the axes are, and its points.
pub(super) struct Curve<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) points: &'a [(f64, f64)],
}

const PANEL: (f64, f64) = (430.0, 250.0);

/// Curves beside and below each other.
pub(super) fn curves(title: &str, curves: &[Curve<'_>]) -> String {
    let rows = curves.len().div_ceil(2) as f64;
    let mut body = String::new();
    for (index, curve) in curves.iter().enumerate() {
        let origin = (10.0 + PANEL.0 * (index % 2) as f64, 30.0 + PANEL.1 * (index / 2) as f64);
        panel(&mut body, origin, curve);
    }
    document(20.0 + 2.0 * PANEL.0, 40.0 + rows * PANEL.1, title, &body)
}

fn panel(body: &mut String, (left, top): (f64, f64), curve: &Curve<'_>) {
    let range = |of: fn(&(f64, f64)) -> f64| {
        let values = || curve.points.iter().map(of).filter(|value| *value > 0.0).map(f64::log10);
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        (low.floor(), if high.ceil() > low.floor() { high.ceil() } else { low.floor() + 1.0 })
    };
    if curve.points.is_empty() {
        return;
    }
    let (xs, ys) = (range(|point| point.0), range(|point| point.1));
    let (x0, y0, width, height) = (left + 60.0, top + 30.0, PANEL.0 - 90.0, PANEL.1 - 85.0);
    let x = |value: f64| x0 + width * (value.log10() - xs.0) / (xs.1 - xs.0);
    let y = |value: f64| y0 + height * (1.0 - (value.log10() - ys.0) / (ys.1 - ys.0));
    text(body, (left + 10.0, top + 16.0), "start", curve.title);
    for decade in xs.0 as i32..=xs.1 as i32 {
        let value = 10_f64.powi(decade);
        line(body, (x(value), y0), (x(value), y0 + height), GRID);
        text(body, (x(value), y0 + height + 16.0), "middle", &format!("10^{decade}"));
    }
    for decade in ys.0 as i32..=ys.1 as i32 {
        let value = 10_f64.powi(decade);
        line(body, (x0, y(value)), (x0 + width, y(value)), GRID);
        text(body, (x0 - 6.0, y(value) + 4.0), "end", &format!("10^{decade}"));
    }
    text(body, (x0 + width / 2.0, y0 + height + 34.0), "middle", curve.x);
    let points: Vec<_> = curve.points.iter().map(|(size, cost)| format!("{:.1},{:.1}", x(*size), y(*cost))).collect();
    let _ = writeln!(body, r#"<polyline points="{}" fill="none" stroke="{FILL}" stroke-width="2"/>"#, points.join(" "));
    for (size, cost) in curve.points {
        let _ = writeln!(body, r#"<circle cx="{:.1}" cy="{:.1}" r="3.5" fill="{FILL}"/>"#, x(*size), y(*cost));
    }
}

/// A box of a flame graph.
pub(super) struct Flame {
    pub(super) name: String,
    /// What it belongs to, which gives it its colour.
    pub(super) part: &'static str,
    /// Where it begins, and how wide it is: 1 is all.
    pub(super) left: f64,
    pub(super) width: f64,
    /// 0 at the bottom.
    pub(super) level: usize,
}

const FLAME: (f64, f64) = (1400.0, 17.0);

/// The width of a letter, near enough.
const LETTER: f64 = 6.1;

/// Boxes upon each other, and what their colours mean.
pub(super) fn flames(title: &str, parts: &[Part], flames: &[Flame]) -> String {
    let is_there = |part: &&Part| flames.iter().any(|flame| flame.part == part.name);
    let parts: Vec<_> = parts.iter().filter(is_there).collect();
    let colour = |name: &str| parts.iter().find(|part| part.name == name).map_or(INK, |part| part.colour);
    let levels = flames.iter().map(|flame| flame.level + 1).max().unwrap_or_default() as f64;
    let legend = 30.0 + FLAME.1 * parts.len().div_ceil(3) as f64;
    let height = legend + 10.0 + levels * FLAME.1;
    let mut body = String::new();
    for (index, part) in parts.iter().enumerate() {
        let (x, y) = (10.0 + 460.0 * (index % 3) as f64, 28.0 + FLAME.1 * (index / 3) as f64);
        let _ = writeln!(body, r#"<rect x="{x}" y="{y}" width="12" height="12" fill="{}"/>"#, part.colour);
        text(&mut body, (x + 18.0, y + 11.0), "start", part.name);
    }
    for flame in flames {
        let (x, width) = (FLAME.0 * flame.left, FLAME.0 * flame.width);
        let y = height - FLAME.1 * (flame.level as f64 + 1.0);
        let name = escaped(&flame.name);
        let _ = writeln!(
            body,
            r#"<g><title>{name}: {:.1} %</title><rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="16" fill="{}" stroke="white"/>"#,
            100.0 * flame.width,
            colour(flame.part)
        );
        // The end of a name says most.
        let letters = (width / LETTER) as usize;
        if letters >= 4 {
            let skipped = flame.name.chars().count().saturating_sub(letters);
            let end: String = flame.name.chars().skip(skipped).collect();
            text(&mut body, (x + 2.0, y + 12.0), "start", &end);
        }
        body += "</g>\n";
    }
    document(FLAME.0, height, title, &body)
}

fn line(body: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let _ = writeln!(
        body,
        r#"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="{colour}"/>"#,
        from.0, from.1, to.0, to.1
    );
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(body, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="{INK}">{words}</text>"#);
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;")
}

fn document(width: f64, height: f64, title: &str, body: &str) -> String {
    let mut heading = String::new();
    text(&mut heading, (10.0, 18.0), "start", title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{heading}{body}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_ten_times_as_long_stands_at_the_next_line_of_the_grid() {
        let svg = ratios("t", &[("a <b>".to_owned(), 10.0), ("c".to_owned(), 1000.0)]);
        let number = |line: &str, key: &str| -> f64 {
            line.split(&format!("{key}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        let grid: Vec<_> =
            svg.lines().filter(|line| line.starts_with("<line")).map(|line| number(line, "x1")).collect();
        let bars: Vec<_> = svg
            .lines()
            .filter(|line| line.starts_with("<rect x"))
            .map(|line| number(line, "x") + number(line, "width"))
            .collect();
        assert!((bars[0] - grid[1]).abs() < 0.2 && (bars[1] - grid[3]).abs() < 0.2, "{svg}");
        assert!(svg.contains("a &lt;b>"), "{svg}");
    }

    #[test]
    fn a_box_stands_on_the_one_below_and_shows_the_end_of_its_name() {
        let part = super::super::stacks::PARTS[0].name;
        let flame = |name: &str, level, width| Flame { name: name.to_owned(), part, left: 0.0, width, level };
        let svg = flames(
            "t",
            &super::super::stacks::PARTS,
            &[flame("a::<main>", 0, 1.0), flame("rayw::very::long::name", 1, 0.03)],
        );
        let tops: Vec<f64> = svg
            .lines()
            .filter(|line| line.starts_with("<g>"))
            .map(|line| line.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!((tops[0] - tops[1] - FLAME.1).abs() < 0.01, "{svg}");
        assert!(svg.contains(">::name</text>") && svg.contains("<title>a::&lt;main>: 100.0 %</title>"), "{svg}");
    }

    #[test]
    fn every_point_of_a_curve_lies_within_the_picture() {
        let points = [(10.0, 0.5), (10_000.0, 70.0)];
        let svg = curves("t", &[Curve { title: "c", x: "nodes", points: &points }]);
        let circles = svg.lines().filter(|line| line.starts_with("<circle")).count();
        assert_eq!(circles, 2, "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
