//! Where the called person may be: time zones, countries and US states from a number, an address
//! or an explicit zone.
//!
//! The rule is to take every plausible place: a call must suit all of them. An area code that is
//! split between zones gives both; an overlay inherits the split of the code it lies over; an
//! unknown place is never called.

mod id;
mod nanp;
mod region;
mod world;
mod zip;

pub use crate::phone::Country;
pub use id::{DAY_MS, ZoneId, ZoneSet};
pub use nanp::area_codes;
pub use region::{State, StateSet};
pub use world::calling_codes;

use crate::Phone;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Where somebody may be, and how that is known.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// Every plausible time zone; empty if unknown.
    pub zones: ZoneSet,
    /// Every plausible country.
    pub countries: SmallVec<[Country; 2]>,
    /// Every plausible US state; all their rules apply.
    pub states: StateSet,
    /// What it was derived from.
    #[serde(default)]
    pub from: Sources,
}

impl Place {
    /// Adds a country by its code in capitals; of the United States, every state. `false` if no such
    /// code is known.
    pub fn add_country(&mut self, code: &str) -> bool {
        let country = Country::from_code(code).filter(|country| country.code() == code);
        let states = if country == Some(Country::US) { StateSet::ALL } else { StateSet::NONE };
        country.inspect(|country| self.add(*country, states)).is_some()
    }

    /// Adds a country, `FR`, or a state, `US-TX`. A country's code that may be meant for a state adds
    /// both: `CA` is Canada and California. `false` if no such code is known.
    pub fn add_region(&mut self, code: &str) -> bool {
        let state = |text: &str| State::from_code(text).filter(|state| state.code() == text);
        match code.split_once('-') {
            Some(("US", text)) => state(text).inspect(|state| self.add(Country::US, StateSet::one(*state))).is_some(),
            Some(_) => false,
            None if !self.add_country(code) => false,
            None => {
                if let Some(state) = state(code) {
                    self.add(Country::US, StateSet::one(state));
                }
                true
            }
        }
    }

    fn add(&mut self, country: Country, states: StateSet) {
        if !self.countries.contains(&country) {
            self.countries.push(country);
        }
        self.states = self.states.union(states);
    }
}

/// What a [`Place`] was derived from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sources {
    /// The number's area or calling code.
    pub number: bool,
    /// A state, province or country of the address.
    pub region: bool,
    /// A postal code.
    pub postal: bool,
    /// A zone that the lead names; it was used alone.
    pub zone: bool,
}

/// What is known of somebody's place.
#[derive(Clone, Copy, Debug)]
pub struct Clues<'a> {
    /// The number to be dialled.
    pub phone: Phone,
    /// The country of the address.
    pub country: Option<Country>,
    /// The state or province of the address: a code or, in the US, a name.
    pub state: Option<&'a str>,
    /// The postal code of the address.
    pub postal: Option<&'a str>,
    /// A zone that the lead itself names, `America/Chicago`.
    pub zone: Option<&'a str>,
    /// Whether that zone is first-hand and recent, so that it replaces everything else. If not, it
    /// only adds a plausible zone.
    pub trust_zone: bool,
}

impl<'a> Clues<'a> {
    /// Only a number.
    pub fn number(phone: Phone) -> Clues<'a> {
        Clues { phone, country: None, state: None, postal: None, zone: None, trust_zone: false }
    }
}

/// What one kind of evidence says.
#[derive(Default)]
struct Said {
    zones: ZoneSet,
    country: Option<Country>,
    states: StateSet,
}

/// Derives the place.
///
/// * A trusted explicit zone is used alone.
/// * An address and a number that agree on some zone, and not on different states: the address's
///   zones (it narrows the number).
/// * An address and a number that do not: the zones of both, so that the hour suits both.
/// * States add up, always: an area code adds a state's rules and never removes another's.
pub fn locate(clues: &Clues<'_>) -> Place {
    let mut place = Place::default();
    by_number(clues.phone, &mut place);
    let address = by_address(clues, &place);
    if let Some(country) = address.country
        && !place.countries.contains(&country)
    {
        place.countries.push(country);
        place.countries.sort_unstable();
    }
    french_overseas(&mut place);
    // Somebody who moved to another state is not narrowed: the zones of a code are wider than its
    // exchanges', so that a zone in common says little.
    let moved = !place.states.is_empty()
        && !address.states.is_empty()
        && !address.states.iter().any(|state| place.states.contains(state));
    place.states = place.states.union(address.states);
    if !address.zones.is_unknown() {
        place.from.region = true;
        place.from.postal = clues.postal.is_some_and(|p| zip::zip(p).is_some());
        let agree = !moved && address.zones.as_slice().iter().any(|zone| place.zones.contains(*zone));
        if agree || place.zones.is_unknown() {
            place.zones = address.zones;
        } else {
            place.zones.extend(address.zones.as_slice().iter().copied());
        }
    }
    match given(clues.zone).map(ZoneId::named) {
        Some(Some(zone)) if clues.trust_zone => {
            place.zones = ZoneSet::one(zone);
            place.from.zone = true;
        }
        Some(Some(zone)) => place.zones.insert(zone),
        // A zone that nobody knows: anywhere in the countries that are plausible.
        Some(None) => {
            for country in place.countries.clone() {
                let all = match country {
                    Country::US => nanp::all_us(),
                    Country::CA => nanp::all_ca(),
                    other => world::country(other).or_else(|| nanp::country(other)).unwrap_or_default(),
                };
                place.zones.extend(all.as_slice().iter().copied());
            }
        }
        None => {}
    }
    place
}

/// Departments and territories of France have country codes of their own; French rules hold there,
/// read on the called person's clock.
fn french_overseas(place: &mut Place) {
    const OVERSEAS: [&str; 8] = ["RE", "YT", "GP", "BL", "MF", "MQ", "GF", "PM"];
    let is_overseas = place.countries.iter().any(|country| OVERSEAS.contains(&country.code()));
    if let Some(france) = Country::from_code("FR").filter(|fr| is_overseas && !place.countries.contains(fr)) {
        place.countries.push(france);
        place.countries.sort_unstable();
    }
}

fn by_number(phone: Phone, place: &mut Place) {
    if let Some(code) = phone.area_code() {
        if let Some(area) = nanp::area(code) {
            place.zones = area.zones.clone();
            place.states = area.states;
            place.countries.push(area.country);
            place.from.number = true;
        }
    } else if let Some(code) = world::calling_code(phone.digits()) {
        place.zones = code.zones.clone();
        place.countries.clone_from(&code.countries);
        place.from.number = true;
    }
}

/// What the row says besides the number. What is given and cannot be read never counts as absent:
/// then every zone of the country is plausible.
fn by_address(clues: &Clues<'_>, number: &Place) -> Said {
    let territory = clues.country.and_then(|c| nanp::us_territory(c.code()));
    match clues.country.map(|c| if territory.is_some() { Country::US } else { c }) {
        Some(Country::US) => american(clues, number, territory),
        Some(Country::CA) => canadian(clues, number),
        Some(other) => {
            let zones = world::country(other).or_else(|| nanp::country(other)).unwrap_or_default();
            Said { zones, country: Some(other), ..Said::default() }
        }
        None => unnamed(clues, number),
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// An address in the United States.
fn american(clues: &Clues<'_>, number: &Place, territory: Option<State>) -> Said {
    let mut said = Said { country: Some(Country::US), ..Said::default() };
    let state = given(clues.state).and_then(State::from_code).or(territory);
    let zip = given(clues.postal).and_then(zip::zip);
    said.states = state.into_iter().chain(zip.iter().flat_map(|(states, _)| states.iter().copied())).collect();
    for state in said.states.iter() {
        said.zones.extend(nanp::state(state).as_slice().iter().copied());
    }
    if let Some((states, Some(sure))) = zip
        && state.is_none_or(|s| states.contains(&s))
    {
        said.zones = sure;
    }
    let silent = given(clues.state).is_none() && given(clues.postal).is_none();
    if said.zones.is_unknown() && !(silent && number.countries.contains(&Country::US)) {
        said.zones = nanp::all_us();
    }
    said
}

/// An address in Canada.
fn canadian(clues: &Clues<'_>, number: &Place) -> Said {
    let mut said = Said { country: Some(Country::CA), ..Said::default() };
    let province = given(clues.state).and_then(nanp::province);
    let postal = given(clues.postal).and_then(nanp::canadian_postal);
    for zones in [province, postal].into_iter().flatten() {
        said.zones.extend(zones.as_slice().iter().copied());
    }
    let silent = given(clues.state).is_none() && given(clues.postal).is_none();
    if said.zones.is_unknown() && !(silent && number.countries.contains(&Country::CA)) {
        said.zones = nanp::all_ca();
    }
    said
}

/// An address whose row names no country: whatever it can be read as counts. A postal code alone
/// beside a number from elsewhere is that country's own and says nothing here.
fn unnamed(clues: &Clues<'_>, number: &Place) -> Said {
    // A number without a place (toll-free, unassigned) needs an address that names its country.
    if number.countries.is_empty() {
        return Said::default();
    }
    let at_home = number.countries.iter().any(|c| [Country::US, Country::CA].contains(c));
    let state = given(clues.state);
    let is_us =
        state.and_then(State::from_code).is_some() || (at_home && given(clues.postal).and_then(zip::zip).is_some());
    let is_ca = state.and_then(nanp::province).is_some()
        || (at_home && given(clues.postal).and_then(nanp::canadian_postal).is_some());
    let mut said = Said::default();
    if is_us {
        said = american(clues, number, None);
    }
    if is_ca {
        let more = canadian(clues, number);
        said.zones.extend(more.zones.as_slice().iter().copied());
        said.country = said.country.or(more.country);
    }
    if !is_us && !is_ca && state.is_some() {
        // Something that names no state or province: anywhere in the number's country.
        for country in &number.countries {
            match *country {
                Country::US => said.zones.extend(nanp::all_us().as_slice().iter().copied()),
                Country::CA => said.zones.extend(nanp::all_ca().as_slice().iter().copied()),
                _ => {}
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(place: &Place) -> Vec<&str> {
        place.zones.as_slice().iter().map(|z| z.name()).collect()
    }
    fn phone(text: &str) -> Phone {
        Phone::from_e164(text).expect("a number")
    }

    #[test]
    fn regions_are_codes_in_capitals_and_ambiguous_ones_are_both() {
        let of = |code: &str| {
            let mut place = Place::default();
            let known = place.add_region(code);
            (known, place.countries.to_vec(), place.states.len())
        };
        assert_eq!(of("FR"), (true, vec![Country::from_code("FR").expect("France")], 0));
        assert_eq!(of("US-TX"), (true, vec![Country::US], 1));
        assert_eq!(of("US"), (true, vec![Country::US], StateSet::ALL.len()));
        assert_eq!(of("CA"), (true, vec![Country::CA, Country::US], 1), "Canada and California");
        for code in ["us", "fr", "US-tx", "US-XX", "CA-ON", "TX", ""] {
            assert_eq!(of(code), (false, vec![], 0), "{code:?}");
        }
    }

    #[test]
    fn an_address_narrows_a_number_that_agrees_and_joins_one_that_does_not() {
        let pensacola = Clues { postal: Some("32501"), ..Clues::number(phone("+18505550123")) };
        assert_eq!(names(&locate(&Clues::number(pensacola.phone))), ["America/Chicago", "America/New_York"]);
        assert_eq!(names(&locate(&pensacola)), ["America/Chicago"]);

        let moved = Clues { state: Some("ny"), ..Clues::number(phone("+14155550123")) };
        let place = locate(&moved);
        assert_eq!(names(&place), ["America/Los_Angeles", "America/New_York"]);
        let states: Vec<_> = place.states.iter().map(State::code).collect();
        assert_eq!(states, ["CA", "NY"], "an area code adds a state, never removes one");
    }

    #[test]
    fn who_moved_to_another_state_is_called_when_both_suit() {
        let el_paso = Clues { state: Some("MS"), ..Clues::number(phone("+19155550123")) };
        assert_eq!(names(&locate(&el_paso)), ["America/Chicago", "America/Denver"]);
        let midland = Clues { state: Some("NM"), ..Clues::number(phone("+14325550123")) };
        assert_eq!(names(&locate(&midland)), ["America/Chicago", "America/Denver"]);
        let at_home = Clues { state: Some("TX"), postal: Some("75201"), ..Clues::number(phone("+14325550123")) };
        assert_eq!(names(&locate(&at_home)), ["America/Chicago"]);
    }

    #[test]
    fn a_state_is_wider_than_an_area_code() {
        let miami_phone = Clues { state: Some("FL"), ..Clues::number(phone("+13055550123")) };
        assert_eq!(names(&locate(&miami_phone)), ["America/Chicago", "America/New_York"]);
    }

    #[test]
    fn an_explicit_zone_replaces_all_only_if_trusted() {
        let mut clues = Clues { zone: Some("Pacific/Honolulu"), ..Clues::number(phone("+12125550123")) };
        assert_eq!(names(&locate(&clues)), ["America/New_York", "Pacific/Honolulu"]);
        clues.trust_zone = true;
        assert_eq!(names(&locate(&clues)), ["Pacific/Honolulu"]);
        clues.zone = Some("america/NEW_york");
        assert_eq!(names(&locate(&clues)), ["America/New_York"], "letter case is no reason to guess");
        clues.zone = Some("US/Pacific");
        assert_eq!(locate(&clues).zones.len(), 1, "old names are known");
        clues.zone = Some("Nowhere/At_All");
        assert_eq!(locate(&clues).zones, locate(&Clues { zone: None, state: Some("?"), ..clues }).zones);
        assert!(locate(&clues).zones.len() > 6, "what cannot be read is anywhere in the country");
    }

    #[test]
    fn an_address_that_the_numbers_country_cannot_read_still_counts() {
        let los_angeles = "America/Los_Angeles";
        let of = |number: &str, clues: Clues<'static>| {
            names(&locate(&Clues { phone: phone(number), ..clues })).iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()
        };
        let none = Clues::number(phone("+12125550123"));
        let us = Country::from_code("US");
        for number in ["+14165550123", "+442071234567"] {
            for clues in [
                Clues { state: Some("CA"), postal: Some("90001"), ..none },
                Clues { country: us, state: Some("CA"), ..none },
                Clues { country: us, state: Some("Calif."), ..none },
                Clues { country: us, ..none },
            ] {
                assert!(of(number, clues).iter().any(|z| z == los_angeles), "{number} {clues:?}");
            }
        }
        let vancouver = of("+14165550123", Clues { postal: Some("V6B 1A1"), ..none });
        assert!(vancouver.contains(&"America/Vancouver".to_owned()), "{vancouver:?}");
        let ate_a_zero = of("+13105550123", Clues { postal: Some("2116"), ..none });
        assert!(ate_a_zero.contains(&"America/New_York".to_owned()), "{ate_a_zero:?}");
        let dirty = of("+12125550123", Clues { state: Some("N.Y. (?)"), ..none });
        assert!(dirty.iter().any(|z| z == los_angeles), "{dirty:?}");
        assert_eq!(of("+12125550123", Clues { state: Some("  "), country: us, ..none }), ["America/New_York"]);
        // Berlin's own postal code is no ZIP code.
        assert_eq!(of("+4930123456", Clues { postal: Some("10115"), ..none }), ["Europe/Berlin"]);
        let jamaica = of("+12125550123", Clues { country: Country::from_code("JM"), ..none });
        assert!(jamaica.contains(&"America/Jamaica".to_owned()), "{jamaica:?}");
        let kentucky = of("+12705550123", Clues { postal: Some("40143"), ..none });
        assert_eq!(kentucky, ["America/Chicago", "America/New_York"], "Hardinsburg keeps Central time");
    }

    #[test]
    fn what_has_no_place_has_no_zone() {
        for text in ["+18005550123", "+15005550123", "+80012345678", "+12115550123"] {
            let place = locate(&Clues::number(phone(text)));
            assert!(place.zones.is_unknown() && place.countries.is_empty(), "{place:?}");
        }
        let toll_free_with_address = Clues {
            country: Some(Country::US),
            state: Some("Texas"),
            postal: Some("75001"),
            ..Clues::number(phone("+18005550123"))
        };
        assert_eq!(names(&locate(&toll_free_with_address)), ["America/Chicago"]);
    }

    #[test]
    fn countries_and_provinces() {
        let berlin = locate(&Clues::number(phone("+4930123456")));
        assert_eq!((names(&berlin), berlin.countries[0].code()), (vec!["Europe/Berlin"], "DE"));
        let halifax = Clues { state: Some("NS"), ..Clues::number(phone("+14165550123")) };
        assert_eq!(names(&locate(&halifax)), ["America/Halifax", "America/Toronto"]);
        let puerto_rico = Clues { country: Country::from_code("PR"), ..Clues::number(phone("+17875550123")) };
        let place = locate(&puerto_rico);
        assert_eq!(place.countries.as_slice(), [Country::US]);
        assert_eq!(place.states.iter().map(State::code).collect::<Vec<_>>(), ["PR"]);
        let reunion = locate(&Clues::number(phone("+262262123456")));
        assert!(reunion.countries.iter().any(|c| c.code() == "FR"), "French rules hold on Réunion");
        assert!(!names(&reunion).contains(&"Europe/Paris"), "on Réunion's clock");
        let abroad = Clues { country: Country::from_code("FR"), ..Clues::number(phone("+12125550123")) };
        assert_eq!(locate(&abroad).countries.len(), 2);
        assert_eq!(names(&locate(&abroad)), ["America/New_York", "Europe/Paris"]);
    }

    #[test]
    fn an_address_that_cannot_be_read_may_be_anywhere_in_its_country() {
        let of = |number: &str, country: Option<&str>, state: Option<&'static str>, postal: Option<&'static str>| {
            let country = country.and_then(Country::from_code);
            let place = locate(&Clues { country, state, postal, ..Clues::number(phone(number)) });
            ["America/New_York", "America/Toronto", "America/Los_Angeles", "America/Vancouver", "Europe/London"]
                .map(|name| u8::from(ZoneId::named(name).is_some_and(|zone| place.zones.contains(zone))))
        };
        let (us, ca, london) = ("+12125550123", "+14165550123", "+442071234567");
        for (number, country, state, postal, zones) in [
            (us, Some("US"), None, None, [1, 0, 0, 0, 0]),
            (us, Some("US"), Some("Calif."), None, [1, 0, 1, 0, 0]),
            (us, Some("US"), None, Some("1"), [1, 0, 1, 0, 0]),
            (us, Some("US"), Some("NY"), Some("1"), [1, 0, 0, 0, 0]),
            (ca, Some("US"), None, None, [1, 1, 1, 0, 0]),
            (ca, Some("CA"), None, None, [0, 1, 0, 0, 0]),
            (ca, Some("CA"), Some("Ont."), None, [0, 1, 0, 1, 0]),
            (ca, Some("CA"), None, Some("1"), [0, 1, 0, 1, 0]),
            (ca, Some("CA"), Some("BC"), Some("1"), [0, 1, 0, 1, 0]),
            (us, Some("CA"), None, None, [1, 1, 0, 1, 0]),
            (us, Some("CA"), Some("ON"), None, [1, 1, 0, 0, 0]),
            (us, None, None, Some("V6B 1A1"), [1, 0, 0, 1, 0]),
            (us, None, None, Some("94103"), [1, 0, 1, 0, 0]),
            (ca, None, Some("Foo"), None, [0, 1, 0, 1, 0]),
            (us, None, Some("Foo"), None, [1, 0, 1, 0, 0]),
            (london, None, Some("ON"), None, [0, 1, 0, 0, 1]),
            (london, None, Some("Foo"), None, [0, 0, 0, 0, 1]),
            (london, None, None, Some("90001"), [0, 0, 0, 0, 1]),
            (london, None, None, Some("V6B 1A1"), [0, 0, 0, 0, 1]),
            (us, Some("GB"), None, None, [1, 0, 0, 0, 1]),
        ] {
            assert_eq!(of(number, country, state, postal), zones, "{number} {country:?} {state:?} {postal:?}");
        }
    }

    #[test]
    fn a_place_says_what_it_was_found_by() {
        let number = Clues::number(phone("+14155550123"));
        let from = |clues: &Clues<'_>| {
            let Sources { number, region, postal, zone } = locate(clues).from;
            [number, region, postal, zone]
        };
        let berlin = Clues::number(phone("+4930123456"));
        assert_eq!((from(&number), from(&berlin)), ([true, false, false, false], [true, false, false, false]));
        assert_eq!(from(&Clues { state: Some("CA"), ..number }), [true, true, false, false]);
        assert_eq!(from(&Clues { postal: Some("94103"), ..number }), [true, true, true, false]);
        assert_eq!(from(&Clues { state: Some("CA"), postal: Some("?"), ..number }), [true, true, false, false]);
        let zone = Clues { zone: Some("Europe/Berlin"), ..number };
        assert_eq!(from(&zone), [true, false, false, false]);
        assert_eq!(from(&Clues { trust_zone: true, ..zone }), [true, false, false, true]);
        let toll_free = Clues { country: Some(Country::US), ..Clues::number(phone("+18005550123")) };
        assert_eq!(from(&toll_free), [false, true, false, false]);
    }

    #[test]
    fn a_zone_that_nobody_knows_is_any_of_the_country() {
        let of = |number: &str| {
            let clues = Clues { zone: Some("Nowhere/At_All"), ..Clues::number(phone(number)) };
            names(&locate(&clues)).len()
        };
        assert!(of("+12125550123") > 6 && of("+14165550123") > 6);
        assert_eq!((of("+18765550123"), of("+4930123456")), (1, 1), "Jamaica and Germany have one each");
        assert!(of("+61212345678") > 4);
    }

    #[test]
    fn countries_and_states_are_added_once() {
        let mut place = Place::default();
        assert!(place.add_country("FR") && place.add_country("FR") && place.add_country("US"));
        assert_eq!((place.countries.len(), place.states.len()), (2, StateSet::ALL.len()));
        assert!(!place.add_country("XX") && !place.add_country("us"));
        let mut texas = Place::default();
        assert!(texas.add_region("US-TX") && texas.add_region("US-NY") && !texas.add_region("US-XX"));
        assert_eq!((texas.countries.len(), texas.states.len()), (1, 2));
    }
}
