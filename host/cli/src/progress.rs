//! Signs of life for a person at a terminal: a spinner while something is prepared, a bar while tasks run.
//!
//! Nothing is drawn for what is quick, in a pipe, or when it was refused.

use std::pin::pin;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// What is done within this time needs no spinner.
const SPINNER_AFTER: Duration = Duration::from_millis(200);
/// A run that ends within this time needs no bar.
const BAR_AFTER: Duration = Duration::from_secs(1);
/// How often what is drawn changes.
const REDRAW: Duration = Duration::from_millis(100);

/// How far some work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Done so far.
    pub done: u64,
    /// Of these failed.
    pub failed: u64,
    /// To be done, as far as it is known.
    pub total: u64,
    /// Being done now.
    pub running: u64,
}

/// Where progress is drawn, if it is.
#[derive(Debug, Clone)]
pub struct Drawing {
    bars: Option<MultiProgress>,
}

impl Drawing {
    /// Draws among `bars`, or nowhere.
    #[must_use]
    pub fn new(bars: &MultiProgress, allowed: bool) -> Self {
        Self { bars: allowed.then(|| bars.clone()) }
    }

    /// Does `work`, with a spinner and `words` once it takes a while.
    pub async fn spinner<T>(&self, words: &str, work: impl Future<Output = T>) -> T {
        let Some(bars) = &self.bars else {
            return work.await;
        };
        let mut work = pin!(work);
        if let Ok(done) = tokio::time::timeout(SPINNER_AFTER, &mut work).await {
            return done;
        }
        let shown = Shown::add(bars, "{spinner} {msg} {elapsed}");
        shown.0.set_message(words.to_owned());
        shown.0.enable_steady_tick(REDRAW);
        work.await
    }

    /// Does `work`, with a bar that follows `count` once it takes a while.
    pub async fn bar<T>(&self, count: impl Fn() -> Count, work: impl Future<Output = T>) -> T {
        let Some(bars) = &self.bars else {
            return work.await;
        };
        let mut work = pin!(work);
        if let Ok(done) = tokio::time::timeout(BAR_AFTER, &mut work).await {
            return done;
        }
        let shown = Shown::add(bars, "{bar:30} {pos}/{len} tasks {msg} {elapsed}");
        loop {
            let Count { done, failed, total, running } = count();
            shown.0.set_length(total);
            shown.0.set_position(done);
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            shown.0.set_message(format!("({running} running{failed})"));
            if let Ok(done) = tokio::time::timeout(REDRAW, &mut work).await {
                return done;
            }
        }
    }
}

/// A bar on the screen; gone when it is dropped, be it because somebody pressed ctrl-c.
struct Shown(ProgressBar);

impl Shown {
    fn add(bars: &MultiProgress, template: &'static str) -> Self {
        // The templates are the two above; one that cannot be read shows the default.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(ProgressBar::new(0));
        bar.set_style(style);
        Self(bar)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    fn screen() -> (InMemoryTerm, MultiProgress) {
        let term = InMemoryTerm::new(5, 80);
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(term.clone())));
        (term, bars)
    }

    #[tokio::test]
    async fn a_bar_shows_how_far_a_long_run_is_and_then_goes() {
        let (term, bars) = screen();
        let seen = async {
            tokio::time::sleep(BAR_AFTER + 3 * REDRAW).await;
            term.contents()
        };
        let count = || Count { done: 3, failed: 1, total: 8, running: 2 };
        let seen = Drawing::new(&bars, true).bar(count, seen).await;
        assert!(seen.contains("3/8 tasks (2 running, 1 failed)"), "{seen}");
        assert_eq!(term.contents(), "");
    }

    #[tokio::test]
    async fn a_spinner_says_what_is_done() {
        let (term, bars) = screen();
        let seen = async {
            tokio::time::sleep(SPINNER_AFTER + 3 * REDRAW).await;
            term.contents()
        };
        let seen = Drawing::new(&bars, true).spinner("compiling app.wasm", seen).await;
        assert!(seen.contains("compiling app.wasm"), "{seen}");
        assert_eq!(term.contents(), "");
    }

    #[tokio::test]
    async fn nothing_is_drawn_when_it_is_not_allowed() {
        let (term, bars) = screen();
        let wait = tokio::time::sleep(SPINNER_AFTER + 3 * REDRAW);
        Drawing::new(&bars, false).spinner("compiling app.wasm", wait).await;
        assert_eq!(term.contents(), "");
    }
}
