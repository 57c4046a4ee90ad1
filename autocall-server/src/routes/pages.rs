//! The few pages that the server has without a console: where to go, and what a one-time link
//! opens. They load nothing from elsewhere and run no script of their own line.

use crate::app::App;
use crate::http::table::Table;
use crate::identity::Rule;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

const INDEX: &str = include_str!("../../pages/index.html");
const WELCOME: &str = include_str!("../../pages/welcome.html");
const SCRIPT: &str = include_str!("../../pages/welcome.js");
const STYLE: &str = include_str!("../../pages/style.css");

/// Adds the routes.
pub fn routes(table: &mut Table) {
    table.get("/", Rule::Public, "The first page.", index).gives_raw(200, "text/html");
    table.get("/welcome", Rule::Public, "Where a one-time link sets a password.", welcome).gives_raw(200, "text/html");
    table.get("/welcome.js", Rule::Public, "Its script.", script).gives_raw(200, "text/javascript");
    table.get("/style.css", Rule::Public, "How pages look.", style).gives_raw(200, "text/css");
}

fn page(media: &'static str, text: String) -> Response {
    ([(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

async fn index(State(app): State<App>) -> Response {
    let real = if app.config.is_trial() {
        "Trial: the people are simulated. No real call is made."
    } else {
        "Real calls are made."
    };
    page("text/html; charset=utf-8", INDEX.replace("{real}", real))
}

async fn welcome() -> Response {
    page("text/html; charset=utf-8", WELCOME.to_owned())
}

async fn script() -> Response {
    page("text/javascript; charset=utf-8", SCRIPT.to_owned())
}

async fn style() -> Response {
    page("text/css; charset=utf-8", STYLE.to_owned())
}
