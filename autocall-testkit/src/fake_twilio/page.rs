//! Pages of a list, as the carrier answers them.

use serde_json::{Map, Value, json};

/// One page of `rows` (all that matched, newest first).
///
/// `query` is the request's query without the paging parameters, so that the links keep the
/// filters. Pages count from 0; `page_size` is 1 to 1000, 50 if not given.
pub(crate) fn page(path: &str, key: &str, query: &[(String, String)], rows: Vec<Value>) -> Value {
    let number = |name: &str| query.iter().find(|(n, _)| n == name).and_then(|(_, v)| v.parse::<usize>().ok());
    let size = number("PageSize").unwrap_or(50).clamp(1, 1_000);
    let at = number("Page").unwrap_or(0);
    let filters: Vec<_> =
        query.iter().filter(|(n, _)| !["Page", "PageSize", "PageToken"].contains(&n.as_str())).cloned().collect();
    let link = |page: usize, token: bool| {
        let mut fields = filters.clone();
        fields.push(("PageSize".into(), size.to_string()));
        fields.push(("Page".into(), page.to_string()));
        if token {
            fields.push(("PageToken".into(), format!("PA{page}")));
        }
        format!("{path}?{}", super::hooks::encode(&fields))
    };
    let total = rows.len();
    let start = at.saturating_mul(size).min(total);
    let rows: Vec<Value> = rows.into_iter().skip(start).take(size).collect();
    let more = start + rows.len() < total;
    let mut out = Map::new();
    out.insert("first_page_uri".into(), json!(link(0, false)));
    out.insert("next_page_uri".into(), if more { json!(link(at + 1, true)) } else { Value::Null });
    out.insert("previous_page_uri".into(), if at > 0 { json!(link(at - 1, true)) } else { Value::Null });
    out.insert("page".into(), json!(at));
    out.insert("page_size".into(), json!(size));
    out.insert("start".into(), json!(start));
    out.insert("end".into(), json!((start + rows.len()).saturating_sub(1)));
    out.insert("uri".into(), json!(link(at, false)));
    out.insert(key.into(), Value::Array(rows));
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_link_to_each_other_and_keep_the_filters() {
        let rows = || (0..5).map(|n| json!(n)).collect::<Vec<_>>();
        let query = |page: &str| {
            vec![
                ("Status".to_owned(), "queued".to_owned()),
                ("PageSize".to_owned(), "2".to_owned()),
                ("Page".to_owned(), page.to_owned()),
            ]
        };
        let first = page("/x.json", "calls", &query("0"), rows());
        assert_eq!(first["calls"], json!([0, 1]));
        assert_eq!(first["next_page_uri"], "/x.json?Status=queued&PageSize=2&Page=1&PageToken=PA1");
        assert_eq!(first["previous_page_uri"], Value::Null);
        let last = page("/x.json", "calls", &query("2"), rows());
        assert_eq!(last["calls"], json!([4]));
        assert_eq!(last["next_page_uri"], Value::Null);
        assert_eq!((last["start"].clone(), last["end"].clone()), (json!(4), json!(4)));
    }
}
