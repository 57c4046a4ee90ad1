//! The whole router: the API's table, its document and page, and the layers around everything.

use super::{fallback, openapi, secure};
use crate::app::App;
use crate::routes;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::IntoResponse as _;
use tower_http::catch_panic::CatchPanicLayer;

/// The router of a server. `webhooks` is the carrier's part.
pub fn router(app: &App, webhooks: Option<Router<App>>) -> Router {
    let table = routes::table();
    let document = openapi::document(&table);
    let docs = utoipa_swagger_ui::SwaggerUi::new("/api/docs").url("/api/openapi.json", document);
    let mut router: Router<App> = table.into_router(app).merge(docs);
    if let Some(webhooks) = webhooks {
        router = router.merge(webhooks);
    }
    router
        .fallback(fallback::not_found)
        // Uploads count their own bytes; everything else is read by the guard, up to its limit.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            super::problem::Problem::internal("a handler panicked").into_response()
        }))
        .layer(axum::middleware::from_fn_with_state(app.clone(), secure::headers))
        .with_state(app.clone())
}
