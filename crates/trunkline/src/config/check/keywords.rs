//! Words of an installation that collide with others, or that the law does not let go.
//!
//! Its own file because the words know themselves what cannot be: this only finds the place in the file.

use trunkline_core::keyword::Keywords;

use crate::config::diagnose::{Diagnoses, Key};
use crate::config::files::Files;

pub(super) fn all(files: &Files, found: &mut Diagnoses) {
    let Err(problems) = Keywords::with(&files.main.value.keywords) else { return };
    for wrong in problems {
        let mut way = vec![Key::from("keywords")];
        way.extend(wrong.language.as_deref().map(Key::from));
        if let Some((list, index)) = wrong.place {
            way.extend([Key::from(list), Key::from(index)]);
        }
        found.error(&files.main.path, &way, &wrong.problem, &wrong.fix);
    }
}
