#[rayw::task]
async fn asynchronous() {}

#[rayw::task]
fn method(&self) {}

#[rayw::task]
fn generic<T>(value: T) {}

#[rayw::task]
fn borrowing<'a>(value: Cow<'a, str>) {}

#[rayw::task]
unsafe fn unpromised() {}

#[rayw::task]
extern "C" fn foreign() {}

fn main() {}
