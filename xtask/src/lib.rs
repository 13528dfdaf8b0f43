//! The project's own chores: the checks that no compiler makes, and the picture that is drawn from the code.
//!
//! A library so that the command and the test run the same functions. It reads the workspace, writes only what
//! `gen` owns, and is no part of the product.

pub mod lattice;
pub mod tidy;

use std::path::PathBuf;

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
