//! Who may come in: API keys, operators, their sessions and their failed sign-ins.
//!
//! Its own file because each is written by the command line or the console, and read on every request.

use trunkline_store::Command;
use trunkline_store::row::{ApiKey, Operator, Session, SignIns};

use super::support::{Backend, Did, at};

fn key(id: &str, n: u8) -> ApiKey {
    let scopes = vec!["messages:write".to_owned(), "events:write".to_owned()];
    ApiKey { id: id.to_owned(), hash: [n; 16], name: "the shop".to_owned(), scopes, created_at: at(i64::from(n)), revoked_at: None }
}

/// Writing a key again is how it is revoked: it stays in the list.
pub(crate) async fn api_keys_are_written_and_found(b: &Backend) {
    let (shop, crm) = (key("k1", 1), ApiKey { scopes: vec![], ..key("k2", 2) });
    for each in [&shop, &crm] {
        assert_eq!(b.one(at(5), Command::PutApiKey(each.clone())).await, Did::Done);
    }
    assert_eq!(b.store.api_key("k1").await.unwrap(), Some(shop.clone()));
    assert_eq!(b.store.api_key("k").await.unwrap(), None);
    let revoked = ApiKey { revoked_at: Some(at(9)), ..shop };
    assert_eq!(b.one(at(9), Command::PutApiKey(revoked.clone())).await, Did::Done);
    assert_eq!(b.store.api_key("k1").await.unwrap(), Some(revoked.clone()));
    let mut all = b.store.api_keys().await.unwrap();
    all.sort_by_key(|k| k.created_at);
    assert_eq!(all, vec![revoked, crm]);
}

/// Writing an operator again changes the password.
pub(crate) async fn operators_are_written_and_found(b: &Backend) {
    let operator = |password: &str| Operator { name: "ida".to_owned(), password: password.to_owned() };
    assert_eq!(b.store.operator("ida").await.unwrap(), None);
    for password in ["$argon2id$v=19$one", "$argon2id$v=19$two"] {
        assert_eq!(b.one(at(0), Command::PutOperator(operator(password))).await, Did::Done);
        assert_eq!(b.store.operator("ida").await.unwrap(), Some(operator(password)));
    }
    assert_eq!(b.store.operator("IDA").await.unwrap(), None);
}

/// An ended session is gone; the others stay.
pub(crate) async fn sessions_begin_and_end(b: &Backend) {
    let operator = Operator { name: "ida".to_owned(), password: "$argon2id$v=19$one".to_owned() };
    assert_eq!(b.one(at(0), Command::PutOperator(operator)).await, Did::Done);
    let session = |n: u8| Session { hash: [n; 16], operator: "ida".to_owned(), expires_at: at(3_600) };
    for n in [1, 2] {
        assert_eq!(b.one(at(1), Command::PutSession(session(n))).await, Did::Done);
    }
    assert_eq!(b.store.session([1; 16]).await.unwrap(), Some(session(1)));
    assert_eq!(b.one(at(2), Command::EndSession([1; 16])).await, Did::Done);
    assert_eq!(b.store.session([1; 16]).await.unwrap(), None);
    assert_eq!(b.store.session([2; 16]).await.unwrap(), Some(session(2)));
}

/// A name that never failed has no failures, and a success writes none again.
pub(crate) async fn failed_sign_ins_are_kept_by_name(b: &Backend) {
    assert_eq!(b.store.sign_ins("ida").await.unwrap(), SignIns::default());
    let locked = SignIns { failures: 3, not_before: at(60) };
    for state in [SignIns { failures: 1, not_before: at(0) }, locked] {
        assert_eq!(b.one(at(0), Command::PutSignIns("ida".to_owned(), state)).await, Did::Done);
        assert_eq!(b.store.sign_ins("ida").await.unwrap(), state);
    }
    assert_eq!(b.store.sign_ins("bo").await.unwrap(), SignIns::default());
    assert_eq!(b.one(at(70), Command::PutSignIns("ida".to_owned(), SignIns::default())).await, Did::Done);
    assert_eq!(b.store.sign_ins("ida").await.unwrap(), SignIns::default());
}
