//! How long it takes to count the segments of a text: less than a microsecond for 160 characters.
//!
//! Its own target, since it measures and asserts nothing: `cargo bench -p trunkline-core`.

use divan::{Bencher, black_box};
use trunkline_core::segment::{self, Route, smart};

fn main() {
    divan::main();
}

/// Counts a text of 160 characters.
fn count(bencher: Bencher<'_, '_>, piece: &str) {
    let text: String = piece.chars().cycle().take(160).collect();
    bencher.bench_local(|| segment::measure(black_box(&text)));
}

#[divan::bench]
fn gsm(bencher: Bencher<'_, '_>) {
    count(bencher, "Your order has left, ");
}

#[divan::bench]
fn extension(bencher: Bencher<'_, '_>) {
    count(bencher, "{a} [b] 5€ ");
}

#[divan::bench]
fn cyrillic(bencher: Bencher<'_, '_>) {
    count(bencher, "Ваш заказ в пути, ");
}

#[divan::bench]
fn emoji(bencher: Bencher<'_, '_>) {
    count(bencher, "Bravo 👩‍🚀 🇫🇷 ");
}

#[divan::bench]
fn smart_encoding(bencher: Bencher<'_, '_>) {
    let text = "It’s on its way, and we text you when it is there. ".repeat(3);
    bencher.bench_local(|| smart::encode(black_box(&text), &Route::default()));
}
