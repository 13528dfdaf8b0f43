//! The alphabets of GSM 03.38: how many septets each character takes, if it has a place at all.
//!
//! Its own file because these are 3GPP's tables (TS 23.038, 6.2.1 and annex A), turned into arrays when the program is
//! built: a text is measured for each preview and each message. It gives widths, not the septets themselves.

use super::Shift;

/// The default alphabet: a septet each.
const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension: an escape and a septet each. Every national single shift table has these too.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// What the national locking tables have instead of the default alphabet: (taken out, put in).
const TURKISH_LOCKING: (&str, &str) = ("¡¿ÆØæèìø", "çĞğİıŞş€");
const PORTUGUESE_LOCKING: (&str, &str) = ("¡¤¿ÄÅÆÑÖØßäåæèìñòöøùΓΘΛΞΠΣΦΨΩ", "\\^`|~ªºÀÁÂÃÊÍÓÔÕÚáâãçêíóôõú€∞");

/// What the national single shift tables have besides the extension.
const TURKISH_SINGLE: &str = "çĞğİıŞş";
const SPANISH_SINGLE: &str = "ÁÍÓÚáçíóú";
const PORTUGUESE_SINGLE: &str = "ÀÁÂÃÊÍÓÔÕÚáâãçêíóôõúΓΘΠΣΦΨΩ";

/// Characters below this have their own place in the array; of those above, two are in some alphabet.
const LOW: usize = 0x400;

/// An alphabet: the septets of each character.
pub(super) struct Alphabet {
    low: [u8; LOW],
    euro: u8,
    infinity: u8,
}

/// A way to use a national table.
pub(super) struct Table {
    pub(super) alphabet: &'static Alphabet,
    /// The bytes that it adds to the header.
    pub(super) header: u32,
}

/// The bytes of the header's element that names one table.
const ELEMENT: u32 = 3;

/// What every phone can show.
pub(super) static GSM: Alphabet = Alphabet::basic(("", "")).escaped("");

static TURKISH: [Alphabet; 3] =
    [Alphabet::basic(("", "")).escaped(TURKISH_SINGLE), Alphabet::basic(TURKISH_LOCKING).escaped(""), Alphabet::basic(TURKISH_LOCKING).escaped(TURKISH_SINGLE)];
static SPANISH: Alphabet = Alphabet::basic(("", "")).escaped(SPANISH_SINGLE);
static PORTUGUESE: [Alphabet; 3] =
    [Alphabet::basic(("", "")).escaped(PORTUGUESE_SINGLE), Alphabet::basic(PORTUGUESE_LOCKING).escaped(""), Alphabet::basic(PORTUGUESE_LOCKING).escaped(PORTUGUESE_SINGLE)];

static TURKISH_TABLES: [Table; 3] = ways(&TURKISH);
static SPANISH_TABLES: [Table; 1] = [Table { alphabet: &SPANISH, header: ELEMENT }];
static PORTUGUESE_TABLES: [Table; 3] = ways(&PORTUGUESE);

/// The single shift table, the locking one, both.
const fn ways(alphabets: &'static [Alphabet; 3]) -> [Table; 3] {
    let [single, locking, both] = alphabets;
    [Table { alphabet: single, header: ELEMENT }, Table { alphabet: locking, header: ELEMENT }, Table { alphabet: both, header: 2 * ELEMENT }]
}

/// The ways to use a language's tables.
pub(super) fn of(shift: Shift) -> &'static [Table] {
    match shift {
        Shift::Turkish => &TURKISH_TABLES,
        Shift::Spanish => &SPANISH_TABLES,
        Shift::Portuguese => &PORTUGUESE_TABLES,
    }
}

impl Alphabet {
    /// The characters that take one septet.
    const fn basic(instead: (&str, &str)) -> Alphabet {
        let empty = Alphabet { low: [0; LOW], euro: 0, infinity: 0 };
        empty.put(DEFAULT, 1).put(instead.0, 0).put(instead.1, 1)
    }

    /// With those that take two, unless they have a place already.
    const fn escaped(self, more: &str) -> Alphabet {
        self.put(EXTENSION, 2).put(more, 2)
    }

    /// Gives every character of a text a width. An escape never replaces a place of one septet.
    const fn put(mut self, text: &str, width: u8) -> Alphabet {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let first = bytes[at] as usize;
            // The alphabets' characters above LOW are the euro sign (E2 82 AC) and infinity (E2 88 9E).
            let (place, long) = if first < 0x80 {
                (&mut self.low[first], 1)
            } else if first < 0xE0 {
                (&mut self.low[((first & 0x1F) << 6) | (bytes[at + 1] as usize & 0x3F)], 2)
            } else if bytes[at + 1] == 0x82 {
                (&mut self.euro, 3)
            } else {
                (&mut self.infinity, 3)
            };
            if width < 2 || *place == 0 {
                *place = width;
            }
            at += long;
        }
        self
    }

    /// The septets of a character; none if it has no place.
    pub(super) fn width(&self, c: char) -> u32 {
        let width = match (self.low.get(c as usize), c) {
            (Some(width), _) => *width,
            (None, '€') => self.euro,
            (None, '∞') => self.infinity,
            (None, _) => 0,
        };
        u32::from(width)
    }

    /// The septets of a text, if every character has a place.
    pub(super) fn units(&self, text: &str) -> Option<u32> {
        text.chars().try_fold(0, |units, c| match self.width(c) {
            0 => None,
            width => Some(units + width),
        })
    }
}
