#[rayw::task(spread = true)]
fn spread_with_a_value() {}

#[rayw::task(labels = "zone=a")]
fn labels_without_a_list() {}

#[rayw::task(labels(zone = 3))]
fn label_of_a_number() {}

#[rayw::task(labels(zone = "in(a"))]
fn label_without_an_end() {}

#[rayw::task(labels(zone = "!"))]
fn label_of_nothing() {}

#[rayw::task(placement_group = "gang")]
fn group_of_a_function() {}

struct Counter;

#[rayw::actor(node_affinity = "here")]
impl Counter {
    fn get(&self) {}
}

fn main() {}
