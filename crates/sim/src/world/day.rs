//! What is planned for the days: orders, what clients do, and what goes wrong when.
//!
//! Apart from what happens because it reads one table, the profile's, and decides nothing else. What follows from what
//! happens is planned where it happens.

use trunkline_core::time::Span;

use super::trouble::Outage;
use super::{Action, World};

impl World {
    /// Plans every day that the shop is open.
    pub(super) fn fill(&mut self) {
        let days = u32::try_from(self.settings.days).unwrap_or(1);
        let (menu, open) = (self.menu, days.saturating_mul(86_400));
        self.sprinkle(self.settings.orders.saturating_mul(days), open, || Action::Order);
        self.plan_clients(open, days);
        self.plan_offers(open, days);
        self.sprinkle(menu.crashes * days, open, || Action::PlanCrash);
        self.sprinkle(menu.forgeries * days, open, || Action::Forge);
        self.sprinkle(menu.moods * days, open, || Action::Mood);
        self.sprinkle(menu.kills * days, open, || Action::Kill);
        self.sprinkle(menu.busy * days, open, || Action::Busy);
        self.sprinkle(menu.leaps * days, open, || Action::Leap);
        self.sprinkle(menu.steps_back * days, open, || Action::StepBack);
        self.sprinkle(menu.profiles * days, open, || Action::Profile);
        self.sprinkle(menu.rulings * days, open, || Action::Rule);
        self.sprinkle(menu.publications * days, open, || Action::Publish);
        for _ in 0..menu.crm_outages * days {
            self.while_open(open, (60, 1_800), Action::CrmDown(true), Action::CrmDown(false));
        }
        for _ in 0..menu.vendor_outages * days {
            let outage = if self.below(2) == 0 { Outage::Unreachable } else { Outage::Silent };
            self.while_open(open, (60, 1_140), Action::VendorOut(Some(outage)), Action::VendorOut(None));
        }
        for _ in 0..menu.full_disks * days {
            self.while_open(open, (5, 115), Action::DiskFull(true), Action::DiskFull(false));
        }
        for _ in 0..menu.consents * days {
            if let Some(phone) = self.anybody().and_then(|customer| customer.phone) {
                let grant = self.below(2) == 0;
                self.soon(open, Action::Consent { phone, grant });
            }
        }
    }

    fn sprinkle(&mut self, many: u32, within_secs: u32, action: impl Fn() -> Action) {
        for _ in 0..many {
            self.soon(within_secs, action());
        }
    }

    /// Something that begins while the shop is open, and ends after at least and at most so many seconds more.
    fn while_open(&mut self, open: u32, (least, more): (i64, u32), begins: Action, ends: Action) {
        let from = self.now() + self.seconds(open);
        self.at(from, begins);
        let until = from + Span::secs(least) + self.seconds(more);
        self.at(until, ends);
    }
}
