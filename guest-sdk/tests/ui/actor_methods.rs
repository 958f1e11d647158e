struct Counter;

#[rayw::actor]
impl Counter {
    fn new(text: &str) -> Option<Self> {
        None
    }

    fn consumed(self) {}

    fn boxed(self: Box<Self>) {}

    async fn asynchronous(&self) {}

    fn generic<T>(&self, value: T) {}

    fn borrowed(&self, text: &str) -> &str {
        ""
    }

    fn kill(&mut self) {}

    fn remote() {}

    #[rayw(num_cpus = 1)]
    fn option(&self) {}

    #[rayw(num_returns = 2)]
    fn associated() {}
}

#[rayw::actor(name = "one")]
impl Counter {
    fn method(&self) {}
}

#[rayw::actor]
impl Counter {
    fn new() -> Option<Self> {
        None
    }

    fn method(&self) {}
}

fn main() {}
