//! What other systems send through the API: bookings, trouble with parcels, their ends, offers, and what nobody wants.
//!
//! Apart from `act` because these are clients that keep an event until it is acknowledged, and send it again with the
//! same id until then.

use futures_util::FutureExt;
use serde_json::{Value, json};
use trunkline_core::time::Span;
use trunkline_engine::intake::Taken;

use super::people::ODD;
use super::{Action, World};

impl World {
    /// Plans the events of the API: some of what is booked is cancelled, sometimes before it is heard of.
    pub(super) fn plan_clients(&mut self, open: u32, days: u32) {
        let phones: Vec<(i64, Option<String>)> = self.customers.iter().map(|c| (c.id, c.phone.clone())).collect();
        let many = (self.settings.orders / 5).saturating_mul(days);
        for n in 0..many {
            let (customer, phone) = self.one_of(&phones);
            let start = self.now() + self.seconds(open);
            let starts_at = start + Span::hours(12) + self.seconds(48 * 3_600);
            let data = json!({"appointment": format!("A-{n}"), "customer_id": customer, "phone": phone, "starts_at": starts_at, "when": "soon"});
            self.at(start, Action::Event(event("/bookings", "appointment.booked", &format!("b{n}"), &data)));
            if self.below(3) == 0 {
                let at = start - Span::mins(5) + self.seconds(40 * 3_600);
                self.at(at, Action::Event(event("/bookings", "appointment.cancelled", &format!("c{n}"), &data)));
            }
        }
        for n in 0..many {
            let (customer, phone) = self.one_of(&phones);
            let start = self.now() + self.seconds(open);
            // Carriers repeat themselves.
            for copy in 0..=self.below(2) {
                let data = json!({"order": format!("#P{}", n % 5), "customer_id": customer, "phone": phone, "problem": "is late"});
                let at = start + self.seconds(2 * 3_600);
                self.at(at, Action::Event(event("/logistics", "delivery.exception", &format!("x{n}-{copy}"), &data)));
                if self.below(4) == 0 {
                    let at = at + self.seconds(3_600);
                    self.at(at, Action::Event(event("/logistics", "delivery.completed", &format!("y{n}-{copy}"), &data)));
                }
            }
        }
        for n in 0..(self.settings.orders * self.menu.unwanted_percent / 100).saturating_mul(days) {
            let (customer, phone) = self.one_of(&phones);
            let data = json!({"customer_id": customer, "phone": phone, "name": "somebody"});
            self.soon(open, Action::Event(event("/crm", "customer.updated", &format!("u{n}"), &data)));
        }
    }

    fn one_of(&mut self, phones: &[(i64, Option<String>)]) -> (i64, Option<String>) {
        phones[self.below(u32::try_from(phones.len()).unwrap_or(1)) as usize].clone()
    }

    /// Plans what a shop offers to whoever agreed to it: a little more than caps permit.
    pub(super) fn plan_offers(&mut self, open: u32, days: u32) {
        let people: Vec<(i64, String)> = self.customers.iter().skip(ODD).filter_map(|c| Some((c.id, c.phone.clone()?))).collect();
        for (_, phone) in &people {
            let at = self.now() + self.seconds(600);
            self.at(at, Action::Consent { phone: phone.clone(), grant: true });
        }
        for n in 0..self.settings.orders.saturating_mul(days) {
            let (customer, phone) = people[self.below(u32::try_from(people.len()).unwrap_or(1)) as usize].clone();
            let data = json!({"order": format!("#O{n}"), "customer_id": customer, "phone": phone});
            let at = self.now() + Span::mins(15) + self.seconds(open);
            self.at(at, Action::Event(event("/offers", "offer.made", &format!("o{n}"), &data)));
        }
    }

    /// A client sends an event, and again until it is acknowledged.
    pub(super) fn client_event(&mut self, event: Value) {
        let id = event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let taken = self.node.as_ref().map(|node| node.take_events(std::slice::from_ref(&event)).now_or_never());
        match taken {
            Some(Some(Ok(taken))) if matches!(taken.as_slice(), [Taken::Accepted(_)]) => {
                self.tell(format!("event {id} is acknowledged"));
                self.acknowledged.insert(id);
            }
            Some(Some(Ok(other))) => self.broken("I2", format!("event {id} was answered with {other:?}")),
            Some(Some(Err(_))) | None => self.soon(120, Action::Event(event)),
            Some(None) => {
                self.crash("while it takes an event");
                self.soon(120, Action::Event(event));
            }
        }
    }
}

fn event(source: &str, kind: &str, id: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": source, "type": kind, "data": data})
}
