//! The picture, the tiles it is cut into, and the file it ends in.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Bytes of a point: red, green, blue.
const POINT_BYTES: usize = 3;

/// A rectangle of the picture.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Tile {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Tile {
    /// Its points, row by row, in coordinates of the picture.
    pub fn points(self) -> impl Iterator<Item = (u32, u32)> {
        let rows = self.top..self.top + self.height;
        rows.flat_map(move |y| (self.left..self.left + self.width).map(move |x| (x, y)))
    }
}

#[derive(PartialEq)]
pub struct Picture {
    width: u32,
    height: u32,
    colours: Vec<u8>,
}

impl Picture {
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, colours: vec![0; width as usize * height as usize * POINT_BYTES] }
    }

    /// Squares of this size, and what is left of them at the right and the bottom.
    pub fn tiles(&self, size: u32) -> impl Iterator<Item = Tile> + use<> {
        let (width, height, step) = (self.width, self.height, size as usize);
        (0..height).step_by(step).flat_map(move |top| {
            (0..width).step_by(step).map(move |left| Tile {
                left,
                top,
                width: size.min(width - left),
                height: size.min(height - top),
            })
        })
    }

    pub fn paste(&mut self, tile: Tile, colours: &[u8]) {
        let row_bytes = tile.width as usize * POINT_BYTES;
        for (y, row) in (tile.top..).zip(colours.chunks_exact(row_bytes)) {
            let start = (y as usize * self.width as usize + tile.left as usize) * POINT_BYTES;
            self.colours[start..start + row_bytes].copy_from_slice(row);
        }
    }

    pub fn write_png(&self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let file = File::create(path).map_err(|error| {
            format!("cannot write `{}`: {error}; grant its folder by `--dir HOST::GUEST`", path.display())
        })?;
        let mut encoder = png::Encoder::new(BufWriter::new(file), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.colours)?;
        writer.finish()?;
        Ok(())
    }
}
