//! Connections that are cut, heads that start again, nodes that are dead.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rayw_core::message::{HeadLink as _, PeerLink as _};

use crate::support::{ANY, LONG, News, at, cutting_proxy, from_head, head, id, node, to_head, to_peer};

const COUNT: u32 = 10_000;

#[tokio::test]
async fn cut_connections_change_nothing() {
    let mut head = head(ANY, 7, LONG, false);
    let (to_head_target, to_node_target) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    to_head_target.set(head.endpoint.address().to_owned()).unwrap();
    let head_proxy = cutting_proxy(to_head_target, 20, 7_000).await;
    let node_proxy = cutting_proxy(to_node_target.clone(), 20, 7_000).await;
    let mut node = node(id(1), Some(node_proxy.address.clone()));
    // The endpoint tells others the proxy's address; its own is the one that its listener has.
    to_node_target.set(node.endpoint.listening().to_string()).unwrap();

    let link = node.endpoint.connect_head(id(1), at(&node), &head_proxy.address);
    let mut to_node = None;
    // In slices, so that cuts meet packets at all places and confirmations get lost too.
    for first in (0..COUNT).step_by(1000) {
        let numbers = first..first + 1000;
        numbers.clone().for_each(|number| link.send(to_head(number)));
        if to_node.is_none() {
            to_node = Some(head.joined().await.1);
        }
        let to_node = to_node.as_ref().unwrap();
        numbers.clone().for_each(|number| to_node.deliver(from_head(number)));
        for number in numbers.clone() {
            assert!(matches!(head.next().await, News::Message(message) if message == to_head(number)), "{number}");
        }
        for number in numbers {
            assert!(matches!(node.next().await, News::FromHead(message) if message == from_head(number)), "{number}");
        }
    }
    for proxy in [head_proxy, node_proxy] {
        assert!(proxy.connections.load(Ordering::Relaxed) > 3, "there were cuts");
    }
}

#[tokio::test]
async fn a_node_hears_of_a_new_head_before_anything_else_of_it() {
    let mut old = head(ANY, 7, LONG, false);
    let mut node = node(id(1), None);
    let link = node.endpoint.connect_head(id(1), at(&node), old.endpoint.address());
    link.send(to_head(1));
    old.joined().await;
    assert!(matches!(old.next().await, News::Message(_)));
    let address = old.stop().await;
    link.send(to_head(2));

    let mut new = head(&address.to_string(), 8, LONG, false);
    assert!(matches!(node.next().await, News::HeadIsNew));
    link.send(to_head(3));
    let (joined, to_node) = new.joined().await;
    assert_eq!(joined, id(1));
    to_node.deliver(from_head(4));
    assert!(matches!(new.next().await, News::Message(message) if message == to_head(3)));
    assert!(matches!(node.next().await, News::FromHead(message) if message == from_head(4)));
}

#[tokio::test]
async fn a_dead_node_is_told_so() {
    let head = head(ANY, 7, LONG, true);
    let mut node = node(id(1), None);
    let _link = node.endpoint.connect_head(id(1), at(&node), head.endpoint.address());
    assert!(matches!(node.next().await, News::Fenced(why) if why.contains("declared dead")));
}

#[tokio::test]
async fn a_node_whose_process_ends_is_lost_at_once() {
    let mut head = head(ANY, 7, LONG, false);
    let node = node(id(1), None);
    let link = node.endpoint.connect_head(id(1), at(&node), head.endpoint.address());
    head.joined().await;
    drop(link);
    node.stop().await;
    assert!(matches!(head.next().await, News::Lost(lost, why) if lost == id(1) && why.contains("refuses")));
}

#[tokio::test]
async fn a_silent_node_is_lost_in_time() {
    let mut head = head(ANY, 7, Duration::from_millis(200), false);
    let node = node(id(1), None);
    let link = node.endpoint.connect_head(id(1), at(&node), head.endpoint.address());
    head.joined().await;
    // Its port still answers, but nobody speaks to the head any more.
    drop(link);
    assert!(matches!(head.next().await, News::Lost(lost, why) if lost == id(1) && why.contains("too long")));
}

#[tokio::test]
async fn a_node_that_only_beats_is_alive() {
    let mut head = head(ANY, 7, Duration::from_millis(400), false);
    let node = node(id(1), None);
    let link = node.endpoint.connect_head(id(1), at(&node), head.endpoint.address());
    head.joined().await;
    let quiet = tokio::time::timeout(Duration::from_millis(1200), head.news.recv()).await;
    assert!(quiet.is_err(), "nothing is said, and the node is not lost");
    drop(link);
}

#[tokio::test]
async fn a_process_that_is_another_node_takes_nothing() {
    let one = node(id(1), None);
    let mut three = node(id(3), None);
    one.endpoint.peers().set(id(2), three.endpoint.address());
    one.endpoint.peers().send(id(2), to_peer(1));
    one.endpoint.peers().set(id(3), three.endpoint.address());
    one.endpoint.peers().send(id(3), to_peer(2));
    assert!(matches!(three.next().await, News::FromPeer(_, message) if message == to_peer(2)));
}
