//! The route table: every route with its rule, its handler and its description, in one place.
//!
//! A route cannot be added without a rule, and the guard that the table puts before each handler
//! is the only thing that makes a [`crate::identity::Principal`]: a handler that wants one cannot
//! be reached without the rule having been kept. The OpenAPI document and the tenant-crossing
//! test are made from the same table.

use super::guard;
use crate::app::App;
use crate::identity::Rule;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use std::collections::BTreeMap;

/// How a route behaves under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A page or a report: shed first.
    Page,
    /// Somebody listens while it is answered: never shed before everything else is.
    Call,
    /// Streams: no time limit, its own body limit.
    Stream,
    /// Costs nothing and takes no place: whether the process lives.
    Free,
}

/// A route.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with `{id}` for keys.
    pub path: &'static str,
    /// What it asks of whoever calls it.
    pub rule: Rule,
    /// How it behaves under load.
    pub weight: Weight,
    /// Whether `Idempotency-Key` is honored.
    pub idempotent: bool,
    /// What the documentation says.
    pub doc: super::openapi::Doc,
    handler: MethodRouter<App>,
}

impl Route {
    /// Streams, without a time limit and with the upload's body limit.
    pub fn streams(&mut self) -> &mut Route {
        self.weight = Weight::Stream;
        self
    }
    /// Is answered even under overload: somebody is on the line.
    pub fn urgent(&mut self) -> &mut Route {
        self.weight = Weight::Call;
        self
    }
    /// Is answered whatever the load, from memory or nearly so.
    pub fn free(&mut self) -> &mut Route {
        self.weight = Weight::Free;
        self
    }
    /// Honors `Idempotency-Key`.
    pub fn once(&mut self) -> &mut Route {
        self.idempotent = true;
        self.doc.header("Idempotency-Key", "Repeating a request with the same key and body gives the first answer.");
        self
    }
}

/// All routes.
#[derive(Default)]
pub struct Table {
    routes: Vec<Route>,
}

impl Table {
    /// Adds a route. `about` is one sentence.
    pub fn add<H, T>(
        &mut self,
        method: Method,
        path: &'static str,
        rule: Rule,
        about: &'static str,
        handler: H,
    ) -> &mut Route
    where
        H: Handler<T, App>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("one of the usual methods");
        self.routes.push(Route {
            doc: super::openapi::Doc::new(about),
            handler: on(filter, handler),
            method,
            path,
            rule,
            weight: Weight::Page,
            idempotent: false,
        });
        self.routes.last_mut().expect("just pushed")
    }

    /// `GET`.
    pub fn get<H: Handler<T, App>, T: 'static>(
        &mut self,
        path: &'static str,
        rule: Rule,
        about: &'static str,
        handler: H,
    ) -> &mut Route {
        self.add(Method::GET, path, rule, about, handler)
    }
    /// `POST`.
    pub fn post<H: Handler<T, App>, T: 'static>(
        &mut self,
        path: &'static str,
        rule: Rule,
        about: &'static str,
        handler: H,
    ) -> &mut Route {
        self.add(Method::POST, path, rule, about, handler)
    }
    /// `PUT`.
    pub fn put<H: Handler<T, App>, T: 'static>(
        &mut self,
        path: &'static str,
        rule: Rule,
        about: &'static str,
        handler: H,
    ) -> &mut Route {
        self.add(Method::PUT, path, rule, about, handler)
    }
    /// `DELETE`.
    pub fn delete<H: Handler<T, App>, T: 'static>(
        &mut self,
        path: &'static str,
        rule: Rule,
        about: &'static str,
        handler: H,
    ) -> &mut Route {
        self.add(Method::DELETE, path, rule, about, handler)
    }

    /// The routes, in the order in which they were added.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The router, each route behind its guard.
    pub fn into_router(self, app: &App) -> Router<App> {
        let mut paths: BTreeMap<&'static str, MethodRouter<App>> = BTreeMap::new();
        for route in self.routes {
            let pass = guard::Pass {
                app: app.clone(),
                rule: route.rule,
                weight: route.weight,
                idempotent: route.idempotent,
                path: route.path,
            };
            let guarded = route.handler.layer(axum::middleware::from_fn_with_state(pass, guard::guard));
            let present = paths.remove(route.path).unwrap_or_default();
            paths.insert(route.path, present.merge(guarded));
        }
        paths.into_iter().fold(Router::new(), |router, (path, methods)| {
            router.route(path, methods.fallback(super::fallback::method_not_allowed))
        })
    }
}
