//! Public vectors of the carrier's own libraries (token `12345`), and what must be refused.

use super::*;
use proptest::prelude::*;

const BASE: &str = "https://mycompany.com";
const TARGET: &str = "/myapp.php?foo=1&bar=2";

fn token() -> Vec<SecretString> {
    vec![SecretString::from("12345")]
}

fn form(fields: &[(&str, &str)]) -> Form {
    Form::of(fields.iter().copied())
}

fn p() -> Vec<(&'static str, &'static str)> {
    vec![
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]
}

#[track_caller]
fn accepts(base: &str, target: &str, fields: &[(&str, &str)], signature: &str) {
    let form = form(fields);
    assert_eq!(verify(&token(), Some(signature.as_bytes()), base, target, Body::Form(&form)), Ok(()));
    let mut reversed: Vec<_> = fields.to_vec();
    reversed.reverse();
    let form = Form::of(reversed);
    assert_eq!(verify(&token(), Some(signature.as_bytes()), base, target, Body::Form(&form)), Ok(()), "order");
}

#[track_caller]
fn refuses(base: &str, target: &str, fields: &[(&str, &str)], signature: &str, why: BadSignature) {
    let form = form(fields);
    assert_eq!(verify(&token(), Some(signature.as_bytes()), base, target, Body::Form(&form)), Err(why));
}

#[test]
fn the_plain_vector_with_and_without_a_port() {
    let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    assert_eq!(sign("12345", &format!("{BASE}{TARGET}"), &form(&p())), signature);
    accepts(BASE, TARGET, &p(), signature);
    accepts("https://mycompany.com:1234", TARGET, &p(), signature);
    accepts("https://mycompany.com/", TARGET, &p(), signature);
    accepts(BASE, TARGET, &p(), "kvajT1Ptam85bY51eRf/AJRuM3w=");
    accepts("http://mycompany.com", TARGET, &p(), "0ZXoZLH/DfblKGATFgpif+LLRf4=");
}

#[test]
fn no_fields_and_no_query() {
    accepts(BASE, TARGET, &[], "zYQTYrRWXE7LtzbG4PfP7/bkkGo=");
    accepts(BASE, "/myapp.php", &p(), "1xaxFBvyzXYvWplzNOSs28HWO94=");
}

#[test]
fn repeated_fields_are_sorted_and_equal_ones_dropped() {
    let fields =
        [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")];
    accepts(BASE, TARGET, &fields, "IK+Dwps556ElfBT0I3Rgjkr1wJU=");
}

#[test]
fn names_are_sorted_by_themselves_not_with_their_values() {
    let mut fields = p();
    fields.extend([("Reason", "Participant"), ("ReasonConferenceEnded", "test")]);
    accepts(BASE, TARGET, &fields, "vOEb5UThFn24KEfnOFLQY2AE5FY=");
    refuses(BASE, TARGET, &fields, "95+Bu0JVPi0r/SsESZCVf0dWAjw=", BadSignature::Mismatch);
}

#[test]
fn empty_values_count() {
    let fields = [("Digits", ""), ("CallSid", "CA1234567890ABCDE"), ("EmptyParam", "")];
    accepts(BASE, TARGET, &fields, "9HHp/OqQMEwdrVebHDdA/+tqjX8=");
}

#[test]
fn special_characters_are_signed_decoded() {
    let fields =
        [("Message", "Hello & goodbye! @#$%^*()"), ("From", "+1 (415) 867-5309"), ("Special", "unicode: ñáéíóú")];
    accepts(BASE, TARGET, &fields, "dCPiR4WtQ6QFN6pJh81CtlCcWLQ=");
    let body = form(&fields).encode();
    let parsed = Form::parse(body.as_bytes()).expect("few fields");
    let signature = Some(&b"dCPiR4WtQ6QFN6pJh81CtlCcWLQ="[..]);
    assert_eq!(verify(&token(), signature, BASE, TARGET, Body::Form(&parsed)), Ok(()));
}

#[test]
fn credentials_in_the_base_are_part_of_the_url() {
    let base = "https://user:pass@mycompany.com";
    accepts(base, TARGET, &p(), "CukzLTc1tT5dXEDIHm/tKBanW10=");
    accepts(base, TARGET, &p(), "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI=");
    accepts("https://user:pass@mycompany.com:8443", TARGET, &p(), "CukzLTc1tT5dXEDIHm/tKBanW10=");
}

#[test]
fn the_documentation_example_with_its_own_token() {
    let fields: Vec<_> =
        p().into_iter().map(|(n, v)| if v == "+14158675309" { (n, "+14158675310") } else { (n, v) }).collect();
    accepts("https://example.com", TARGET, &fields, "L/OH5YylLD5NRKLltdqwSvS0BnU=");
}

#[test]
fn a_body_that_is_not_a_form_is_covered_by_its_hash() {
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let body = br#"{"property": "value", "boolean": true}"#;
    let target = format!("{TARGET}&bodySHA256={hash}");
    let signature = Some(&b"a9nBmqA0ju/hNViExpshrM61xv4="[..]);
    assert_eq!(body_sha256(body), hash);
    assert_eq!(verify(&token(), signature, BASE, &target, Body::Raw(body)), Ok(()));
    assert_eq!(verify(&token(), signature, BASE, &target, Body::Raw(b"{}")), Err(BadSignature::BodyChanged));
    assert_eq!(verify(&token(), signature, BASE, TARGET, Body::Raw(body)), Err(BadSignature::NoBodyHash));
    let other = format!("{TARGET}&bodySHA256={}", hash.replace('0', "1"));
    assert_eq!(verify(&token(), signature, BASE, &other, Body::Raw(body)), Err(BadSignature::BodyChanged));

    let empty = format!("{TARGET}&bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    let signature = Some(&b"Ldidvp12m26NI7eqEvxnEpkd9Hc="[..]);
    assert_eq!(verify(&token(), signature, BASE, &empty, Body::Raw(b"{}")), Ok(()));
}

#[test]
fn forgeries_are_refused() {
    let good = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    refuses(BASE, TARGET, &p(), "", BadSignature::Missing);
    refuses(BASE, TARGET, &p(), "RSOYDt4T1cUTdK1PDd93", BadSignature::Missing);
    refuses(BASE, TARGET, &p(), "!!!!!!!!!!!!!!!!!!!!!!!!!!!=", BadSignature::Missing);
    refuses(BASE, TARGET, &p(), "LSOYDt4T1cUTdK1PDd93/VVr8B8=", BadSignature::Mismatch);
    refuses(BASE, "/myapp.php?foo=1&bar=2&baz=3", &p(), good, BadSignature::Mismatch);
    refuses("https://mycompany.org", TARGET, &p(), good, BadSignature::Mismatch);
    let mut more = p();
    more.push(("Extra", ""));
    more.push(("More", "1"));
    refuses(BASE, TARGET, &more, good, BadSignature::Mismatch);
    let none = Form::default();
    assert_eq!(verify(&token(), None, BASE, TARGET, Body::Form(&none)), Err(BadSignature::Missing));
    assert_eq!(verify(&[], Some(good.as_bytes()), BASE, TARGET, Body::Form(&form(&p()))), Err(BadSignature::Mismatch));
}

#[test]
fn two_tokens_during_a_rotation_and_never_a_third() {
    let good = b"RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    let tokens = |names: &[&str]| names.iter().map(|t| SecretString::from(*t)).collect::<Vec<_>>();
    let fields = form(&p());
    let check = |t: &[SecretString]| verify(t, Some(good), BASE, TARGET, Body::Form(&fields));
    assert_eq!(check(&tokens(&["new", "12345"])), Ok(()));
    assert_eq!(check(&tokens(&["new"])), Err(BadSignature::Mismatch));
    assert_eq!(check(&tokens(&["a", "b", "12345"])), Err(BadSignature::Mismatch));
}

#[test]
fn a_lone_question_mark_and_an_apostrophe_may_be_spelled_either_way() {
    let fields = form(&p());
    for (signed, received) in
        [("/a?", "/a"), ("/a", "/a?"), ("/a?name=O%27Hara", "/a?name=O'Hara"), ("/a?name=O'Hara", "/a?name=O'Hara")]
    {
        let signature = sign("12345", &format!("{BASE}{signed}"), &fields);
        let got = verify(&token(), Some(signature.as_bytes()), BASE, received, Body::Form(&fields));
        assert_eq!(got, Ok(()), "signed {signed}, received {received}");
    }
}

#[test]
fn the_fragment_is_never_signed() {
    let fields = form(&p());
    let signature = sign("12345", &format!("{BASE}{TARGET}"), &fields);
    let with = format!("{TARGET}#rc=2&rp=all");
    assert_eq!(verify(&token(), Some(signature.as_bytes()), BASE, &with, Body::Form(&fields)), Ok(()));
}

#[test]
fn an_address_in_brackets_keeps_its_colons() {
    assert_eq!(other_port("http://[::1]:8080").as_deref(), Some("http://[::1]"));
    assert_eq!(other_port("http://[::1]").as_deref(), Some("http://[::1]:80"));
}

proptest! {
    #[test]
    fn a_request_costs_a_bounded_number_of_hashes(base in "https?://[a-z@:\\[\\]0-9/]{0,20}", target in "/[a-z?'&=#]{0,30}") {
        prop_assert!(spellings(&base, &target).len() * TOKENS_MAX <= HMACS_MAX);
    }

    #[test]
    fn what_is_signed_is_accepted_and_one_changed_byte_is_not(
        token in "[a-z0-9]{1,32}",
        fields in prop::collection::vec(("[A-Za-z]{1,12}", "\\PC{0,20}"), 0..12),
        flip in 0usize..20,
    ) {
        let form = Form::of(fields);
        let signature = sign(&token, &format!("{BASE}{TARGET}"), &form);
        let tokens = [SecretString::from(token)];
        prop_assert_eq!(verify(&tokens, Some(signature.as_bytes()), BASE, TARGET, Body::Form(&form)), Ok(()));
        let mut raw = BASE64.decode(&signature).expect("base64");
        raw[flip] ^= 1;
        let forged = BASE64.encode(raw);
        prop_assert_eq!(
            verify(&tokens, Some(forged.as_bytes()), BASE, TARGET, Body::Form(&form)),
            Err(BadSignature::Mismatch)
        );
    }
}
