//! Who answers what.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::message::{Method, Request, Response};

type Handler = Box<dyn Fn(&Request) -> Response + Send + Sync>;

struct Route {
    method: Method,
    path: String,
    limit: usize,
    handler: Handler,
}

/// Routes by whole path. What is not in it is not found; there are no files to be served.
#[derive(Default)]
pub struct Router {
    routes: Vec<Route>,
}

impl Router {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers GET (and HEAD) of a path.
    pub fn get(
        &mut self,
        path: &str,
        handler: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) {
        self.route(Method::Get, path, 0, Box::new(handler));
    }

    /// Answers POST of a path, with bodies of at most `limit` bytes. The handler runs on the thread
    /// of its connection and may wait there: as many requests wait as connections are allowed.
    pub fn post(
        &mut self,
        path: &str,
        limit: usize,
        handler: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) {
        self.route(Method::Post, path, limit, Box::new(handler));
    }

    /// The later of two routes of the same path counts.
    fn route(&mut self, method: Method, path: &str, limit: usize, handler: Handler) {
        self.routes
            .retain(|route| route.method != method || route.path != path);
        self.routes.push(Route {
            method,
            path: path.to_owned(),
            limit,
            handler,
        });
    }

    fn find(&self, method: Method, path: &str) -> Option<&Route> {
        self.routes
            .iter()
            .find(|route| route.method == method && route.path == path)
    }

    /// Bytes a body for this path may have; `None`: nothing is served there.
    pub(crate) fn limit(&self, method: Method, path: &str) -> Option<usize> {
        self.find(method, path).map(|route| route.limit)
    }

    /// The answer. A handler that panics is answered for.
    pub(crate) fn answer(&self, request: &Request) -> Response {
        let Some(route) = self.find(request.method, &request.path) else {
            return Response::text(404, "not found\n");
        };
        catch_unwind(AssertUnwindSafe(|| (route.handler)(request)))
            .unwrap_or_else(|_| Response::text(500, "the handler failed\n"))
    }
}
