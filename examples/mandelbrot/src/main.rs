//! Draws the Mandelbrot set: each tile of the picture is a task, the driver puts them together.

mod arguments;
mod picture;
mod set;

use arguments::Arguments;
use picture::{Picture, Tile};
use set::View;

/// The colours of a tile's points, three bytes each: bytes travel as they are.
#[rayw::task]
fn draw(tile: Tile, view: View) -> rayw::Bytes {
    tile.points().flat_map(|(x, y)| view.colour(x, y)).collect::<Vec<u8>>().into()
}

#[rayw::main]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse()?;
    let (width, height) = arguments.size;
    let picture = render(width, height, arguments.tile, arguments.iterations)?;
    picture.write_png(&arguments.output)?;
    println!("wrote {width} x {height} points to {}", arguments.output.display());
    Ok(())
}

fn render(width: u32, height: u32, tile_size: u32, iterations: u32) -> rayw::Result<Picture> {
    let view = View::of_whole_set(width, height, iterations);
    let mut picture = Picture::new(width, height);
    let drawn: Vec<_> = picture.tiles(tile_size).map(|tile| (tile, draw::remote(tile, view))).collect();
    for (tile, colours) in drawn {
        picture.paste(tile, &colours.get()?);
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_does_not_depend_on_the_tiles() {
        let whole = render(50, 30, 50, 100).unwrap();
        for tile_size in [1, 7, 16, 1000] {
            assert!(render(50, 30, tile_size, 100).unwrap() == whole, "tiles of {tile_size}");
        }
    }

    #[test]
    fn the_set_itself_is_black_and_the_corner_is_not() {
        let view = View::of_whole_set(70, 50, 200);
        assert_eq!(view.colour(50, 25), [0, 0, 0]);
        assert_ne!(view.colour(0, 0), [0, 0, 0]);
    }
}
