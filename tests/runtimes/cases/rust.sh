# rustc and cargo: a workspace with a library, a procedural macro and a program, its tests, threads and panics.
# seconds: 900
# needs: /usr/bin/rustc /usr/bin/cargo
# prints: 55 4950 caught 8
# prints: test result: ok. 2 passed
# prints: release 102334155
export HOME=/tmp CARGO_HOME=/tmp/cargo CARGO_NET_OFFLINE=true
mkdir -p w/{one,mac}/src w/src && cd w
cat >Cargo.toml <<'END'
[package]
name = "w"
version = "0.1.0"
edition = "2021"
[workspace]
members = ["one", "mac"]
[dependencies]
one = { path = "one" }
mac = { path = "mac" }
END
printf '[package]\nname = "one"\nversion = "0.1.0"\nedition = "2021"\n' >one/Cargo.toml
printf '[package]\nname = "mac"\nversion = "0.1.0"\nedition = "2021"\n[lib]\nproc-macro = true\n' >mac/Cargo.toml
cat >one/src/lib.rs <<'END'
pub fn fib(n: u64) -> u64 { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } }
END
cat >mac/src/lib.rs <<'END'
use proc_macro::TokenStream;
#[proc_macro]
pub fn sum(input: TokenStream) -> TokenStream {
    let n: u64 = input.to_string().parse().unwrap();
    (0..n).sum::<u64>().to_string().parse().unwrap()
}
END
cat >src/main.rs <<'END'
use std::sync::{mpsc, Arc, Mutex};
fn threads() -> usize {
    let (all, (send, receive)) = (Arc::new(Mutex::new(0)), mpsc::channel());
    for n in 0..8 {
        let (all, send) = (all.clone(), send.clone());
        std::thread::spawn(move || { for _ in 0..10_000 { *all.lock().unwrap() += 1; } send.send(n).unwrap(); });
    }
    drop(send);
    let n = receive.iter().count();
    assert_eq!(*all.lock().unwrap(), 80_000);
    n
}
fn main() {
    if std::env::args().count() > 1 { return println!("release {}", one::fib(40)); }
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(|| { let v: Vec<u8> = vec![]; v[one::fib(3) as usize] }).is_err();
    println!("{} {} {} {}", one::fib(10), mac::sum!(100), if caught { "caught" } else { "not caught" }, threads());
}
#[test] fn of_threads() { assert_eq!(threads(), 8); }
#[test] #[should_panic] fn of_panics() { panic!() }
END
cargo run -q 2>&1 | tail -n 5
cargo test -q 2>&1 | grep -o 'test result: ok. 2 passed'
cargo run -q --release -- long 2>&1 | tail -n 5
