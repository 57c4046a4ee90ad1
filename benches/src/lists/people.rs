//! Names and places for made-up leads.

/// Given names, some with letters that are not ASCII.
#[rustfmt::skip]
pub(super) const FIRST_NAMES: [&str; 48] = [
    "Ann", "Bob", "Carla", "David", "Eve", "Frank", "Grace", "Hugo", "Irene", "Jack", "Kate", "Liam", "Mona",
    "Noah", "Olga", "Paul", "Quinn", "Rosa", "Sam", "Tina", "Uma", "Victor", "Wendy", "Xavier", "Yara", "Zoë",
    "José", "Renée", "Jürgen", "Søren", "Anaïs", "François", "Małgorzata", "Siobhán", "Ravi", "Mei", "Omar",
    "Aisha", "Ngozi", "Hiro", "Mary Ann", "J.P.", "Lucía", "Björn", "Chloé", "Pat", "Alex", "Robin",
];

/// Family names.
#[rustfmt::skip]
pub(super) const LAST_NAMES: [&str; 48] = [
    "Adams", "Baker", "Carter", "Dawson", "Ellis", "Foster", "Garcia", "Harris", "Ivanov", "Johnson", "Keller",
    "Lopez", "Miller", "Nguyen", "O'Brien", "Patel", "Quigley", "Rossi", "Schmidt", "Turner", "Ueda", "Vargas",
    "Walker", "Xu", "Young", "Zimmermann", "Müller", "Åkesson", "Dvořák", "Łukasik", "Núñez", "van der Berg",
    "de la Cruz", "Mac Donald", "St. Clair", "Smith-Jones", "D'Angelo", "Öztürk", "Saint-Exupéry", "Fischer",
    "Kim", "Okafor", "Hassan", "Singh", "Moreau", "Lindqvist", "Brennan", "Whitfield",
];

/// An area with its state, a postal code there, and its time zone.
pub(super) struct Place {
    pub(super) area_code: u16,
    pub(super) state: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) timezone: &'static str,
}

const fn place(area_code: u16, state: &'static str, postal_code: &'static str, timezone: &'static str) -> Place {
    Place { area_code, state, postal_code, timezone }
}

/// Area codes of the United States.
pub(super) const PLACES: [Place; 20] = [
    place(212, "NY", "10001", "America/New_York"),
    place(617, "MA", "02134", "Eastern"),
    place(202, "DC", "20001", "America/New_York"),
    place(305, "FL", "33101", "EST"),
    place(404, "GA", "30303", "America/New_York"),
    place(313, "MI", "48201", "America/Detroit"),
    place(312, "IL", "60601", "America/Chicago"),
    place(615, "TN", "37201", "CST"),
    place(512, "TX", "73301", "Central Time"),
    place(504, "LA", "70112", "America/Chicago"),
    place(303, "CO", "80202", "America/Denver"),
    place(801, "UT", "84101", "MST"),
    place(602, "AZ", "85001", "America/Phoenix"),
    place(208, "ID", "83702", "America/Boise"),
    place(415, "CA", "94102", "America/Los_Angeles"),
    place(213, "CA", "90012", "Pacific"),
    place(206, "WA", "98101", "PST"),
    place(702, "NV", "89101", "America/Los_Angeles"),
    place(907, "AK", "99501", "America/Anchorage"),
    place(808, "HI", "96801", "Pacific/Honolulu"),
];

/// Area codes of Canada.
pub(super) const CANADA: [Place; 5] = [
    place(416, "ON", "M5H 2N2", "America/Toronto"),
    place(604, "BC", "V5K 0A1", "America/Vancouver"),
    place(514, "QC", "H2Y 1C6", "America/Montreal"),
    place(403, "AB", "T2P 1J9", "America/Edmonton"),
    place(902, "NS", "B3H 4R2", "Atlantic"),
];
