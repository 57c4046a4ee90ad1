//! The OpenAPI document, made from the route table.

use super::problem::Problem;
use super::table::{Route, Table, Weight};
use crate::identity::Rule;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, HeaderBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Ref, RefOr, Required, Schema,
};
use utoipa::{IntoParams, PartialSchema, ToSchema};

type Schemas = Vec<(String, RefOr<Schema>)>;
/// A media type and what it holds.
type Media = Option<(&'static str, RefOr<Schema>)>;

/// What the documentation says of a route.
pub struct Doc {
    about: &'static str,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    /// Status, media type, schema, and what it means.
    answers: Vec<(u16, Media, &'static str)>,
    problems: BTreeSet<u16>,
    schemas: Schemas,
}

impl Doc {
    pub(super) fn new(about: &'static str) -> Doc {
        Doc {
            about,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            problems: BTreeSet::new(),
            schemas: Vec::new(),
        }
    }

    fn named<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name()).into()
    }

    pub(super) fn header(&mut self, name: &str, about: &str) {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        self.parameters.push(parameter.build());
    }
}

impl Route {
    /// Its JSON body.
    pub fn takes<T: ToSchema>(&mut self) -> &mut Route {
        let schema = self.doc.named::<T>();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
        self.doc.body = Some(body.build());
        self.doc.problems.extend([400, 413, 415, 422]);
        self
    }
    /// Its JSON body, which may be left out.
    pub fn takes_maybe<T: ToSchema>(&mut self) -> &mut Route {
        let schema = self.doc.named::<T>();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new().content("application/json", content).required(Some(Required::False));
        self.doc.body = Some(body.build());
        self.doc.problems.extend([400, 413, 422]);
        self
    }
    /// A body of another kind.
    pub fn takes_raw(&mut self, media: &'static str, schema: impl Into<RefOr<Schema>>) -> &mut Route {
        let content = ContentBuilder::new().schema(Some(schema)).build();
        self.doc.body = Some(RequestBodyBuilder::new().content(media, content).required(Some(Required::True)).build());
        self.doc.problems.extend([400, 413, 415, 422]);
        self
    }
    /// Its query string.
    pub fn asks<T: IntoParams>(&mut self) -> &mut Route {
        self.doc.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
        self.doc.problems.extend([400, 422]);
        self
    }
    /// What it answers when all goes well.
    pub fn gives<T: ToSchema>(&mut self, status: u16) -> &mut Route {
        let schema = self.doc.named::<T>();
        self.doc.answers.push((status, Some(("application/json", schema)), "Done."));
        self
    }
    /// A page of such things.
    pub fn gives_page<T: ToSchema>(&mut self) -> &mut Route {
        let item = self.doc.named::<T>();
        let page = ObjectBuilder::new()
            .property("items", utoipa::openapi::schema::ArrayBuilder::new().items(item))
            .property("next", ObjectBuilder::new().schema_type(Type::String))
            .required("items");
        self.doc.answers.push((200, Some(("application/json", page.into())), "A page; `next` names the next one."));
        self
    }
    /// A file.
    pub fn gives_raw(&mut self, status: u16, media: &'static str) -> &mut Route {
        let schema = ObjectBuilder::new().schema_type(Type::String);
        self.doc.answers.push((status, Some((media, schema.into())), "The file."));
        self
    }
    /// Nothing to say.
    pub fn gives_nothing(&mut self) -> &mut Route {
        self.doc.answers.push((204, None, "Done."));
        self
    }
    /// Another answer without a body of ours.
    pub fn gives_bare(&mut self, status: u16, about: &'static str) -> &mut Route {
        self.doc.answers.push((status, None, about));
        self
    }
    /// Problems that it may answer with, beside the usual ones.
    pub fn may(&mut self, statuses: &[u16]) -> &mut Route {
        self.doc.problems.extend(statuses);
        self
    }
    /// Takes `If-Match`.
    pub fn guarded(&mut self) -> &mut Route {
        self.doc.header("If-Match", "The ETag that was read; a change made on an older reading is refused.");
        self.doc.problems.insert(412);
        self
    }
}

fn operation(route: &Route) -> utoipa::openapi::path::Operation {
    let doc = &route.doc;
    let tag = route.path.split('/').nth(2).unwrap_or("other");
    let mut operation = OperationBuilder::new()
        .summary(Some(doc.about))
        .operation_id(Some(operation_id(route)))
        .tag(tag)
        .request_body(doc.body.clone());
    for name in path_keys(route.path) {
        operation = operation.parameter(path_parameter(name));
    }
    for parameter in &doc.parameters {
        operation = operation.parameter(parameter.clone());
    }
    // One status may come in several media.
    let statuses: BTreeSet<u16> = doc.answers.iter().map(|(status, ..)| *status).collect();
    for status in statuses {
        let answers = doc.answers.iter().filter(|(s, ..)| *s == status);
        let mut response = ResponseBuilder::new();
        for (_, content, about) in answers {
            response = response.description(*about);
            if let Some((media, schema)) = content {
                response = response.content(*media, ContentBuilder::new().schema(Some(schema.clone())).build());
            }
        }
        if status == 201 {
            let text = ObjectBuilder::new().schema_type(Type::String);
            response = response.header("Location", HeaderBuilder::new().schema(Some(text)).build());
        }
        operation = operation.response(status.to_string(), response.build());
    }
    for status in problems(route) {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let about =
            axum::http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Problem");
        let response = ResponseBuilder::new().description(about).content("application/problem+json", content);
        operation = operation.response(status.to_string(), response.build());
    }
    match route.rule {
        Rule::Public => operation.security(SecurityRequirement::default()).build(),
        rule => {
            let none = Vec::<String>::new();
            let about = format!("Asks for: {rule:?}.");
            operation
                .description(Some(about))
                .security(SecurityRequirement::new("bearer", none.clone()))
                .security(SecurityRequirement::new("cookie", none))
                .build()
        }
    }
}

fn problems(route: &Route) -> BTreeSet<u16> {
    let mut statuses = route.doc.problems.clone();
    statuses.extend([429, 503]);
    if route.rule != Rule::Public {
        statuses.extend([401, 403]);
    }
    if route.path.contains('{') {
        statuses.insert(404);
    }
    if route.idempotent {
        statuses.extend([400, 409, 422]);
    }
    if !matches!(route.weight, Weight::Stream | Weight::Free) {
        statuses.extend([408, 413]);
    }
    statuses
}

fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api").replace(['{', '}'], "").replace(['/', '-', '.'], "_");
    format!("{}{path}", route.method.as_str().to_lowercase())
}

/// The names in braces of a path.
pub fn path_keys(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameter(name: &str) -> Parameter {
    let schema: RefOr<Schema> = match name {
        "id" | "other" => super::values::Key::schema(),
        _ => ObjectBuilder::new().schema_type(Type::String).into(),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
        .build()
}

/// A file as one part of a form.
pub fn binary() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}

/// The whole document.
pub fn document(table: &Table) -> OpenApi {
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    schemas.insert("Problem".into(), Problem::schema());
    let mut nested: Schemas = Vec::new();
    Problem::schemas(&mut nested);
    schemas.extend(nested);
    let mut paths = PathsBuilder::new();
    for route in table.routes() {
        schemas.extend(route.doc.schemas.iter().cloned());
        let method = match route.method.as_str() {
            "POST" => HttpMethod::Post,
            "PUT" => HttpMethod::Put,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        paths = paths.path(route.path, PathItem::new(method, operation(route)));
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An access token or an API key."));
    let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::identity::principal::ACCESS_COOKIE));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    let info = InfoBuilder::new()
        .title("autocall")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Outbound dialing: campaigns, leads, calls, agents. Every list pages by cursor, every problem names its remedy."));
    OpenApiBuilder::new().info(info.build()).paths(paths.build()).components(Some(components.build())).build()
}
