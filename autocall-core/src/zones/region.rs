//! The US states: places whose rules differ.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// The US states, the District of Columbia and the territories: postal code and name.
const STATES: [(&str, &str); 56] = [
    ("AK", "Alaska"),
    ("AL", "Alabama"),
    ("AR", "Arkansas"),
    ("AS", "American Samoa"),
    ("AZ", "Arizona"),
    ("CA", "California"),
    ("CO", "Colorado"),
    ("CT", "Connecticut"),
    ("DC", "District of Columbia"),
    ("DE", "Delaware"),
    ("FL", "Florida"),
    ("GA", "Georgia"),
    ("GU", "Guam"),
    ("HI", "Hawaii"),
    ("IA", "Iowa"),
    ("ID", "Idaho"),
    ("IL", "Illinois"),
    ("IN", "Indiana"),
    ("KS", "Kansas"),
    ("KY", "Kentucky"),
    ("LA", "Louisiana"),
    ("MA", "Massachusetts"),
    ("MD", "Maryland"),
    ("ME", "Maine"),
    ("MI", "Michigan"),
    ("MN", "Minnesota"),
    ("MO", "Missouri"),
    ("MP", "Northern Mariana Islands"),
    ("MS", "Mississippi"),
    ("MT", "Montana"),
    ("NC", "North Carolina"),
    ("ND", "North Dakota"),
    ("NE", "Nebraska"),
    ("NH", "New Hampshire"),
    ("NJ", "New Jersey"),
    ("NM", "New Mexico"),
    ("NV", "Nevada"),
    ("NY", "New York"),
    ("OH", "Ohio"),
    ("OK", "Oklahoma"),
    ("OR", "Oregon"),
    ("PA", "Pennsylvania"),
    ("PR", "Puerto Rico"),
    ("RI", "Rhode Island"),
    ("SC", "South Carolina"),
    ("SD", "South Dakota"),
    ("TN", "Tennessee"),
    ("TX", "Texas"),
    ("UT", "Utah"),
    ("VA", "Virginia"),
    ("VI", "US Virgin Islands"),
    ("VT", "Vermont"),
    ("WA", "Washington"),
    ("WI", "Wisconsin"),
    ("WV", "West Virginia"),
    ("WY", "Wyoming"),
];

/// A US state, the District of Columbia, or a US territory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State(u8);

impl State {
    /// How many there are; [`State::index`] is below this.
    pub const COUNT: usize = STATES.len();

    /// From the two-letter postal code, or the English name, in either case.
    pub fn from_code(text: &str) -> Option<State> {
        let text = text.trim();
        STATES
            .iter()
            .position(|(code, name)| code.eq_ignore_ascii_case(text) || name.eq_ignore_ascii_case(text))
            .map(|i| State(i as u8))
    }
    /// The two-letter postal code.
    pub fn code(self) -> &'static str {
        STATES[self.0 as usize].0
    }
    /// The English name.
    pub fn name(self) -> &'static str {
        STATES[self.0 as usize].1
    }
    /// A small number, for tables.
    pub fn index(self) -> usize {
        self.0 as usize
    }
    /// All of them, by postal code.
    pub fn all() -> impl Iterator<Item = State> {
        (0..STATES.len()).map(|i| State(i as u8))
    }
}
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl Serialize for State {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.code())
    }
}
impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(d)?;
        State::from_code(&code).ok_or_else(|| de::Error::custom("expected a US state"))
    }
}

/// The states in which somebody may plausibly be; their rules all apply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StateSet(u64);

impl StateSet {
    /// No state.
    pub const NONE: StateSet = StateSet(0);
    /// Every state: what a US number of unknown place may be in.
    pub const ALL: StateSet = StateSet((1 << STATES.len()) - 1);

    /// Exactly one.
    pub fn one(state: State) -> StateSet {
        StateSet(1 << state.0)
    }
    /// Adds one.
    pub fn insert(&mut self, state: State) {
        self.0 |= 1 << state.0;
    }
    /// Both sets together.
    pub fn union(self, other: StateSet) -> StateSet {
        StateSet(self.0 | other.0)
    }
    /// Whether the state is in the set.
    pub fn contains(self, state: State) -> bool {
        self.0 & (1 << state.0) != 0
    }
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// How many.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }
    /// The states, by postal code.
    pub fn iter(self) -> impl Iterator<Item = State> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let i = rest.trailing_zeros() as u8;
                rest &= rest - 1;
                State(i)
            })
        })
    }
}
impl FromIterator<State> for StateSet {
    fn from_iter<T: IntoIterator<Item = State>>(states: T) -> Self {
        states.into_iter().fold(StateSet::NONE, |set, s| set.union(StateSet::one(s)))
    }
}
impl fmt::Debug for StateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
impl Serialize for StateSet {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}
impl<'de> Deserialize<'de> for StateSet {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Vec::<State>::deserialize(d)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_sorted_and_read_back() {
        assert!(STATES.windows(2).all(|w| w[0].0 < w[1].0));
        for state in State::all() {
            assert_eq!(State::from_code(state.code()), Some(state));
            assert_eq!(State::from_code(&state.name().to_lowercase()), Some(state));
        }
        assert_eq!(State::from_code("ZZ"), None);
        assert_eq!(StateSet::ALL.iter().count(), State::COUNT);
    }

    #[test]
    fn a_set_of_states_is_the_states_that_were_put_in() {
        let of = |code: &str| State::from_code(code).expect("a state");
        let (first, last, texas) = (of("AK"), of("WY"), of(" texas "));
        assert_eq!((first.index(), last.index(), texas.code(), texas.name()), (0, 55, "TX", "Texas"));
        assert!(StateSet::NONE.is_empty() && StateSet::NONE.iter().next().is_none());
        assert_eq!(StateSet::NONE.len(), 0);
        let mut set = StateSet::one(texas);
        set.insert(last);
        set.insert(last);
        assert!(set.contains(texas) && set.contains(last) && !set.contains(first) && !set.is_empty());
        assert_eq!(set.iter().collect::<Vec<_>>(), [texas, last]);
        let both = set.union([first, texas].into_iter().collect());
        assert_eq!((both.len(), both.iter().map(State::index).collect::<Vec<_>>()), (3, vec![0, texas.index(), 55]));
        assert_eq!(serde_json::to_string(&both).expect("plain data"), r#"["AK","TX","WY"]"#);
        assert_eq!(serde_json::from_str::<StateSet>(r#"["WY","AK","TX"]"#).expect("codes"), both);
        assert!(serde_json::from_str::<State>(r#""ZZ""#).is_err());
        assert_eq!((format!("{both:?}"), texas.to_string()), ("{AK, TX, WY}".to_owned(), "TX".to_owned()));
        assert_eq!((StateSet::ALL.len() as usize, State::all().count()), (State::COUNT, State::COUNT));
    }
}
