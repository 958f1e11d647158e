//! Messages in all three directions, in order.

use rayw_core::message::{HeadLink as _, PeerLink as _};

use crate::support::{ANY, LONG, News, at, from_head, head, id, node, to_head, to_peer};

const COUNT: u32 = 10_000;

#[tokio::test]
async fn a_node_and_the_head_hear_each_other_in_order() {
    let mut head = head(ANY, 7, LONG, false);
    let mut node = node(id(1), None);
    let link = node.endpoint.connect_head(id(1), at(&node), head.endpoint.address());
    for number in 0..COUNT {
        link.send(to_head(number));
    }
    let (joined, to_node) = head.joined().await;
    assert_eq!(joined, id(1));
    for number in 0..COUNT {
        to_node.deliver(from_head(number));
    }
    for number in 0..COUNT {
        assert!(matches!(head.next().await, News::Message(message) if message == to_head(number)), "{number}");
    }
    for number in 0..COUNT {
        assert!(matches!(node.next().await, News::FromHead(message) if message == from_head(number)), "{number}");
    }
}

#[tokio::test]
async fn what_is_said_to_a_node_before_its_address_is_known_comes_first() {
    let one = node(id(1), None);
    let mut two = node(id(2), None);
    let peers = one.endpoint.peers();
    for number in 0..COUNT {
        if number == COUNT / 2 {
            peers.set(id(2), two.endpoint.address());
        }
        peers.send(id(2), to_peer(number));
    }
    for number in 0..COUNT {
        let news = two.next().await;
        assert!(matches!(news, News::FromPeer(from, message) if from == id(1) && message == to_peer(number)));
    }
}

#[tokio::test]
async fn nothing_is_heard_from_a_node_that_was_removed() {
    let one = node(id(1), None);
    let mut two = node(id(2), None);
    let mut three = node(id(3), None);
    two.endpoint.peers().remove(id(1));
    one.endpoint.peers().set(id(2), two.endpoint.address());
    one.endpoint.peers().send(id(2), to_peer(1));
    three.endpoint.peers().set(id(2), two.endpoint.address());
    three.endpoint.peers().send(id(2), to_peer(2));
    assert!(matches!(two.next().await, News::FromPeer(from, _) if from == id(3)));
    assert!(three.news.try_recv().is_err());
}
