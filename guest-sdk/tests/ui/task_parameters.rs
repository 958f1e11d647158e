#[rayw::task]
fn borrowed(text: &str, bytes: &[u8], path: &Path, list: &mut Vec<u32>) {}

#[rayw::task]
fn anything(numbers: impl Iterator<Item = u32>) {}

#[rayw::task]
fn pattern((x, y): (u32, u32), _: u8) {}

fn main() {}
