//! The Mandelbrot set: the points `c` for which `z -> z² + c`, from 0 on, stays near 0 for ever.

use serde::{Deserialize, Serialize};

/// The part of the plane that the picture shows.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct View {
    left: f64,
    top: f64,
    /// From one point of the picture to the next.
    step: f64,
    iterations: u32,
}

impl View {
    /// The smallest view of this shape that shows the whole set.
    pub fn of_whole_set(width: u32, height: u32, iterations: u32) -> Self {
        let (width, height) = (f64::from(width), f64::from(height));
        let step = f64::max(3.3 / width, 2.5 / height);
        Self { left: -0.65 - step * width / 2.0, top: -step * height / 2.0, step, iterations }
    }

    /// Red, green and blue of a point: black inside, else by how fast it escapes.
    pub fn colour(&self, x: u32, y: u32) -> [u8; 3] {
        let c = (self.left + self.step * (f64::from(x) + 0.5), self.top + self.step * (f64::from(y) + 0.5));
        match escape_time(c, self.iterations) {
            None => [0, 0, 0],
            // Three waves of the same length, out of step with each other.
            Some(time) => [0.0, 0.6, 1.2].map(|phase| {
                let wave = (3.6 + 0.3 * time + phase).cos();
                (255.0 * (0.5 - 0.5 * wave)) as u8
            }),
        }
    }
}

/// After how many steps the point is far away, in fractions of a step so that colours have no bands.
fn escape_time((c_re, c_im): (f64, f64), iterations: u32) -> Option<f64> {
    // Far enough for the fraction to be smooth; 2 would do to know that it escapes.
    const FAR_SQUARED: f64 = 65_536.0;
    let (mut re, mut im) = (0.0_f64, 0.0_f64);
    for step in 0..iterations {
        let (re_squared, im_squared) = (re * re, im * im);
        let distance_squared = re_squared + im_squared;
        if distance_squared > FAR_SQUARED {
            return Some(f64::from(step) + 1.0 - (distance_squared.ln() / 2.0).log2());
        }
        im = 2.0 * re * im + c_im;
        re = re_squared - im_squared + c_re;
    }
    None
}
