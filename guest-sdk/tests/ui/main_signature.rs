mod with_arguments {
    #[rayw::main]
    fn main(arguments: Vec<String>) {}
}

mod asynchronous {
    #[rayw::main]
    async fn main() {}
}

mod other_name {
    #[rayw::main]
    fn driver() {}
}

mod with_options {
    #[rayw::main(threads = 2)]
    fn main() {}
}

mod not_a_function {
    #[rayw::main]
    struct Main;
}

fn main() {}
