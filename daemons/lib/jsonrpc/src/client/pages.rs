//! Requests as bytes: pages of admin listeners and of the REST interfaces of beacon nodes, and posts that their sender signs.

use super::endpoint::Endpoint;
use super::error::{ClientError, Failure};
use super::http::{Pool, pool};
use super::options::{Credential, Options};
use ::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use ::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use std::fmt;

/// Client for pages of one server. Keeps its connections.
pub struct Pages {
    pool: Pool<Full<Bytes>>,
    uri: Uri,
    options: Options,
}

/// Page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Status, whatever it is.
    pub status: StatusCode,
    /// Time that the server says it is.
    pub date: Option<HeaderValue>,
    /// Content.
    pub body: Vec<u8>,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({})", Endpoint::Http(self.uri.clone()))
    }
}

impl Pages {
    /// Client for the server at `uri`. Nothing is sent yet.
    ///
    /// # Errors
    /// When certificates cannot be used.
    pub fn new(uri: &Uri, options: Options) -> Result<Self, Box<ClientError>> {
        match pool(uri, &options) {
            Ok(pool) => Ok(Self { pool, uri: uri.clone(), options }),
            Err(failure) => {
                let endpoint = Endpoint::Http(uri.clone());
                Err(Box::new(ClientError::new("connect to", "server", &endpoint, failure)))
            }
        }
    }

    /// Reads a page: `path` is put behind that of the server's address, which may have a prefix.
    pub async fn get(&self, path: &str) -> Result<Page, ClientError> {
        let got = self.within(async {
            let request = Request::get(self.below(path)).body(Full::default());
            self.answer(request.map_err(|error| Failure::Unreadable(error.into()))?).await
        });
        let failed = |failure| ClientError::new("read", path, &Endpoint::Http(self.uri.clone()), failure);
        got.await.map_err(failed)
    }

    /// Posts JSON, exactly these bytes, to the server's address, with headers that are this request's own.
    pub async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Page, ClientError> {
        let got = self.within(async {
            let request = Request::post(self.uri.clone()).body(Full::new(Bytes::from(body)));
            let mut request = request.map_err(|error| Failure::Unreadable(error.into()))?;
            *request.headers_mut() = headers;
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            self.answer(request).await
        });
        got.await.map_err(|failure| {
            ClientError::new("post to", "server", &Endpoint::Http(self.uri.clone()), failure)
        })
    }

    async fn within(&self, got: impl Future<Output = Result<Page, Failure>>) -> Result<Page, Failure> {
        let within = self.options.request_timeout;
        tokio::time::timeout(within, got).await.unwrap_or(Err(Failure::Timeout(within)))
    }

    fn below(&self, path: &str) -> String {
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let scheme = self.uri.scheme_str().unwrap_or("http");
        let prefix = self.uri.path().trim_end_matches('/');
        format!("{scheme}://{authority}{prefix}{path}")
    }

    async fn answer(&self, mut request: Request<Full<Bytes>>) -> Result<Page, Failure> {
        if let Some(header) = self.options.credential.as_ref().and_then(Credential::header) {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        let answer = self.pool.request(request).await.map_err(|error| match error.is_connect() {
            true => Failure::Connect(error.into()),
            false => Failure::Disconnected(error.into()),
        })?;
        let (status, date) = (answer.status(), answer.headers().get(DATE).cloned());
        let bytes_max = self.options.answer_bytes_max;
        let most = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let body = Limited::new(answer.into_body(), most).collect().await.map_err(|error| {
            match error.is::<http_body_util::LengthLimitError>() {
                true => Failure::AnswerTooLarge { bytes_max },
                false => Failure::Disconnected(error),
            }
        })?;
        Ok(Page { status, date, body: body.to_bytes().to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Options, Pages};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

    /// Asks for a page of a server that answers `answer`, and returns what it was asked.
    fn ask(answer: &'static str, options: Options) -> (Result<super::Page, super::ClientError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let uri =
            format!("http://{}/prefix/", listener.local_addr().expect("bound")).parse().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut asked = vec![0; 4_096];
            let read = stream.read(&mut asked).expect("a request");
            asked.truncate(read);
            stream.write_all(answer.as_bytes()).expect("writable");
            // Until the client has gone, for those that get no answer.
            drop(answer.is_empty().then(|| stream.read(&mut [0])));
            String::from_utf8(asked).expect("text")
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let got =
            runtime.block_on(async { Pages::new(&uri, options).expect("a client").get("/ready?a=1").await });
        drop(runtime);
        (got, server.join().expect("no panic"))
    }

    #[test]
    fn a_page_comes_with_status_and_date() {
        let answer =
            "HTTP/1.1 503 No\r\ndate: Tue, 14 Nov 2023 22:13:20 GMT\r\ncontent-length: 5\r\n\r\nstale";
        let (got, asked) = ask(answer, Options::default());
        let page = got.expect("a page");
        assert_eq!((page.status.as_u16(), page.body.as_slice()), (503, b"stale".as_slice()));
        assert_eq!(page.date.expect("a date"), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert!(asked.starts_with("GET /prefix/ready?a=1 HTTP/1.1\r\n"), "{asked}");
    }

    #[test]
    fn what_is_posted_is_posted_as_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let uri = format!("http://{}/bundles?a=1", listener.local_addr().expect("bound"));
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut asked = Vec::new();
            while !asked.ends_with(b"{ }") {
                let mut piece = [0; 4_096];
                let read = stream.read(&mut piece).expect("a request");
                asked.extend_from_slice(&piece[..read]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").expect("writable");
            String::from_utf8(asked).expect("text")
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let page = runtime.block_on(async {
            let pages = Pages::new(&uri.parse().expect("an address"), Options::default()).expect("a client");
            let mut headers = ::http::HeaderMap::new();
            headers.insert("x-signature", ::http::HeaderValue::from_static("0xab"));
            pages.post(headers, b"{ }".to_vec()).await.expect("an answer")
        });
        let asked = server.join().expect("no panic");
        assert_eq!((page.status.as_u16(), page.body.as_slice()), (200, b"{}".as_slice()));
        assert!(asked.starts_with("POST /bundles?a=1 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("x-signature: 0xab\r\n") && asked.contains("application/json"), "{asked}");
    }

    #[test]
    fn pages_have_bounds() {
        let small = Options { answer_bytes_max: 4, ..Options::default() };
        let (got, _) = ask("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstale", small);
        let failure = got.expect_err("too large").failure;
        assert!(matches!(failure, Failure::AnswerTooLarge { bytes_max: 4 }), "{failure:?}");
        let hasty = Options { request_timeout: Duration::from_millis(50), ..Options::default() };
        let (got, _) = ask("", hasty);
        let failure = got.expect_err("too late").failure;
        assert!(matches!(failure, Failure::Timeout(_)), "{failure:?}");
    }
}
