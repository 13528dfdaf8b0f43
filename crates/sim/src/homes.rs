//! Where the simulated people live: numbers, jurisdictions and clocks, written down by hand.
//!
//! Its own file because customers are made of it and promises are checked by it: neither asks the tables that the engine
//! asks, so that a wrong row there shows.

/// The numbers of one place.
pub(crate) struct Home {
    /// What the numbers begin with; four digits follow.
    pub(crate) area: &'static str,
    /// The country, as a shop names it.
    pub(crate) country: &'static str,
    /// Whose rules bind texts to them.
    pub(crate) jurisdictions: &'static [&'static str],
    /// The clocks that their holders may live by.
    pub(crate) zones: &'static [&'static str],
}

const fn home(area: &'static str, country: &'static str, jurisdictions: &'static [&'static str], zones: &'static [&'static str]) -> Home {
    Home { area, country, jurisdictions, zones }
}

/// How many places there are.
pub(crate) const PLACES: usize = 22;

/// Every place.
pub(crate) static HOMES: [Home; PLACES] = [
    home("+1415555", "US", &["US", "US-CA"], &["America/Los_Angeles"]),
    home("+1212555", "US", &["US", "US-NY"], &["America/New_York"]),
    home("+1312555", "US", &["US", "US-IL"], &["America/Chicago"]),
    home("+1808555", "US", &["US", "US-HI"], &["Pacific/Honolulu"]),
    home("+1305555", "US", &["US", "US-FL"], &["America/New_York"]),
    home("+1214555", "US", &["US", "US-TX"], &["America/Chicago"]),
    home("+1205555", "US", &["US", "US-AL"], &["America/Chicago"]),
    home("+1401555", "US", &["US", "US-RI"], &["America/New_York"]),
    home("+1503555", "US", &["US", "US-OR"], &["America/Los_Angeles"]),
    home("+1208555", "US", &["US", "US-ID"], &["America/Boise", "America/Los_Angeles"]),
    home("+1850555", "US", &["US", "US-FL"], &["America/Chicago", "America/New_York"]),
    home("+1604555", "CA", &["CA", "CA-BC"], &["America/Vancouver"]),
    home("+44740012", "GB", &["GB"], &["Europe/London"]),
    home("+3361234", "FR", &["FR"], &["Europe/Paris"]),
    home("+491701234", "DE", &["DE"], &["Europe/Berlin"]),
    home(
        "+6141234",
        "AU",
        &["AU"],
        &["Australia/Sydney", "Australia/Lord_Howe", "Australia/Broken_Hill", "Australia/Brisbane", "Australia/Darwin", "Australia/Perth", "Australia/Eucla"],
    ),
    home("+551196123", "BR", &["BR"], &["America/Sao_Paulo"]),
    home("+57300123", "CO", &["CO"], &["America/Bogota"]),
    home("+2782123", "ZA", &["ZA"], &["Africa/Johannesburg"]),
    home("+91987654", "IN", &["IN"], &["Asia/Kolkata"]),
    home("+82101234", "KR", &["KR"], &["Asia/Seoul"]),
    home("+8491234", "VN", &["VN"], &["Asia/Ho_Chi_Minh"]),
];

/// The place of a number.
pub(crate) fn of(number: &str) -> Option<&'static Home> {
    HOMES.iter().find(|home| number.starts_with(home.area))
}
