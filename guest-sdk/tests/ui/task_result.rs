#[rayw::task]
fn borrowed() -> &'static str { "text" }

#[rayw::task]
fn anything() -> impl Iterator<Item = u32> { 0..3 }

#[rayw::task(num_returns = 3)]
fn two() -> (u32, u32) { (1, 2) }

#[rayw::task(num_returns = 3)]
fn two_or_error() -> Result<(u32, u32), String> { Ok((1, 2)) }

fn main() {}
