//! Passwords of operators: argon2id, as PHC strings.
//!
//! Its own file because checking takes tens of milliseconds and as many megabytes on purpose: it never runs on the
//! threads that answer requests. Who may try, and how often, is decided in `signin`.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};

/// Checked when there is no such operator, so that the answer takes as long.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The argon2id hash of a password as a PHC string, with a salt of its own.
pub fn hash_password(password: &str) -> Result<String, String> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes()).map_err(|error| format!("the password could not be hashed: {error}"))?;
    Ok(hash.to_string())
}

/// Whether `password` is the one behind `hash`; without a hash the answer is no, and takes as long.
pub(super) async fn check(password: String, hash: Option<String>) -> Result<bool, tokio::task::JoinError> {
    tokio::task::spawn_blocking(move || {
        let fits = fits(&password, hash.as_deref().unwrap_or(NOBODY));
        fits && hash.is_some()
    })
    .await
}

fn fits(password: &str, hash: &str) -> bool {
    match PasswordHash::new(hash) {
        Ok(hash) => Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(),
        Err(error) => {
            tracing::error!(%error, "an operator's password hash cannot be read: set the password again");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_own() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"));
        assert!(fits("correct horse", &hash));
        assert!(!fits("correct horse ", &hash));
        assert!(!fits("anything", "not a hash"));
    }

    #[test]
    fn nobody_is_as_slow_as_somebody() {
        assert!(PasswordHash::new(NOBODY).is_ok());
        assert!(!fits("", NOBODY));
    }
}
