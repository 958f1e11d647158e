use serde::Serialize;

struct Neither {
    count: u32,
}

#[rayw::actor(durable)]
impl Neither {
    fn new() -> Self {
        Self { count: 0 }
    }

    fn count(&self) -> u32 {
        self.count
    }
}

#[derive(Serialize)]
struct Unreadable {
    count: u32,
}

#[rayw::actor(durable)]
impl Unreadable {
    fn new() -> Self {
        Self { count: 0 }
    }

    fn count(&self) -> u32 {
        self.count
    }
}

fn main() {}
