//! Secrets: references in, values out, never shown.
//!
//! Its own file because this is the one place that reads the environment and secret files.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;

use super::diagnose::{Diagnoses, Key};
use super::files::{Files, SecretRef};

/// Secrets by what they are for.
pub(crate) struct Resolved(BTreeMap<(String, String), SecretString>);

impl Resolved {
    pub(crate) fn of(files: &Files, directory: &Path, found: &mut Diagnoses) -> Resolved {
        let mut all = BTreeMap::new();
        let mut read = |owner: String, name: String, reference: &SecretRef, file: &Path, at: Vec<Key>| match resolve(reference, directory) {
            Ok(secret) => drop(all.insert((owner, name), secret)),
            Err((problem, hint)) => found.error(file, &at, &problem, &hint),
        };
        for (name, account) in &files.main.value.accounts {
            for (field, list) in [("secrets", &account.secrets), ("signing_keys", &account.signing_keys)] {
                for (index, reference) in list.iter().enumerate() {
                    let at = vec!["accounts".into(), name.as_str().into(), field.into(), index.into()];
                    read(format!("account {name} {field}"), format!("{index:04}"), reference, &files.main.path, at);
                }
            }
        }
        for (name, follower) in &files.main.value.followers {
            for (index, reference) in follower.secrets.iter().enumerate() {
                let at = vec!["followers".into(), name.as_str().into(), "secrets".into(), index.into()];
                read(format!("follower {name} secrets"), format!("{index:04}"), reference, &files.main.path, at);
            }
        }
        for (name, file) in &files.sources {
            for (index, reference) in file.value.secrets.iter().enumerate() {
                read(format!("source {name} secrets"), format!("{index:04}"), reference, &file.path, vec!["secrets".into(), index.into()]);
            }
        }
        for (name, file) in &files.connectors {
            for (key, reference) in &file.value.secrets {
                read(format!("connector {name}"), key.clone(), reference, &file.path, vec!["secrets".into(), key.as_str().into()]);
            }
        }
        Resolved(all)
    }

    /// The secrets of an owner in order.
    pub(crate) fn list(&self, owner: &str) -> Vec<SecretString> {
        self.named(owner).into_values().collect()
    }

    /// The secrets of an owner by name.
    pub(crate) fn named(&self, owner: &str) -> BTreeMap<String, SecretString> {
        self.0.iter().filter(|((o, _), _)| o == owner).map(|((_, name), secret)| (name.clone(), secret.clone())).collect()
    }
}

fn resolve(reference: &SecretRef, directory: &Path) -> Result<SecretString, (String, String)> {
    let value = match reference {
        SecretRef::Env(name) => std::env::var(name).map_err(|_| (format!("the environment variable {name} is not set"), format!("set it: export {name}=…")))?,
        SecretRef::File(path) => {
            let path = directory.join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|e| (format!("{} cannot be read: {e}", path.display()), "write the secret into it, readable for this user only".to_owned()))?;
            text.trim_end().to_owned()
        }
    };
    if value.is_empty() { Err(("the secret is empty".to_owned(), "give it a value".to_owned())) } else { Ok(value.into()) }
}
