//! One request and its response, on their own connection.

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode, client};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::RestError;

/// A request.
pub(super) struct Ask {
    method: Method,
    /// The complete path.
    path: String,
    token: Option<String>,
    body: Option<Vec<u8>>,
}

impl Ask {
    /// A request for a path below `/api/v1`.
    pub(super) fn new(method: Method, path: &str, token: Option<&str>) -> Self {
        Self {
            method,
            path: format!("/api/v1{path}"),
            token: token.map(str::to_owned),
            body: None,
        }
    }

    /// A `GET` request for a path outside `/api/v1`.
    pub(super) fn beside(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            token: None,
            body: None,
        }
    }

    pub(super) fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Method and path, for error messages; never contains the token.
    pub(super) fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn into_request(self, authority: &str) -> Result<Request<Full<Bytes>>, RestError> {
        let what = self.what();
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(HOST, authority);
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::from(self.body.unwrap_or_default());
        request.body(body).map_err(|error| RestError::Unexpected {
            what,
            status: StatusCode::BAD_REQUEST,
            problem: error.to_string(),
        })
    }
}

/// A request and the server that it is for.
pub(super) struct Exchange<'a> {
    authority: &'a str,
    what: String,
    ask: Ask,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(authority: &'a str, ask: Ask) -> Self {
        Self {
            authority,
            what: ask.what(),
            ask,
        }
    }

    /// Sends the request and reads the complete body of a success.
    pub(super) async fn whole(self, bytes_max: usize) -> Result<(StatusCode, Bytes), RestError> {
        let what = self.what.clone();
        let answer = self.send().await?;
        let status = answer.response.status();
        let body = Limited::new(answer.response.into_body(), bytes_max);
        let body = body.collect().await;
        let body = body.map_err(|error| unexpected(&what, status, error.to_string()))?;
        let body = body.to_bytes();
        if status.is_success() {
            Ok((status, body))
        } else {
            Err(failed(&what, status, &body))
        }
    }

    /// Sends the request and reads the body of a success line by line.
    pub(super) async fn lines(
        self,
        line_bytes_max: usize,
        mut each: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), RestError> {
        let what = self.what.clone();
        let answer = self.send().await?;
        let status = answer.response.status();
        let mut body = answer.response.into_body();
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            rest.extend_from_slice(&data);
            while status.is_success()
                && let Some(end) = rest.iter().position(|byte| *byte == b'\n')
            {
                let line = rest.split_to(end + 1);
                each(&line[..end]).map_err(|problem| unexpected(&what, status, problem))?;
            }
            if rest.len() > line_bytes_max {
                let problem = format!("a line is longer than {line_bytes_max} bytes");
                return Err(unexpected(&what, status, problem));
            }
        }
        if !status.is_success() {
            return Err(failed(&what, status, &rest));
        }
        if !rest.is_empty() {
            let problem = "its last line is cut off".to_owned();
            return Err(unexpected(&what, status, problem));
        }
        Ok(())
    }

    async fn send(self) -> Result<Answer, RestError> {
        let connect = |source| RestError::Connect {
            authority: self.authority.to_owned(),
            source,
        };
        let stream = TcpStream::connect(self.authority).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // `send_request` or the body reports a failure of the connection too.
            let _ = connection.await;
        });
        let request = self.ask.into_request(self.authority)?;
        Ok(Answer {
            response: sender.send_request(request).await?,
            _driver: driver,
        })
    }
}

/// A response whose body has not been read yet.
struct Answer {
    response: Response<Incoming>,
    /// The task that drives the connection. It is aborted when this is dropped.
    _driver: JoinSet<()>,
}

fn failed(what: &str, status: StatusCode, body: &[u8]) -> RestError {
    match serde_json::from_slice(body) {
        Ok(failure) => RestError::Failed {
            what: what.to_owned(),
            status,
            failure: Box::new(failure),
        },
        Err(error) => unexpected(what, status, error.to_string()),
    }
}

fn unexpected(what: &str, status: StatusCode, problem: String) -> RestError {
    RestError::Unexpected {
        what: what.to_owned(),
        status,
        problem,
    }
}
