//! `docs/compliance.md`: every shipped rule in words, made from the rule data.

use super::describe;
use super::presets;
use super::rule::{Pack, Reading, Rule, Status};
use std::fmt::Write as _;

const HEAD: &str = "# The rules that autocall keeps

<!-- Made from autocall-core/rules/*.toml by `cargo xtask docs`; edit those. -->

Not legal advice. Every rule is data with a citation and the day on which it was last held against its
source; laws change, and a date that is old is a reason to look again. Rules combine to the strictest:
hours are intersected, caps take the lowest, rests the longest, and a lead that may be in several places
is under the rules of all of them. What is not known denies.

How sure we are of a rule:

- **confirmed**: the text of the rule itself was read;
- **secondary**: read in a regulator's guide, a law firm's or a vendor's page;
- **unconfirmed**: from memory. Such a rule ships in its strictest reading, or off, and says so.

Change or add rules with a file of your own:

```toml
id = \"acme\"
version = \"1\"
title = \"Acme's own rules\"

[[rule]]                       # an id that exists is replaced, a new one is added
id = \"acme.lunch\"
title = \"Nobody is called at lunch\"
jurisdiction = \"US\"            # \"*\" everywhere, \"US-TX\" a state, \"else\" what no pack covers
citation = \"House rule\"
status = \"confirmed\"
verified_on = \"2026-11-22\"
is = { hours = { week = \"mon-fri 09:00-12:00, 13:00-20:00\" } }

[[off]]                        # switches a shipped rule off; the reason is kept with the evidence
id = \"us.pa.hours\"
reason = \"We call businesses only\"
```

The linter names every mistake, every rule that your file makes looser, and rules that together leave no
hour of the week. Rules whose id begins with `house.` carry out people's own no and cannot be changed.

";

const TAIL: &str = "
## What is left to you

A dialer cannot decide these; no rule above stands for them.

| duty | source |
|---|---|
| The number shown is yours or your client's to show, with a name where the network carries one, and takes do-not-call requests in business hours | 16 CFR 310.4(a)(8); 47 CFR 64.1601(e) |
| Signing of caller ids (STIR/SHAKEN): your carrier signs, and wants to know you and your right to the number | 47 CFR 64.6301 ff. |
| Numbers ported from a landline to a mobile phone within 15 days: a safe harbor that needs a look at the porting database | 47 CFR 64.1200(a)(1)(iv) |
| Registration and bonds of sellers, written procedures, training of staff | Texas, Florida and others; 47 CFR 64.1200(c)(2)(i) |
| In India commercial calls only from the 140 and 1600 series, by registered senders | TCCCPR 2018 |
| Where the agents sit (`agents_at` of a campaign): a recording obeys the stricter law of both ends; without it, the strictest of the campaign's country | state wiretap laws, lists of all-party states |
";

/// The whole document.
pub fn markdown() -> String {
    let mut out = HEAD.to_owned();
    out.push_str("## Presets\n\n| preset | packs |\n|---|---|\n");
    for name in presets::names() {
        let packs: Vec<String> = presets::packs(name).unwrap_or_default().into_iter().map(|p| p.id).collect();
        let _ = writeln!(out, "| `{name}` | {} |", packs.join(", "));
    }
    out.push_str(
        "\nCountries that no pack of a preset covers, and calls on whose hours a country's pack is silent, get the \
         conservative rules of `world`.\n",
    );
    for pack in presets::shipped() {
        section(&mut out, &pack);
    }
    out.push_str(TAIL);
    out
}

fn section(out: &mut String, pack: &Pack) {
    let _ = write!(out, "\n## {}\n\nPack `{}`, version {}", pack.title, pack.id, pack.version);
    if !pack.covers.is_empty() {
        let _ = write!(out, ", covers {}", pack.covers.join(", "));
    }
    out.push_str(".\n\n| rule | where | says | applies | source | status |\n|---|---|---|---|---|---|\n");
    for rule in &pack.rules {
        row(out, rule);
    }
}

fn row(out: &mut String, rule: &Rule) {
    let cell = |text: &str| text.replace('|', "\\|");
    let status = match rule.status {
        Status::Confirmed => "confirmed",
        Status::Secondary => "secondary",
        Status::Unconfirmed => "**unconfirmed**",
    };
    let mut status = format!("{status}, {}", rule.verified_on);
    match rule.reading {
        Some(Reading::Off) => status.push_str("; **off**"),
        Some(Reading::Strictest) => status.push_str("; strictest reading"),
        None => {}
    }
    let mut applies = describe::scope(rule);
    for (word, date) in [("from", rule.effective_from), ("until", rule.effective_to)] {
        if let Some(date) = date {
            let gap = if applies.is_empty() { "" } else { "; " };
            let _ = write!(applies, "{gap}{word} {date}");
        }
    }
    let mut source = rule.citation.clone();
    if let Some(note) = &rule.note {
        let _ = write!(source, "<br>*{note}*");
    }
    let place = match rule.jurisdiction.as_str() {
        "*" => "everywhere",
        "else" => "elsewhere",
        place => place,
    };
    let _ = writeln!(
        out,
        "| `{}`<br>{} | {place} | {} | {} | {} | {status} |",
        rule.id,
        cell(&rule.title),
        cell(&describe::kind(&rule.is)),
        cell(&applies),
        cell(&source),
    );
}
