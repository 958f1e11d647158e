//! What `perf script` prints of a stack, and which part of the program a frame belongs to.

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// The function, short enough to be read.
    pub(super) function: String,
    pub(super) part: &'static str,
}

/// One stack, innermost frame first, as `perf` prints it.
pub(super) type Sample = Vec<Frame>;

/// Compiled components, which have no symbols.
const GUEST: &str = "guests' compiled code";
const KERNEL: &str = "kernel";
const LIBC: &str = "C library (copies, clearing)";
/// What tells nothing of itself: generic code of libraries, above all.
pub(super) const OTHER: &str = "other";

/// A part of the program.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// In pictures.
    pub(super) colour: &'static str,
    /// What symbols of it have in them: of several parts, the one that a symbol names first.
    symbols: &'static [&'static str],
}

/// All parts.
pub(super) const PARTS: [Part; 13] = [
    Part { name: GUEST, colour: "#9db7f5", symbols: &[] },
    Part { name: "wasmtime", colour: "#f7b267", symbols: &["wasmtime", "cranelift", "wasi"] },
    Part { name: "rayw-engine (host functions, instances)", colour: "#8fd3a8", symbols: &["rayw_engine"] },
    Part { name: "rayw-node (workers, actors, turns of the machine)", colour: "#f4978e", symbols: &["rayw_node"] },
    Part { name: "rayw-core (the owner's and the head's machines)", colour: "#cdb4db", symbols: &["rayw_core"] },
    Part { name: "rayw-head", colour: "#ffe08a", symbols: &["rayw_head"] },
    Part { name: "rayw-store", colour: "#a0d8ef", symbols: &["rayw_store", "rayw_memory"] },
    Part { name: "rayw-wire", colour: "#c0c0ff", symbols: &["rayw_wire"] },
    Part { name: "tokio", colour: "#e8a0bf", symbols: &["tokio"] },
    Part { name: "allocator", colour: "#b5c99a", symbols: &["mi_", "mimalloc"] },
    Part { name: LIBC, colour: "#d4a373", symbols: &[] },
    Part { name: KERNEL, colour: "#bcbcbc", symbols: &[] },
    Part { name: OTHER, colour: "#e4e4e4", symbols: &[] },
];

/// A line of `perf script -F ip,sym,dso`: an address, a symbol, and in brackets the file it is from. Nothing for the
/// line between two stacks.
pub(super) fn frame(line: &str) -> Option<Frame> {
    let line = line.trim();
    let (address, rest) = line.split_once(' ')?;
    let rest = rest.strip_suffix(')')?;
    let (symbol, path) = rest.strip_suffix(" (deleted)").unwrap_or(rest).rsplit_once(" (")?;
    let file = path.rsplit('/').next().unwrap_or(path);
    let part = match file {
        // Of the 64 bits of an address, the highest are set in the kernel's half.
        _ if address.len() == 16 && address.starts_with("ffff") => KERNEL,
        _ if file.starts_with("libc.") || file.starts_with("libc-") => LIBC,
        // Compiled components are mapped from a file of the cache, or copied to memory without a file.
        _ if symbol.starts_with("wasm[") => GUEST,
        _ if symbol != "[unknown]" => part_of(symbol),
        _ if file.ends_with(".cwasm") || file == "anon" || file.starts_with("memfd:") => GUEST,
        _ => OTHER,
    };
    let function = if symbol == "[unknown]" { format!("[{part}]") } else { short(symbol) };
    Some(Frame { function, part })
}

fn part_of(symbol: &str) -> &'static str {
    let named = |part: &Part| part.symbols.iter().filter_map(|name| symbol.find(name)).min();
    let first = PARTS.iter().filter_map(|part| Some((named(part)?, part.name))).min();
    match first {
        Some((_, part)) => part,
        None if symbol.starts_with("mem") => LIBC,
        None => OTHER,
    }
}

/// A symbol without the hash at its end and what is between angle brackets, but for the type of a method.
fn short(symbol: &str) -> String {
    let symbol = match symbol.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => symbol,
    };
    // `<A as B>::f` is told as `A::f`.
    let mut text = String::new();
    let mut depth = 0_u32;
    let mut is_trait = false;
    let mut rest = symbol;
    let mut last = ' ';
    while let Some(letter) = rest.chars().next() {
        let is_arrow = last == '-' && letter == '>';
        last = letter;
        match letter {
            '<' => depth += 1,
            '>' if !is_arrow => {
                depth = depth.saturating_sub(1);
                is_trait &= depth > 0;
            }
            _ if depth == 1 && rest.starts_with(" as ") => is_trait = true,
            _ if depth == 0 || (depth == 1 && !is_trait && symbol.starts_with('<')) => text.push(letter),
            _ => {}
        }
        rest = &rest[letter.len_utf8()..];
    }
    text.replace("::::", "::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_frame_of_some_part() {
        let part = |line: &str| frame(line).map(|frame| (frame.function, frame.part));
        let owner = "  55d0c1 rayw_core::ownership::Ownership::step::h0123456789abcdef (/t/rayw)";
        assert_eq!(part(owner).unwrap().0, "rayw_core::ownership::Ownership::step");
        assert!(part(owner).unwrap().1.starts_with("rayw-core"));
        assert_eq!(part("  7f00 [unknown] (/home/u/.cache/rayw/a.cwasm)").unwrap().1, GUEST);
        let kernel = "  ffffffff81a00087 do_syscall_64 ([kernel.kallsyms])";
        assert_eq!(part(kernel).unwrap(), ("do_syscall_64".to_owned(), KERNEL));
        assert_eq!(part("  7f00 [unknown] (/home/u/a.cwasm (deleted))").unwrap().1, GUEST);
        assert_eq!(part("  7f00 wasm[0]::function[49]::_start (/home/u/a.cwasm)").unwrap().1, GUEST);
        assert_eq!(part("  7f00 [unknown] ([unknown])").unwrap().1, OTHER);
        assert!(part("  55d0 rayw_node::f (/home/libc/rayw)").unwrap().1.starts_with("rayw-node"));
        assert_eq!(part("  7f01 __memmove_avx_unaligned_erms (/lib/libc.so.6)").unwrap().1, LIBC);
        assert_eq!(part("  55d0 mi_page_free (/t/rayw)").unwrap().1, "allocator");
        assert_eq!(part(""), None);
    }

    #[test]
    fn a_method_of_a_trait_is_named_by_its_type() {
        assert_eq!(short("<rayw_node::link::Link<T> as core::fmt::Debug>::fmt"), "rayw_node::link::Link::fmt");
        assert_eq!(short("core::ptr::drop_in_place<alloc::vec::Vec<u8>>"), "core::ptr::drop_in_place");
        assert_eq!(short("core::ptr::drop_in_place<fn() -> alloc::string::String>"), "core::ptr::drop_in_place");
        assert_eq!(short("a::b::{{closure}}"), "a::b::{{closure}}");
    }
}
