#[rayw::task]
struct NotAFunction;

fn main() {}
