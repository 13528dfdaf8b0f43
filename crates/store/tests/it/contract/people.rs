//! Profiles and addresses: the latest word about a person wins, an address is made once and kept.
//!
//! Its own file because two systems may speak about one number: nothing here lets one undo the other.

use serde_json::json;
use trunkline_core::id::{AddressId, ProfileId};
use trunkline_store::Command;
use trunkline_store::row::{Address, Place, Profile};

use super::support::{Backend, Did, address, at};

fn profile(n: u8, seconds: i64, name: &str) -> Profile {
    let attributes = [("name".to_owned(), json!(name)), ("orders".to_owned(), json!({"n": 3, "open": [1042]}))];
    Profile {
        id: ProfileId([n; 16]),
        system: "shop".to_owned(),
        external_id: format!("c-{n}"),
        attributes: attributes.into_iter().collect(),
        locale: Some("en-US".to_owned()),
        address: AddressId([n; 16]),
        updated_at: at(seconds),
    }
}

async fn put(b: &Backend, now: i64, profile: &Profile) -> Did {
    b.one(at(now), Command::PutProfile { profile: Box::new(profile.clone()), moved: true }).await
}

/// Later by `updated_at`, not by when it was written: sources repeat and reorder.
pub(crate) async fn the_latest_profile_wins(b: &Backend) {
    let first = profile(1, 10, "Zoë");
    let newer = Profile { address: AddressId([9; 16]), locale: Some("fr".to_owned()), ..profile(1, 20, "Zoë Park") };
    let other = profile(2, 15, "Ida");
    assert_eq!(put(b, 30, &first).await, Did::Done);
    assert_eq!(put(b, 31, &other).await, Did::Done);
    assert_eq!(b.store.profiles(&[first.id]).await.unwrap(), vec![first.clone()]);
    assert_eq!(put(b, 32, &newer).await, Did::Done);
    assert_eq!(b.store.profiles(&[first.id]).await.unwrap(), vec![newer.clone()]);
    assert_eq!(put(b, 33, &first).await, Did::Already, "an older word changes nothing");
    let nowhere = Profile { address: AddressId([8; 16]), updated_at: at(21), ..newer.clone() };
    assert_eq!(b.one(at(34), Command::PutProfile { profile: Box::new(nowhere.clone()), moved: false }).await, Did::Done);
    assert_eq!(b.store.profiles(&[first.id]).await.unwrap(), vec![Profile { address: newer.address, ..nowhere }], "no word of a number is no word against the one that is known");

    let mut found = b.store.profiles(&[other.id, ProfileId([8; 16]), first.id]).await.unwrap();
    found.sort_by_key(|p| p.id);
    assert_eq!(found, vec![Profile { updated_at: at(21), ..newer }, other]);
}

/// The second making changes nothing, whatever it says.
pub(crate) async fn an_address_is_made_once(b: &Backend) {
    let id = b.home(1).await;
    b.home(2).await;
    let copy = Address { zones: vec!["Europe/Berlin".to_owned()], guard_version: 40, ..address(1) };
    assert_eq!(b.one(at(1), Command::PutAddress(Box::new(copy))).await, Did::Already);
    let mut found = b.store.addresses(&[id, AddressId([7; 16]), AddressId([2; 16])]).await.unwrap();
    found.sort_by_key(|a| a.id);
    assert_eq!(found, vec![address(1), address(2)]);
}

/// What is not a number is kept too, with what is wrong with it.
pub(crate) async fn every_kind_of_place_survives(b: &Backend) {
    let given = Place::NotANumber { given: "call me".to_owned(), problem: "is not a phone number".to_owned() };
    let all = [address(1), Address { place: given, zones: vec![], ..address(2) }, Address { place: Place::Nowhere, ..address(3) }];
    for each in &all {
        assert_eq!(b.one(at(0), Command::PutAddress(Box::new(each.clone()))).await, Did::Done);
        assert_eq!(b.store.addresses(&[each.id]).await.unwrap(), vec![each.clone()]);
    }
}

/// Where somebody lives is told by profile; what is no news bumps no version.
pub(crate) async fn a_residence_is_news_once(b: &Backend) {
    let id = b.home(1).await;
    let (one, other) = (ProfileId([1; 16]), ProfileId([2; 16]));
    let mut guard = b.address(id).await.guard_version;
    for (profile, residence, did, expect) in [
        (one, Some("US-TX"), Did::Done, vec![(one, "US-TX")]),
        (one, Some("US-TX"), Did::Already, vec![(one, "US-TX")]),
        (other, Some("FR"), Did::Done, vec![(one, "US-TX"), (other, "FR")]),
        (one, Some("US-FL"), Did::Done, vec![(one, "US-FL"), (other, "FR")]),
        (other, None, Did::Done, vec![(one, "US-FL")]),
        (other, None, Did::Already, vec![(one, "US-FL")]),
    ] {
        let residence = residence.map(str::to_owned);
        assert_eq!(b.one(at(1), Command::Reside { address: id, profile, residence }).await, did);
        guard += i64::from(did == Did::Done);
        let row = b.address(id).await;
        let lives: Vec<(ProfileId, &str)> = row.residences.iter().map(|(profile, residence)| (*profile, residence.as_str())).collect();
        assert_eq!((lives, row.guard_version), (expect, guard));
    }
    let nobody = Command::Reside { address: AddressId([9; 16]), profile: one, residence: Some("FR".to_owned()) };
    assert_eq!(b.one(at(2), nobody).await, Did::Already, "no such address");
}

/// Pages meet without gap or overlap.
pub(crate) async fn addresses_are_walked_in_id_order(b: &Backend) {
    for n in [3, 1, 200, 2] {
        b.home(n).await;
    }
    let first = b.store.addresses_after(None, 2).await.unwrap();
    assert_eq!(first, vec![address(1), address(2)]);
    let second = b.store.addresses_after(Some(AddressId([2; 16])), 10).await.unwrap();
    assert_eq!(second, vec![address(3), address(200)]);
    assert_eq!(b.store.addresses_after(Some(AddressId([200; 16])), 10).await.unwrap(), vec![]);
}
