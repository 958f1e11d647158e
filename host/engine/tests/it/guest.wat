;; The guest contract by hand. The first letter of a function says what it does:
;;   e(cho)    returns its arguments
;;   k(eep)    keeps its arguments, returns nothing
;;   f(ail)    returns an error
;;   p(anic)   reports a panic and traps
;;   x(it)     exits with code 7
;;   g(row)    takes memory until it gets no more, then aborts
;;   c(ope)    asks for too much memory, copes, and returns its arguments
;;   s(pin)    never returns
;;   u(put)    puts its first argument and returns a value that holds the reference
;;   b(ytes)   the same by put-bytes: of its first argument only the bytes
;;   w(atch)   is-cancelled: traps when it is not
;;   n(ext)    takes the next call of a line
;;   r(efs)    clones and drops the object in its first argument, then echoes
(module
  (import "rayw:core/context@0.1.0" "report-panic" (func $report_panic (param i32 i32 i32 i32 i32)))
  (import "rayw:core/context@0.1.0" "exit" (func $exit (param i32)))
  (import "rayw:core/context@0.1.0" "is-cancelled" (func $is_cancelled (result i32)))
  (import "rayw:core/objects@0.1.0" "put" (func $put (param i32 i32 i32 i32 i32 i32)))
  (import "rayw:core/objects@0.1.0" "put-bytes" (func $put_bytes (param i32 i32 i32)))
  (import "rayw:core/types@0.1.0" "[method]object-ref.clone" (func $clone (param i32) (result i32)))
  (import "rayw:core/types@0.1.0" "[resource-drop]object-ref" (func $drop (param i32)))
  (import "rayw:core/line@0.1.0" "next" (func $next (param i32 i32)))
  (memory (export "memory") 1)
  (global $heap (mut i32) (i32.const 8192))

  ;; description { functions, actors }
  (data (i32.const 0) "\10\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00")
  ;; function { name: "echo", parameters: [{ "value", "any" }], returns: "any", options: all zero }
  (data (i32.const 16) "\00\08\00\00\04\00\00\00\20\08\00\00\01\00\00\00\18\08\00\00\03\00\00\00")
  (data (i32.const 2048) "echo    value   ")
  (data (i32.const 2072) "any     ")
  (data (i32.const 2080) "\08\08\00\00\05\00\00\00\18\08\00\00\03\00\00\00")
  (data (i32.const 2100) "boom")
  (data (i32.const 2110) "src/x.rs:1:2")

  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32) (local $missing i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.set $missing (i32.sub (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (memory.grow (i32.add (i32.shr_u (local.get $missing) (i32.const 16)) (i32.const 1))) (i32.const -1))
          (then unreachable))))
    (local.get $at))

  (func (export "rayw:core/guest@0.1.0#describe") (result i32) (i32.const 0))

  ;; Writes `ok` with these values at 4096.
  (func $ok (param $values i32) (param $count i32) (result i32)
    (i32.store (i32.const 4096) (i32.const 0))
    (i32.store (i32.const 4100) (local.get $values))
    (i32.store (i32.const 4104) (local.get $count))
    (i32.const 4096))

  (func $invoke (export "rayw:core/guest@0.1.0#invoke")
    (param $name i32) (param $name_len i32) (param $args i32) (param $count i32) (param $returns i32) (result i32)
    (local $what i32) (local $object i32)
    (local.set $what (i32.load8_u (local.get $name)))
    (if (i32.eq (local.get $what) (i32.const 0x6b)) ;; k
      (then (return (call $ok (i32.const 0) (i32.const 0)))))
    (if (i32.eq (local.get $what) (i32.const 0x66)) ;; f
      (then
        (memory.fill (i32.const 4096) (i32.const 0) (i32.const 128))
        (i32.store8 (i32.const 4096) (i32.const 1))
        (i32.store (i32.const 4104) (i32.const 2100))
        (i32.store (i32.const 4108) (i32.const 4))
        (return (i32.const 4096))))
    (if (i32.eq (local.get $what) (i32.const 0x70)) ;; p
      (then
        (call $report_panic (i32.const 2100) (i32.const 4) (i32.const 1) (i32.const 2110) (i32.const 12))
        unreachable))
    (if (i32.eq (local.get $what) (i32.const 0x78)) ;; x
      (then (call $exit (i32.const 7))))
    (if (i32.eq (local.get $what) (i32.const 0x67)) ;; g
      (then
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 64)) (i32.const -1))))
        unreachable))
    (if (i32.eq (local.get $what) (i32.const 0x63)) ;; c
      (then (drop (memory.grow (i32.const 65000)))))
    (if (i32.eq (local.get $what) (i32.const 0x73)) ;; s
      (then (loop $forever (br $forever))))
    (if (i32.eq (local.get $what) (i32.const 0x77)) ;; w
      (then (if (i32.eqz (call $is_cancelled)) (then unreachable))))
    (if (i32.eq (local.get $what) (i32.const 0x6e)) ;; n
      (then (call $answer (call $ok (i32.const 0) (i32.const 0)))))
    (if (i32.eq (local.get $what) (i32.const 0x72)) ;; r
      (then
        (local.set $object (i32.load offset=4 (i32.load offset=12 (local.get $args))))
        (call $drop (call $clone (local.get $object)))))
    (if (i32.or (i32.eq (local.get $what) (i32.const 0x75)) (i32.eq (local.get $what) (i32.const 0x62))) ;; u, b
      (then
        (if (i32.eq (local.get $what) (i32.const 0x75))
          (then
            (call $put
              (i32.load8_u (local.get $args))
              (i32.load offset=4 (local.get $args)) (i32.load offset=8 (local.get $args))
              (i32.load offset=12 (local.get $args)) (i32.load offset=16 (local.get $args))
              (i32.const 4160)))
          (else
            (call $put_bytes
              (i32.load offset=4 (local.get $args)) (i32.load offset=8 (local.get $args))
              (i32.const 4160))))
        ;; The answer is `err`: give up.
        (if (i32.load8_u (i32.const 4160))
          (then
            (memory.copy (i32.const 4096) (i32.const 4160) (i32.const 64))
            (return (i32.const 4096))))
        ;; handle::object(the reference)
        (i32.store (i32.const 4288) (i32.const 0))
        (i32.store (i32.const 4292) (i32.load (i32.const 4164)))
        ;; value { raw, "boom", [handle] }
        (i32.store (i32.const 4256) (i32.const 0))
        (i32.store (i32.const 4260) (i32.const 2100))
        (i32.store (i32.const 4264) (i32.const 4))
        (i32.store (i32.const 4268) (i32.const 4288))
        (i32.store (i32.const 4272) (i32.const 1))
        (return (call $ok (i32.const 4256) (i32.const 1)))))
    (call $ok (local.get $args) (local.get $count)))

  ;; Any class can be made of nothing.
  (func (export "rayw:core/guest@0.1.0#construct") (param i32 i32 i32 i32) (result i32)
    (memory.fill (i32.const 4096) (i32.const 0) (i32.const 64))
    (i32.const 4096))

  (func (export "rayw:core/guest@0.1.0#call") (param i32 i32 i32 i32 i32) (result i32)
    (call $invoke (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))

  ;; Hands in a result as an answer: `ok` is case 1 there, `err` case 2. option<call> is at 4480 then.
  (func $answer (param $result i32)
    (i32.store8 (local.get $result) (i32.add (i32.load8_u (local.get $result)) (i32.const 1)))
    (call $next (local.get $result) (i32.const 4480)))

  ;; A call, and then those that follow it.
  (func $line (export "rayw:core/line-guest@0.1.0#invoke")
    (param $name i32) (param $name_len i32) (param $args i32) (param $count i32) (param $returns i32)
    (call $answer
      (call $invoke
        (local.get $name) (local.get $name_len) (local.get $args) (local.get $count) (local.get $returns)))
    (loop $more
      (if (i32.load8_u (i32.const 4480))
        (then
          (if (i32.load8_u (i32.const 4484)) ;; another function
            (then
              (local.set $name (i32.load (i32.const 4488)))
              (local.set $name_len (i32.load (i32.const 4492)))))
          (local.set $count (i32.const 0))
          (if (i32.load8_u (i32.const 4496)) ;; arguments
            (then
              (local.set $args (i32.load (i32.const 4500)))
              (local.set $count (i32.load (i32.const 4504)))))
          (call $answer
            (call $invoke
              (local.get $name) (local.get $name_len)
              (local.get $args) (local.get $count) (i32.load (i32.const 4508))))
          (br $more)))))

  (func (export "rayw:core/line-guest@0.1.0#call") (param i32 i32 i32 i32 i32)
    (call $line (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4))))
