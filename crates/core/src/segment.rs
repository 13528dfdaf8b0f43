//! How many segments a text costs: GSM-7 or UCS-2, pairs never split.
//!
//! Its own file because rates, cost and `check` ask for it. National shift tables and smart encoding are not here.

use serde::{Deserialize, Serialize};

/// How the text travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// GSM 03.38: 160 units, 153 when concatenated.
    Gsm7,
    /// UTF-16: 70 units, 67 when concatenated.
    Ucs2,
}

/// The size of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// How it travels.
    pub encoding: Encoding,
    /// How many segments it takes.
    pub segments: u32,
    /// Septets or UTF-16 units.
    pub units: u32,
}

const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// Measures a text.
pub fn measure(text: &str) -> Size {
    if first_beyond_gsm7(text).is_none() {
        pack(Encoding::Gsm7, text.chars().map(|c| if EXTENDED.contains(c) { 2 } else { 1 }), 160, 153)
    } else {
        pack(Encoding::Ucs2, text.chars().map(|c| if u32::from(c) > 0xFFFF { 2 } else { 1 }), 70, 67)
    }
}

/// The first character that GSM-7 lacks, which turns the whole text to UCS-2.
pub fn first_beyond_gsm7(text: &str) -> Option<char> {
    text.chars().find(|c| !BASIC.contains(*c) && !EXTENDED.contains(*c))
}

fn pack(encoding: Encoding, widths: impl Iterator<Item = u32> + Clone, single: u32, part: u32) -> Size {
    let units: u32 = widths.clone().sum();
    if units <= single {
        return Size { encoding, segments: 1, units };
    }
    let (mut segments, mut used) = (1, 0);
    for width in widths {
        if used + width > part {
            segments += 1;
            used = 0;
        }
        used += width;
    }
    Size { encoding, segments, units }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries() {
        let of = |text: &str| {
            let size = measure(text);
            (size.encoding, size.segments, size.units)
        };
        assert_eq!(of(""), (Encoding::Gsm7, 1, 0));
        assert_eq!(of(&"a".repeat(160)), (Encoding::Gsm7, 1, 160));
        assert_eq!(of(&"a".repeat(161)), (Encoding::Gsm7, 2, 161));
        assert_eq!(of(&"é€".repeat(2)), (Encoding::Gsm7, 1, 6));
        // A pair that would straddle the boundary moves whole to the next segment.
        assert_eq!(of(&format!("{}€{}", "a".repeat(152), "a".repeat(152))), (Encoding::Gsm7, 3, 306));
        assert_eq!(of(&"ç".repeat(70)), (Encoding::Ucs2, 1, 70));
        assert_eq!(of(&format!("{}👋{}", "я".repeat(66), "я".repeat(66))), (Encoding::Ucs2, 3, 134));
        assert_eq!(first_beyond_gsm7("it’s"), Some('’'));
    }
}
