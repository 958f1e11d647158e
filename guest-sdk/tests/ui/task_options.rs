#[rayw::task(cpus = 2)]
fn unknown() {}

#[rayw::task(num_cpus = 1, num_cpus = 2)]
fn twice() {}

#[rayw::task(num_cpus = "two")]
fn wrong_number() {}

#[rayw::task(memory = "much")]
fn wrong_memory() {}

#[rayw::task(timeout = 5)]
fn wrong_timeout() {}

#[rayw::task(max_retries = -2)]
fn wrong_retries() {}

#[rayw::task(num_returns)]
fn no_value() {}

#[rayw::task(retry_exceptions = 1)]
fn wrong_choice() {}

#[rayw::task(resources = 3)]
fn wrong_resources() {}

#[rayw::task(resources(gpu = -1.0))]
fn negative_resource() {}

#[rayw::task(name = 3)]
fn wrong_name() {}

fn main() {}
