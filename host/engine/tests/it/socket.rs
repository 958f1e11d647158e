//! Guests that want a network.

use crate::support::{around, caller, engine, load, start};

const WORLD: &str = "
    package test:socket;
    world guest {
        import wasi:sockets/udp-create-socket@0.2.0;
        import wasi:sockets/tcp-create-socket@0.2.0;
        export refused: func() -> u32;
    }
    package wasi:sockets@0.2.0 {
        interface network {
            enum ip-address-family { ipv4, ipv6 }
            enum error-code {
                unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout, concurrency-conflict,
                not-in-progress, would-block, invalid-state, new-socket-limit, address-not-bindable, address-in-use,
                remote-unreachable, connection-refused, connection-reset, connection-aborted, datagram-too-large,
                name-unresolvable, temporary-resolver-failure, permanent-resolver-failure,
            }
        }
        interface udp { resource udp-socket; }
        interface tcp { resource tcp-socket; }
        interface udp-create-socket {
            use network.{ip-address-family, error-code};
            use udp.{udp-socket};
            create-udp-socket: func(address-family: ip-address-family) -> result<udp-socket, error-code>;
        }
        interface tcp-create-socket {
            use network.{ip-address-family, error-code};
            use tcp.{tcp-socket};
            create-tcp-socket: func(address-family: ip-address-family) -> result<tcp-socket, error-code>;
        }
    }";

/// Asks for two sockets; answers with how often it was told `access-denied`.
const MODULE: &str = r#"(module
    (import "wasi:sockets/udp-create-socket@0.2.0" "create-udp-socket" (func $udp (param i32 i32)))
    (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $tcp (param i32 i32)))
    (memory (export "memory") 1)
    (func $is_denied (param i32) (result i32)
        (i32.and
            (i32.eq (i32.load8_u (local.get 0)) (i32.const 1))
            (i32.eq (i32.load8_u offset=4 (local.get 0)) (i32.const 1))))
    (func (export "refused") (result i32)
        (call $udp (i32.const 0) (i32.const 0))
        (call $tcp (i32.const 0) (i32.const 8))
        (i32.add (call $is_denied (i32.const 0)) (call $is_denied (i32.const 8)))))"#;

#[tokio::test]
async fn a_guest_cannot_take_file_descriptors_by_opening_sockets() {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("socket.wit", WORLD).unwrap();
    let engine = engine();
    let program = load(&engine, around(MODULE, &resolve, package, "guest")).await.unwrap();
    let (mut instance, _) = start(&engine, &program).await;
    let returned = instance.invoke(caller(), "refused", &[], 1).await.unwrap();
    assert_eq!(program.display(&returned.values[0]), "2");
}
