//! Translators between Trunkline and other systems' HTTP: requests out, responses and hooks in.
//!
//! A connector builds a `Request` and reads a `Response`; it never opens a socket, so each is tested from recorded
//! bytes. Adding one touches its own file, its fixtures and one line of `registry`.

pub mod hook;
pub mod http;

pub mod crm;
pub mod follower;
pub mod registry;
pub mod sms;
pub mod source;
