//! What each action does.
//!
//! Apart from `world.rs` because that file owns time and order, and this one what happens: the match over all actions,
//! and what people do. Every draw comes from the world's generator, in the order of the actions.

use futures_util::FutureExt;
use trunkline_core::consent::Terms;
use trunkline_engine::consent::{ConsentAction, ConsentRequest};

use super::people::ANSWERS;
use super::{Action, World};
use crate::fixtures;

impl World {
    pub(super) fn act(&mut self, action: Action) {
        // What was refused before is no excuse for what fails now.
        self.watch.take_refused();
        match action {
            Action::Order => self.order(),
            Action::Ship(id) => self.ship(id),
            Action::Hook { hook, tries } => self.hook(hook, tries),
            Action::Replay(hook) => self.replay(hook),
            Action::Cut(hook) => self.cut(hook),
            Action::Forge => self.forge(),
            Action::Reply { phone, body } => self.reply(&phone, &body),
            Action::Consent { phone, grant } => self.consent(&phone, grant),
            Action::Profile => self.change_profile(),
            Action::Rule => self.rule(),
            Action::Publish => self.publish(),
            Action::Event(event) => self.client_event(event),
            Action::Cancel(order) => self.cancel_order(order),
            Action::Announce { call, generation } => self.announce(*call, generation),
            Action::Announced { result, generation } => self.announced(*result, generation),
            Action::Ask { ask, generation } => self.ask(&ask, generation),
            Action::Answered { answer, generation } => self.answered(*answer, generation),
            Action::List { call, generation } => self.list(&call, generation),
            Action::Listed { result, generation } => self.listed(*result, generation),
            Action::Tick(stage) => {
                self.agenda.unplan(stage);
                self.tick(stage);
            }
            Action::Resume(stage, generation) => self.resume(stage, generation),
            Action::Call { call, generation } => self.call(&call, generation),
            Action::Heard { result, generation } => self.heard(*result, generation),
            Action::Write { call, generation } => self.write(*call, generation),
            Action::Written { result, generation } => self.written(*result, generation),
            Action::PlanCrash => self.plan_crash(),
            Action::Kill if self.closed => {}
            Action::Kill => self.crash("between two commits"),
            Action::Restart => self.restart(),
            Action::CrmDown(down) => self.crm_down(down),
            Action::VendorOut(outage) => self.vendor_out(outage),
            Action::DiskFull(full) => self.disk_full(full),
            Action::Busy => self.busy(),
            Action::Leap => self.leap(),
            Action::StepBack => self.step_back(),
            Action::Mood => self.mood(),
        }
    }

    fn order(&mut self) {
        let Some(customer) = self.anybody() else { return };
        let now = self.now();
        let hook = self.shop.order_created(now, &customer, &mut self.rng);
        let id = self.shop.orders().last_key_value().map(|(id, _)| *id);
        self.tell(format!("order of customer {}", customer.id));
        self.send_hook(hook);
        if let Some(id) = id.filter(|_| self.below(10) < 6) {
            self.soon(6 * 3_600, Action::Ship(id));
        }
        if let Some(id) = id.filter(|_| self.below(10) < 2) {
            self.soon(9 * 3_600, Action::Cancel(id));
        }
        if let Some(phone) = customer.phone.filter(|p| p.starts_with('+') && self.below(10) < 3) {
            let body = ANSWERS[self.below(u32::try_from(ANSWERS.len()).unwrap_or(1)) as usize].to_owned();
            self.soon(3_600, Action::Reply { phone, body });
        }
    }

    fn ship(&mut self, id: i64) {
        let now = self.now();
        if let Some(hook) = self.shop.order_shipped(now, id, &mut self.rng) {
            self.tell("an order ships");
            self.send_hook(hook);
        }
    }

    fn cancel_order(&mut self, id: i64) {
        let now = self.now();
        if let Some(hook) = self.shop.order_cancelled(now, id, &mut self.rng) {
            self.tell("an order is cancelled");
            self.send_hook(hook);
        }
    }

    fn reply(&mut self, phone: &str, body: &str) {
        self.tell(format!("somebody texts {body}"));
        let now = self.now();
        let effects = self.vendor.reply(now, phone, fixtures::SENDER, body, &mut self.rng);
        self.effects(effects);
    }

    pub(super) fn consent(&mut self, phone: &str, grant: bool) {
        let action = if grant { ConsentAction::Grant } else { ConsentAction::Revoke };
        let request = ConsentRequest {
            address: phone.to_owned(),
            action,
            program: None,
            purpose: None,
            evidence: "form 7".to_owned(),
            occurred_at: None,
            terms: Terms::default(),
            through: None,
        };
        let crashed = self.node.as_ref().is_some_and(|node| node.record_consent("world", &request).now_or_never().is_none());
        self.tell(format!("consent: grant {grant}"));
        if crashed {
            self.crash("while it records consent");
        }
    }
}
