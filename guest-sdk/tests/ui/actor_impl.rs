struct Counter;

#[rayw::actor]
impl Clone for Counter {
    fn clone(&self) -> Self {
        Counter
    }
}

#[rayw::actor]
impl Counter {
    fn new() -> Self {
        Counter
    }
}

#[rayw::actor]
impl<T> Holder<T> {
    fn get(&self) -> T {
        self.0
    }
}

#[rayw::actor]
impl Holder<u32> {
    fn get(&self) -> u32 {
        self.0
    }
}

#[rayw::actor]
struct NotAnImpl;

fn main() {}
