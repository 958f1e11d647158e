//! The command line: `[--size WxH] [--tile N] [--iterations N] [--output PATH]`

use std::path::PathBuf;

/// What the user asked for.
pub struct Arguments {
    /// Width and height of the picture.
    pub size: (u32, u32),
    /// Width and height of the square that one task draws.
    pub tile: u32,
    /// Steps after which a point that has not escaped counts as inside.
    pub iterations: u32,
    /// Where the picture goes, as the guest sees it.
    pub output: PathBuf,
}

impl Arguments {
    pub fn parse() -> Result<Self, Box<dyn std::error::Error>> {
        let mut given = pico_args::Arguments::from_env();
        let arguments = Self {
            size: given.opt_value_from_fn("--size", parse_size)?.unwrap_or((1200, 800)),
            tile: given.opt_value_from_fn("--tile", parse_count)?.unwrap_or(100),
            iterations: given.opt_value_from_fn("--iterations", parse_count)?.unwrap_or(500),
            output: given.opt_value_from_str("--output")?.unwrap_or_else(|| "/out/mandelbrot.png".into()),
        };
        match given.finish().first() {
            None => Ok(arguments),
            Some(unknown) => Err(format!(
                "unknown argument `{}`; there are --size, --tile, --iterations and --output",
                unknown.display()
            )
            .into()),
        }
    }
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text.split_once('x').ok_or("write a size like `1200x800`")?;
    Ok((parse_count(width)?, parse_count(height)?))
}

fn parse_count(text: &str) -> Result<u32, String> {
    const MAX: u32 = 1 << 14;
    match text.parse() {
        Ok(count @ 1..=MAX) => Ok(count),
        _ => Err(format!("`{text}` is not a number from 1 to {MAX}")),
    }
}
