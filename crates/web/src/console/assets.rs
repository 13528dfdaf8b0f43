//! The style sheet, the script and the icon, embedded in the binary.
//!
//! Its own file because they are the only answers that browsers may keep: their URLs carry a fingerprint of their
//! content. It serves no other file and reads no disk.

use axum::http::{HeaderName, header};

const CSS: &str = concat!(
    include_str!("../../static/frame.css"),
    include_str!("../../static/pieces.css"),
    include_str!("../../static/pages.css"),
    include_str!("../../static/story.css"),
    include_str!("../../static/lists.css"),
    include_str!("../../static/reference.css"),
    include_str!("../../static/small.css"),
);
const JS: &str = include_str!("../../static/console.js");
const ICON: &str = include_str!("../../static/icon.svg");

/// Changes with the content of any asset, so that a kept copy is never stale.
const FINGERPRINT: u64 = fingerprint([CSS.as_bytes(), JS.as_bytes(), ICON.as_bytes()]);

type Asset = ([(HeaderName, &'static str); 2], &'static str);

/// For `?v=` in the URLs of the assets.
pub(crate) fn version() -> String {
    format!("{FINGERPRINT:016x}")
}

pub(super) fn css() -> Asset {
    asset("text/css; charset=utf-8", CSS)
}

pub(super) fn js() -> Asset {
    asset("text/javascript; charset=utf-8", JS)
}

pub(super) fn icon() -> Asset {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, body: &'static str) -> Asset {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")], body)
}

/// FNV-1a: needs to differ when the content does, and nothing more.
const fn fingerprint(parts: [&[u8]; 3]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut part = 0;
    while part < parts.len() {
        let bytes = parts[part];
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
            at += 1;
        }
        part += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_follows_the_content() {
        assert_ne!(fingerprint([b"a", b"b", b""]), fingerprint([b"a", b"c", b""]));
        assert_eq!(version().len(), 16);
    }

    #[test]
    fn assets_come_from_nowhere_else() {
        for text in [CSS, JS, ICON] {
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"));
        }
    }
}
