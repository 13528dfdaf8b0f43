//! How rough a simulated world is: which faults it has, and how many of each a day.
//!
//! Its own file because this is data that people choose from: a profile is one table, and a fault that it has none of
//! does not happen. What a fault does is in `world`; how badly the vendor and the CRM behave in between is drawn there.

use std::fmt;
use std::str::FromStr;

/// The profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Profile {
    /// What a bad week brings in production: deaths, lost answers, shuffled webhooks.
    #[default]
    Calm,
    /// Everything on the menu at once, and more to do.
    Rough,
}

/// Not the name of a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a profile: use calm or rough")]
pub struct ProfileError(String);

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 2] = [Profile::Calm, Profile::Rough];

    /// The word on the command line and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Profile::Calm => "calm",
            Profile::Rough => "rough",
        }
    }

    /// How many orders a day it has unless told.
    pub const fn orders(self) -> u32 {
        match self {
            Profile::Calm => 40,
            Profile::Rough => 100,
        }
    }

    /// What goes wrong.
    pub(crate) const fn menu(self) -> &'static Menu {
        match self {
            Profile::Calm => &CALM,
            Profile::Rough => &ROUGH,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Profile {
    type Err = ProfileError;
    fn from_str(text: &str) -> Result<Profile, ProfileError> {
        Profile::ALL.into_iter().find(|p| p.word() == text).ok_or_else(|| ProfileError(text.chars().take(40).collect()))
    }
}

/// How often what happens. Where it does not say otherwise, so many times a day.
pub(crate) struct Menu {
    /// How many customers the shop has: enough for one at each place of `homes`.
    pub(crate) customers: u32,
    /// Orders have several texts if they are of more products than this.
    pub(crate) series_above: u32,
    /// Of a hundred orders, so many come with an event that no journey wants.
    pub(crate) unwanted_percent: u32,
    /// The node is killed between two commits.
    pub(crate) kills: u32,
    /// The node dies at a commit, before or after it took effect; a disk that cannot sync is one of these.
    pub(crate) crashes: u32,
    /// The vendor's and the CRM's tempers change.
    pub(crate) moods: u32,
    /// The CRM is down for up to half an hour.
    pub(crate) crm_outages: u32,
    /// Nobody can connect to the vendor, or nobody gets an answer, for up to twenty minutes.
    pub(crate) vendor_outages: u32,
    /// The disk is full for up to two minutes.
    pub(crate) full_disks: u32,
    /// The store refuses one commit.
    pub(crate) busy: u32,
    /// The machine sleeps for hours, or somebody sets its clock forward.
    pub(crate) leaps: u32,
    /// Somebody sets the clock back by up to two minutes.
    pub(crate) steps_back: u32,
    /// Webhooks that nobody signed.
    pub(crate) forgeries: u32,
    /// Consent granted or revoked through the API.
    pub(crate) consents: u32,
    /// Profiles changed through the API: another number, another language.
    pub(crate) profiles: u32,
    /// A person decides about a text of unknown fate.
    pub(crate) rulings: u32,
    /// Journeys are published anew.
    pub(crate) publications: u32,
    /// Of a hundred webhooks, so many come twice.
    pub(crate) copies_percent: u32,
    /// Of a thousand webhooks, so many come days late.
    pub(crate) late_permille: u32,
    /// Of a thousand webhooks, so many come once more when they are too old.
    pub(crate) replays_permille: u32,
    /// Of a thousand webhooks, before so many comes one that is cut short.
    pub(crate) cut_permille: u32,
    /// Of a hundred ticks, so many are overtaken at their first commit.
    pub(crate) stalls_percent: u32,
    /// Of a hundred ticks that claim texts, so many are overtaken by the recipient's opt-out.
    pub(crate) opt_outs_percent: u32,
    /// In so many of a thousand writes at most the CRM says that it wrote, and did not.
    pub(crate) lies_permille: u32,
}

const CALM: Menu = Menu {
    customers: 36,
    series_above: 1,
    unwanted_percent: 0,
    kills: 3,
    crashes: 8,
    moods: 8,
    crm_outages: 3,
    vendor_outages: 0,
    full_disks: 0,
    busy: 0,
    leaps: 0,
    steps_back: 0,
    forgeries: 8,
    consents: 3,
    profiles: 0,
    rulings: 0,
    publications: 0,
    copies_percent: 15,
    late_permille: 0,
    replays_permille: 0,
    cut_permille: 0,
    stalls_percent: 12,
    opt_outs_percent: 0,
    lies_permille: 0,
};

const ROUGH: Menu = Menu {
    customers: 60,
    series_above: 2,
    unwanted_percent: 100,
    kills: 6,
    crashes: 16,
    moods: 12,
    crm_outages: 3,
    vendor_outages: 4,
    full_disks: 4,
    busy: 12,
    leaps: 2,
    steps_back: 4,
    forgeries: 8,
    consents: 12,
    profiles: 20,
    rulings: 10,
    publications: 2,
    copies_percent: 15,
    late_permille: 8,
    replays_permille: 15,
    cut_permille: 15,
    stalls_percent: 12,
    opt_outs_percent: 8,
    lies_permille: 60,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert!("stormy".parse::<Profile>().unwrap_err().to_string().contains("calm or rough"));
    }

    #[test]
    fn a_rough_day_has_more_of_everything() {
        let of = |m: &Menu| {
            [
                m.customers,
                m.unwanted_percent,
                m.kills,
                m.crashes,
                m.moods,
                m.crm_outages,
                m.vendor_outages,
                m.full_disks,
                m.busy,
                m.leaps,
                m.steps_back,
                m.forgeries,
                m.consents,
                m.profiles,
                m.rulings,
                m.publications,
                m.copies_percent,
                m.late_permille,
                m.replays_permille,
                m.cut_permille,
                m.stalls_percent,
                m.opt_outs_percent,
                m.lies_permille,
            ]
        };
        assert!(of(&CALM).iter().zip(of(&ROUGH)).all(|(calm, rough)| *calm <= rough && rough > 0));
        assert!(Profile::Rough.orders() > Profile::Calm.orders());
    }
}
