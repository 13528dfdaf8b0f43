//! Units: all or nothing with one transaction, in order up to the first conflict without, and apart from each other.
//!
//! Its own file because this is the one place where the two ways to commit differ, and each must do what it says.

use trunkline_core::id::MessageId;
use trunkline_store::command::MessageChange;
use trunkline_store::row::{Event, Fate, Reservation};
use trunkline_store::{Applied, Command, Committed, StoreError, Unit};

use super::support::{Backend, Did, SENDER, alert, at, claim, event, moved, queued};

fn reserve(n: u8) -> Command {
    Command::Reserve([n; 16], Reservation { body: [n; 16], message: MessageId::new(n, at(0), [n; 16]), at: at(0) })
}

async fn reserved(b: &Backend, n: u8) -> bool {
    b.store.reservation([n; 16]).await.unwrap().is_some()
}

/// A bucket that was never moved does not say this.
fn conflict() -> Command {
    Command::Advance { account: "main".to_owned(), sender: SENDER.to_owned(), from: at(5), to: at(6) }
}

/// What each unit came to, conflicts as `None`.
fn told(all: Vec<Committed>) -> Vec<Option<Vec<Applied>>> {
    let one = |committed: Committed| match committed {
        Ok(applied) => Some(applied),
        Err(StoreError::Conflict { .. }) => None,
        Err(other) => panic!("{other}"),
    };
    all.into_iter().map(one).collect()
}

/// One transaction takes back what came before the conflict; in order it stays. What comes after is never done.
pub(crate) async fn a_conflict_ends_its_unit(b: &Backend) {
    let unit = vec![reserve(1), Command::Owe(alert("effect", "it")), conflict(), reserve(2)];
    assert!(matches!(b.unit(at(1), unit).await, Err(StoreError::Conflict { .. })));
    assert_eq!(reserved(b, 1).await, b.in_order);
    assert_eq!(b.alerts().await.len(), usize::from(b.in_order));
    assert!(!reserved(b, 2).await);
}

/// Answers come in the order of the units; a unit of nothing is done.
pub(crate) async fn a_conflict_does_not_touch_other_units(b: &Backend) {
    let units = vec![Unit(vec![reserve(1), reserve(2)]), Unit(vec![conflict(), reserve(3)]), Unit::default(), Unit::one(reserve(4))];
    let all = told(b.store.commit(at(1), units).await);
    assert_eq!(all, vec![Some(vec![Applied::Done, Applied::Done]), None, Some(vec![]), Some(vec![Applied::Done])]);
    for (n, there) in [(1, true), (2, true), (3, false), (4, true)] {
        assert_eq!(reserved(b, n).await, there, "key {n}");
    }
    assert_eq!(told(b.store.commit(at(2), vec![]).await), vec![]);
}

/// A unit that was cut short is repeated whole; each command sees what the ones before it did.
pub(crate) async fn what_is_there_already_does_not_end_a_unit(b: &Backend) {
    let taken = event("e1", at(0));
    let accept = || Command::AcceptEvent(Box::new(taken.clone()));
    assert_eq!(b.unit(at(0), vec![reserve(1)]).await, Ok(vec![Applied::Done]));
    let unit = || vec![reserve(1), accept(), Command::FinishEvent(taken.id, Fate::NoJourney), reserve(2)];
    assert_eq!(b.unit(at(1), unit()).await, Ok(vec![Applied::Already, Applied::Done, Applied::Done, Applied::Done]));
    assert_eq!(b.unit(at(2), unit()).await, Ok(vec![Applied::Already; 4]));
    assert!(reserved(b, 2).await);
    assert_eq!(b.store.events(&[taken.id]).await.unwrap(), vec![Event { fate: Some(Fate::NoJourney), ..taken.clone() }]);
}

/// The writer may take both into one transaction: still only the first commits.
pub(crate) async fn of_two_claims_in_one_batch_one_wins(b: &Backend) {
    let home = b.home(1).await;
    let guard = b.address(home).await.guard_version;
    let made = b.put(queued(1, at(0))).await;
    let by = |epoch: i64| {
        let change = MessageChange { guard: Some(guard), ..moved(&made, at(1), vec![claim(1, epoch)]) };
        Unit::one(Command::PutMessage(Box::new(change)))
    };
    let all = told(b.store.commit(at(1), vec![by(1), by(2), Unit::one(reserve(1))]).await);
    assert_eq!(all, vec![Some(vec![Applied::Done]), None, Some(vec![Applied::Done])]);
    let row = b.message(made.id).await;
    let epochs: Vec<i64> = row.state.attempts.iter().map(|a| a.epoch).collect();
    assert_eq!((row.rev, epochs), (2, vec![1]));
    assert_eq!(b.one(at(2), conflict()).await, Did::Conflict);
}
